"""What holds for all tests: how Hypothesis searches, and the real servers."""

import os

from hypothesis import settings

pytest_plugins = ["tests.servers.fixtures"]

# No deadlines: how long one example takes says more about the machine than about the code.
# On a developer's machine each run tries new examples; in CI the same commit always tries the same ones.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

"""`python -m tests.interop.building`: build all peers that this machine can build.

The tests would do it too, but then a cold build of some minutes looks like a test that hangs.
"""

from __future__ import annotations

import sys

from rich.console import Console

from tests.interop.building.errors import BuildError
from tests.interop.building.peers import PEERS
from tests.interop.building.together import build_all


def main() -> int:
    """Run the program. Returns 0, or 1 if a build fails or, with `CI` set, cannot be done."""
    screen = Console(stderr=True, highlight=False)
    screen.print("peers for the interoperability tests: building what is not built yet")
    try:
        built, absent = build_all(PEERS, screen)
    except BuildError as error:
        screen.print(str(error), style="bold red", markup=False, soft_wrap=True)
        return 1
    for name, peer in built.items():
        screen.print(f"{name}: {'was there' if peer.was_there else 'built'}", markup=False)
    for name, why in absent.items():
        screen.print(f"{name}: not here, and what needs it will be skipped: {why}", markup=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

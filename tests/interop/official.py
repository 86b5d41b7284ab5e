"""Where the scripts of the MLS working group's test runner are.

They carry no licence, so they are not copied into the project. They are taken from, in this order:

* the directory that the environment variable `MLS_INTEROP_CONFIGS` names;
* `shared/mls-interop/configs` beside the project, or beside a directory above it;
* their public repository, at the same commit as the test vectors. What comes from there is checked against
  `SHA256SUMS`, and kept in `.cache`.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from tests.vectors.official import COMMIT, fetch, read_sums

__all__ = ["SUMS", "official_configs"]

ROOT = Path(__file__).parents[2]

SOURCE = f"https://raw.githubusercontent.com/mlswg/mls-implementations/{COMMIT}/interop/configs/"

SUMS = read_sums(Path(__file__).with_name("SHA256SUMS"))
"""The official files, each with its SHA-256."""


@cache
def official_configs() -> Path:
    """Return the directory that holds the official scripts, fetching them if need be."""
    named = os.environ.get("MLS_INTEROP_CONFIGS")
    if named:
        return Path(named)
    beside = (parent / "shared" / "mls-interop" / "configs" for parent in ROOT.parents)
    return next((path for path in beside if path.is_dir()), None) or fetch(
        SOURCE, SUMS, ROOT / ".cache" / "mls-interop" / COMMIT
    )

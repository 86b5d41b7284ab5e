"""Where the MLS working group's own interface file is.

It carries no licence, so it is not copied into the project. It is taken from, in this order:

* the file that the environment variable `MLS_INTEROP_PROTO` names;
* `shared/mls-interop/mls_client.proto` beside the project, or beside a directory above it;
* their public repository, at the same commit as the test vectors, checked by its hash and kept in `.cache`.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from tests.vectors.official import COMMIT, fetch

__all__ = ["official_proto"]

ROOT = Path(__file__).parents[3]

NAME = "mls_client.proto"
SOURCE = f"https://raw.githubusercontent.com/mlswg/mls-implementations/{COMMIT}/interop/proto/"
SUMS = {NAME: "33af7dce205df83470f420b396541f42874c9bcc73b1cb16fb75899cf1e4c096"}


@cache
def official_proto() -> Path:
    """Return the file, fetching it if need be. Raises `FetchError` or `OSError` where it cannot be had."""
    named = os.environ.get("MLS_INTEROP_PROTO")
    if named:
        return Path(named)
    beside = (parent / "shared" / "mls-interop" / NAME for parent in ROOT.parents)
    found = next((path for path in beside if path.is_file()), None)
    return found or fetch(SOURCE, SUMS, ROOT / ".cache" / "mls-interop-proto" / COMMIT) / NAME

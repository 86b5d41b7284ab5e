"""Where the MLS working group's test vectors are.

They carry no licence, so they are not copied into the project. They are taken from, in this order:

* the directory that the environment variable `MLS_TEST_VECTORS` names;
* `shared/mls-test-vectors` beside the project, or beside a directory above it;
* their public repository, at one commit. What comes from there is checked against `SHA256SUMS`, and kept in `.cache`.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import urllib.request
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SUMS", "FetchError", "entries", "fetch", "official_vectors", "read_sums"]

ROOT = Path(__file__).parents[2]

COMMIT = "cfd450286d1bfd9cd2519b95c80f9771f94a5b1a"
SOURCE = f"https://raw.githubusercontent.com/mlswg/mls-implementations/{COMMIT}/test-vectors/"

MAX_SIZE = 1 << 26
SECONDS = 60


def read_sums(path: Path) -> dict[str, str]:
    """Return the SHA-256 of each file, in hex, from a file as `sha256sum` writes it."""
    lines = path.read_text(encoding="ascii").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


SUMS = read_sums(Path(__file__).with_name("SHA256SUMS"))
"""The official files, each with its SHA-256."""


class FetchError(Exception):
    """A file is not what it should be."""


@cache
def official_vectors() -> Path:
    """Return the directory that holds the official vector files, fetching them if need be."""
    named = os.environ.get("MLS_TEST_VECTORS")
    if named:
        return Path(named)
    beside = (parent / "shared" / "mls-test-vectors" for parent in ROOT.parents)
    return next((path for path in beside if path.is_dir()), None) or fetch(
        SOURCE, SUMS, ROOT / ".cache" / "mls-test-vectors" / COMMIT
    )


@cache
def entries(name: str) -> list[dict[str, object]]:
    """Return the entries of one official file. Everybody gets the same ones: copy what is to be changed."""
    loaded: list[dict[str, object]] = json.loads((official_vectors() / name).read_bytes())
    return loaded


def fetch(source: str, sums: Mapping[str, str], directory: Path) -> Path:
    """Bring the files that `sums` names from below the URL `source` into `directory`, and return it.

    A file that is there already is fetched only if it is not what it should be. Several processes may do this at
    once. Raises `FetchError` for a file with another SHA-256, which is not kept, and `OSError`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, expected in sums.items():
        path = directory / name
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == expected:
            continue
        with urllib.request.urlopen(source + name, timeout=SECONDS) as response:  # noqa: S310 - the caller's URL
            data = response.read(MAX_SIZE)
        found = hashlib.sha256(data).hexdigest()
        if found != expected:
            msg = f"{source}{name} has the SHA-256 {found} instead of {expected}"
            raise FetchError(msg)
        _write(path, data)
    return directory


def _write(path: Path, data: bytes) -> None:
    """Put a file in its place, whole from the first moment on."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)

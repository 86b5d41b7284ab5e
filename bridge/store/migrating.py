"""The versions of the tables: each `migrations/NNNN.sql` turns the version before into its own.

A released script is never changed. Each is one transaction, with the version that it leads to.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources

__all__ = ["latest_version", "scripts"]


@cache
def latest_version() -> int:
    """Return the version that this program makes and understands."""
    return len(_names())


def scripts(version: int) -> Iterator[str]:
    """Yield what is to be run on a database of this version, in order."""
    folder = resources.files("bridge.store") / "migrations"
    for number, name in enumerate(_names()[version:], version + 1):
        statements = (folder / name).read_text(encoding="utf-8")
        yield f"BEGIN IMMEDIATE;\n{statements}\nPRAGMA user_version = {number};\nCOMMIT;"


def _names() -> list[str]:
    folder = resources.files("bridge.store") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    expected = [f"{number:04}.sql" for number in range(1, len(names) + 1)]
    if names != expected:
        msg = f"the migrations are {names}, and should be {expected}"
        raise RuntimeError(msg)
    return names

"""What the disk takes by itself for the least that a database can commit: the floor of every step that is stored."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from time import perf_counter_ns
from types import TracebackType
from typing import Self

__all__ = ["Disk"]


class Disk:
    """A database of nothing, set up as `bridge.store` sets up its own."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("CREATE TABLE IF NOT EXISTS numbers (number INTEGER)")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._database.close()

    def commit(self) -> int:
        """Write one row, and return how many nanoseconds it took until it was on the disk."""
        begin = perf_counter_ns()
        self._database.execute("INSERT INTO numbers VALUES (?)", (begin,))
        return perf_counter_ns() - begin

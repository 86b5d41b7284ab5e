"""SQLite without its thread: calls run where the loop stands, and a program can be made to die at any of them.

aiosqlite hands each call to a thread, by a queue, and waits for a future. Here the queue runs the call at once and the
future is done before anybody waits for it: the same code, the same SQLite on the same files, in one order alone.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bridge.store import database
from tests.simulation.life import LIFE
from tests.simulation.replacing import replaced

__all__ = ["Disk", "inline_databases"]

_NO_LIMIT: Final = 0xFFFFFFFE
"""Pages: the most that SQLite takes."""


class Disk:
    """One program's disk, in one of its lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = 0
        """How many calls to SQLite it has taken."""
        self.dies_in: int | None = None
        """After how many calls more the program dies; `None`: it does not."""
        self.is_full = False
        self.is_dead = False
        self.on_death: Callable[[], None] = lambda: None
        self._connections: list[sqlite3.Connection] = []

    def run(self, function: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever aiosqlite runs
        """Run one call. Raises what it raises, or an error of SQLite once the program is dead."""
        self._require_life()
        self.calls += 1
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in <= 0:
                after = self.dies_in == 0 and self.calls % 2 == 0
                if after:  # the call was done, and nobody lives to hear of it
                    function()
                self.die()
                self._require_life()
        result = function()
        if isinstance(result, sqlite3.Connection):
            self._connections.append(result)
            if self.is_full:
                self._limit(result)
        return result

    def fill(self) -> None:
        """Have no room for anything more, until `clear`."""
        self.is_full = True
        for connection in self._connections:
            self._limit(connection)

    def clear(self) -> None:
        """Have room again."""
        self.is_full = False
        for connection in self._connections:
            self._limit(connection)

    def die(self) -> None:
        """Keep the files as they are at this moment, and do nothing any more."""
        if self.is_dead:
            return
        self.is_dead = True
        kept = self.folder / "kept"
        kept.mkdir(exist_ok=True)
        for path in sorted(self.folder.glob("*.db*")):
            shutil.copyfile(path, kept / path.name)
        for path in sorted(self.folder.glob("*.db*")):
            path.unlink()
        for path in sorted(kept.iterdir()):
            if not path.name.endswith(("-shm", ".lock")):  # what the operating system forgets with the process
                path.replace(self.folder / path.name)
        shutil.rmtree(kept)
        self.on_death()

    def release(self) -> None:
        """Close what a dead program still has open."""
        for connection in self._connections:
            connection.close()

    def _require_life(self) -> None:
        if self.is_dead:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR, "SQLITE_IOERR"
            raise error

    def _limit(self, connection: sqlite3.Connection) -> None:
        """Let SQLite itself refuse each page more."""
        pages = connection.execute("PRAGMA page_count").fetchone()[0] if self.is_full else _NO_LIMIT
        connection.execute(f"PRAGMA max_page_count = {max(pages, 1):d}")


class _InlineQueue:
    """Stands where aiosqlite has the queue to its thread."""

    def __init__(self) -> None:
        self._disk = LIFE.get().disk

    def put_nowait(self, item: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        future, function = item
        try:
            result = function() if self._is_stop(function) else self._disk.run(function)
        except Exception as error:  # noqa: BLE001 - as aiosqlite's thread does
            if future is not None:
                future.set_exception(error)
        else:
            if future is not None:
                future.set_result(result)

    @staticmethod
    def _is_stop(function: Callable[[], Any]) -> bool:
        """Whether aiosqlite ends its thread by this: that works on a dead disk, too."""
        return getattr(function, "__name__", "") == "close_and_stop"


class _NoThread:
    """Stands where aiosqlite has its thread."""

    daemon = False

    def start(self) -> None:
        """There is nothing to start."""


class _InlineConnection(database._Connection):
    """The store's connection, without the thread."""

    def __init__(self, connector: Callable[[], sqlite3.Connection], iter_chunk_size: int) -> None:
        super().__init__(connector, iter_chunk_size)
        self._tx = _InlineQueue()  # type: ignore[assignment]
        self._thread = _NoThread()  # type: ignore[assignment]

    def __del__(self) -> None:
        """Do not complain that nobody has closed it: who is killed closes nothing, and `Disk.release` does."""


@contextmanager
def inline_databases() -> Iterator[None]:
    """Let every database that is opened within this block run in the loop."""
    with replaced(database, _Connection=_InlineConnection):
        yield

"""A SQLite database of this program, set up so that what is committed stays and what is deleted goes.

One connection, in aiosqlite's thread. SQLite's errors leave as `StoreError`s. A round to that thread and back takes
longer than most statements do, so whoever has several to run hands them over together.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import aiosqlite

from bridge.store import migrating
from bridge.store.errors import (
    CorruptStoreError,
    NewerStoreError,
    StoreUsageError,
    UnavailableStoreError,
    translated,
)

__all__ = ["APPLICATION_ID", "Database", "Parameter", "Row", "Statement"]

APPLICATION_ID: Final = 0x4D4C5342
"""What marks a SQLite file as ours: "MLSB"."""

Parameter: TypeAlias = str | bytes | int | None

Row: TypeAlias = tuple[Any, ...]
"""What a statement yields. The tables are STRICT: each column holds what it is declared to hold."""


class Statement(NamedTuple):
    """One statement, run once for each set of parameters. What `sets` holds must not change any more."""

    sql: str
    sets: Sequence[Sequence[Parameter]] = ((),)


Result = TypeVar("Result")

_OLDEST_SQLITE: Final = (3, 37, 0)
"""STRICT tables."""

_BUSY_TIMEOUT: Final = 5
"""Seconds to wait for a program that has locked the file, as a backup does."""

_SMALLEST: Final = 512
"""Bytes of the smallest page that SQLite knows."""

_PRAGMAS: Final = (
    "synchronous = FULL",  # a commit is on the disk before what it allows to be sent is sent
    "secure_delete = ON",
    "foreign_keys = ON",
    "temp_store = MEMORY",  # no temporary file to leave anything in
    "trusted_schema = OFF",
    "cell_size_check = ON",
)

# It logs each statement with its parameters when it may.
logging.getLogger("aiosqlite").setLevel(logging.WARNING)


class _Connection(aiosqlite.Connection):
    async def run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do several things in the thread, and come back once."""
        result: Result = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]
        return result


class Database:
    """An open database."""

    def __init__(self, connection: _Connection, path: Path) -> None:
        self._connection = connection
        self.path = path

    @classmethod
    async def open(cls, path: Path, *, max_page_count: int | None = None) -> Database:
        """Open the file, creating it when absent, and bring its tables up to date. Raises `StoreError`.

        `max_page_count` limits its size, in pages of 4,096 bytes.
        """
        where = str(path)
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            what = f"SQLite {sqlite3.sqlite_version} is too old"
            raise UnavailableStoreError(what, where=where, advice="Use a Python that comes with 3.37 or newer")
        _create_file(path)
        with _translating(where):
            connection = _Connection(
                lambda: sqlite3.connect(path, isolation_level=None, timeout=_BUSY_TIMEOUT), iter_chunk_size=1
            )
            # A program that fails before it closes its store must end all the same: to SQLite that is a crash.
            connection._thread.daemon = True  # noqa: SLF001 - there is no other way to it
            await connection
        database = cls(connection, path)
        try:
            await database._prepare(max_page_count)
        except BaseException:
            await connection.close()
            raise
        return database

    async def execute(self, sql: str, parameters: Sequence[Parameter] = ()) -> list[Row]:
        """Run one statement, and return all its rows."""
        return await self.run(Statement(sql, (parameters,)))

    async def run(self, *statements: Statement) -> list[Row]:
        """Run statements in order, up to the first that fails, and return the rows of the last one."""

        def work(connection: sqlite3.Connection) -> list[Row]:
            rows: list[Row] = []
            for sql, sets in statements:
                if len(sets) == 1:
                    rows = connection.execute(sql, sets[0]).fetchall()
                else:
                    connection.executemany(sql, sets)
            return rows

        with _translating(str(self.path)):
            return await self._connection.run(work)

    async def rollback(self) -> None:
        """Undo what was not committed. Does nothing where SQLite did so already, as on a full disk."""
        with _translating(str(self.path)):
            await self._connection.rollback()

    @property
    def changes(self) -> int:
        """How many rows were written since the database was opened."""
        return self._connection.total_changes

    async def truncate(self) -> bool:
        """Write the WAL back into the database and cut it to nothing. `False` if a reader is in the way."""
        # The pause between tries is the caller's, not a wait in this thread that every transaction would share.
        await self.execute("PRAGMA busy_timeout = 0")
        try:
            ((busy, _, _),) = await self.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            await self.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT * 1000}")
        return not busy

    async def close(self) -> None:
        """Close the file."""
        with _translating(str(self.path)):
            await self._connection.close()

    async def _prepare(self, max_page_count: int | None) -> None:
        """Check the file before the first write to it, set the connection up, and migrate."""
        version, is_new = await self._identify()
        known = migrating.latest_version()
        if version > known:
            raise NewerStoreError(version, known, where=str(self.path))
        ((mode,),) = await self.execute("PRAGMA journal_mode = WAL")
        if mode != "wal":
            advice = "Put it on a local disk"
            raise UnavailableStoreError(
                "its file system cannot hold a write-ahead log", where=str(self.path), advice=advice
            )
        for pragma in _PRAGMAS:
            await self.execute(f"PRAGMA {pragma}")
        if max_page_count is not None:
            await self.execute(f"PRAGMA max_page_count = {max_page_count:d}")
        if is_new:
            await self.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        else:
            await self._check()
        for script in migrating.scripts(version):
            await self._migrate(script)
        # Whoever owned it before may have died between a deletion and the log's truncation.
        await self.truncate()

    async def _identify(self) -> tuple[int, bool]:
        """Return the version of the tables, and whether there are none yet."""
        ((application,),) = await self.execute("PRAGMA application_id")
        ((version,),) = await self.execute("PRAGMA user_version")
        ((tables,),) = await self.execute("SELECT count(*) FROM sqlite_schema")
        if application == APPLICATION_ID:
            return version, version == 0
        if (application, version, tables) != (0, 0, 0):
            raise CorruptStoreError("this is another program's database", where=str(self.path))
        return 0, True

    async def _check(self) -> None:
        ((result,), *_) = await self.execute("PRAGMA quick_check(1)")
        if result != "ok":
            raise CorruptStoreError("the database is damaged", where=str(self.path))

    async def _migrate(self, script: str) -> None:
        """Run a script, all of it or nothing."""
        with _translating(str(self.path)):
            try:
                async with self._connection.executescript(script):
                    pass
            except BaseException:
                await self._connection.rollback()
                raise


def _create_file(path: Path) -> None:
    """Create the file for its owner alone, where it is absent; SQLite gives its companions the same mode."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        size = os.fstat(descriptor).st_size
        os.close(descriptor)
    except OSError as error:
        advice = "Create the folder, or make it and the file yours"
        raise UnavailableStoreError(
            f"the database cannot be opened ({error.strerror})", where=str(path), advice=advice
        ) from None
    # SQLite would take the rest of a file for an empty one, and write over it.
    if 0 < size < _SMALLEST:
        raise CorruptStoreError("the file is damaged, or is no database", where=str(path))


@contextmanager
def _translating(where: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
        raise translated(error, where=where) from error
    except ValueError as error:
        # aiosqlite's word for a closed connection, sqlite3's for text that is not Unicode.
        raise StoreUsageError(str(error), where=where) from error

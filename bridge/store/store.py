"""The store: one SQLite database, owned by one process, in which everything that must outlive it is kept."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import structlog

from bridge.store.database import Database
from bridge.store.encryption import KEY_SIZE, BadCiphertextError, Place, WrappingKey
from bridge.store.errors import StoreError, StoreUsageError, UnavailableStoreError, WrongKeyError
from bridge.store.keys import StoreKey
from bridge.store.locking import OwnerLock
from bridge.store.numbering import Numbering
from bridge.store.statements import Statements
from bridge.store.transaction import Transaction

__all__ = ["Store"]

_DATABASE_ID_SIZE: Final = 16
_TRUNCATION_DELAY: Final = 0.5
"""Seconds from a commit to the WAL's truncation: what was deleted is gone within one second."""
_RETRY_DELAY: Final = 0.1
_RETRY_LIMIT: Final = 5.0
"""How long `truncate` tries, while a reader is in the way."""

AnyTransaction = TypeVar("AnyTransaction", bound=Transaction)
Result = TypeVar("Result")

log = structlog.get_logger(__name__)


class Store:
    """An open store.

    Transactions come one at a time, in the order in which they were asked for. A commit is on the disk when its
    transaction ends. What it deleted or replaced is gone from the files soon after: the write-ahead log is truncated
    within a second, when the store is closed, and by `truncate`.
    """

    def __init__(
        self,
        database: Database,
        lock: OwnerLock,
        random: Callable[[int], bytes],
        database_id: bytes,
        data_key: bytes,
    ) -> None:
        """Only `open` calls this."""
        self._database = database
        self._lock = lock
        self._random = random
        self._database_id = database_id
        self._data_key = data_key
        self._wrapping = WrappingKey(data_key)
        self._numbering = Numbering()
        self._turn = asyncio.Lock()
        self._holder: asyncio.Task[object] | None = None
        self._truncation: asyncio.Task[None] | None = None
        self._is_closed = False
        self.on_transaction: Callable[[float], None] = lambda _: None
        """Told after each transaction how many seconds it took, without waiting for its turn."""

    @classmethod
    async def open(
        cls,
        path: Path | str,
        key: StoreKey,
        *,
        now: int,
        random: Callable[[int], bytes] = os.urandom,
        max_page_count: int | None = None,
    ) -> Self:
        """Open the database at `path`, creating it when absent, and own it until `close`.

        `now` says when it was created. Raises `StoreInUseError`, `WrongKeyError`, `NewerStoreError`,
        `CorruptStoreError`, `UnavailableStoreError`, `DiskFullError`.
        """
        resolved = _resolved(path)
        lock = OwnerLock(resolved)
        try:
            database = await Database.open(resolved, max_page_count=max_page_count)
            try:
                database_id, data_key = await _data_key(database, key, now, random)
            except BaseException:
                await database.close()
                raise
        except BaseException:
            lock.release()
            raise
        return cls(database, lock, random, database_id, data_key)

    @property
    def path(self) -> Path:
        """The database's file."""
        return self._database.path

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Return a transaction, to be entered: commits at a clean exit, rolls back on any exception.

        After a `StoreError` within it nothing can be committed, even if the error was caught. A task that is
        cancelled while it commits cannot know what came of it, as after a crash.
        """
        return self._transaction(Transaction)

    async def rekey(self, new_key: StoreKey) -> None:
        """Make `new_key` the one that opens the store. What is stored need not be encrypted anew."""
        async with self._statements() as statements:
            wrapped = _wrap(new_key, self._data_key, self._database_id, self._random)
            statements.write("UPDATE store_key SET wrapped = ?", wrapped)
        await self.truncate()

    async def truncate(self) -> None:
        """Make sure that nothing deleted or replaced is left in the files.

        Raises `UnavailableStoreError` where another program goes on reading the database, and so keeps its log.
        """
        deadline = asyncio.get_running_loop().time() + _RETRY_LIMIT
        while not await self._try_to_truncate():
            if asyncio.get_running_loop().time() > deadline:
                advice = "End the program that reads the database, such as a backup or a shell"
                raise UnavailableStoreError("a reader keeps the log", where=str(self.path), advice=advice)
            await asyncio.sleep(_RETRY_DELAY)

    async def close(self) -> None:
        """Truncate the log, close the database and let others own it. Idempotent."""
        self._refuse_nesting()
        if not self._is_closed:
            self._is_closed = True
            if self._truncation is not None:
                self._truncation.cancel()
            await _uninterrupted(self._close())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def _transaction(self, kind: Callable[[Statements], AnyTransaction]) -> AsyncIterator[AnyTransaction]:
        async with self._statements() as statements:
            yield kind(statements)

    @asynccontextmanager
    async def _statements(self) -> AsyncIterator[Statements]:
        self._refuse_nesting()
        async with self._turn:
            self._require_open()
            self._holder = asyncio.current_task()
            began = time.perf_counter()
            changes = self._database.changes
            statements = Statements(self._database, self._wrapping, self._numbering, self._random)
            try:
                yield statements
                await _uninterrupted(statements.commit())
                statements.end()
            except BaseException:
                statements.end()
                self._numbering.forget()
                # Does nothing where a task was cancelled while it committed.
                await _uninterrupted(self._database.rollback())
                raise
            finally:
                self._holder = None
                self.on_transaction(time.perf_counter() - began)
                if self._database.changes != changes:
                    self._truncate_soon()

    async def _close(self) -> None:
        if self._truncation is not None:
            await asyncio.wait([self._truncation])
        async with self._turn:
            try:
                if not await self._database.truncate():
                    log.warning("store_log_kept", reason="another program reads the database")
            finally:
                try:
                    await self._database.close()
                finally:
                    self._lock.release()

    def _truncate_soon(self) -> None:
        if self._truncation is None or self._truncation.done():
            self._truncation = asyncio.create_task(self._truncate_later())

    async def _truncate_later(self) -> None:
        await asyncio.sleep(_TRUNCATION_DELAY)
        has_warned = False
        try:
            while not await self._try_to_truncate():
                if not has_warned:
                    log.warning("store_log_kept", reason="another program reads the database")
                    has_warned = True
                await asyncio.sleep(_RETRY_DELAY)
        except StoreError as error:
            # The next transaction meets the same, and its caller can do something about it.
            log.warning("store_log_kept", reason=error.what)

    async def _try_to_truncate(self) -> bool:
        async with self._turn:
            self._require_open()
            return await _uninterrupted(self._database.truncate())

    def _refuse_nesting(self) -> None:
        if self._holder is not None and self._holder is asyncio.current_task():
            raise StoreUsageError("this task is in a transaction already", where=str(self.path))

    def _require_open(self) -> None:
        if self._is_closed:
            raise StoreUsageError("the store is closed", where=str(self.path))


def _resolved(path: Path | str) -> Path:
    """Return the path without symbolic links: each database has one lock, however it is called."""
    return Path(path).resolve()


async def _data_key(database: Database, key: StoreKey, now: int, random: Callable[[int], bytes]) -> tuple[bytes, bytes]:
    """Return the database's id and its data key, making both at the first opening."""
    rows = await database.execute("SELECT database_id, wrapped FROM store_key")
    if rows:
        database_id, wrapped = rows[0]
        try:
            return database_id, WrappingKey(key.reveal()).unwrap(wrapped, _key_place(database_id))
        except BadCiphertextError:
            raise WrongKeyError(where=str(database.path)) from None
    database_id, data_key = random(_DATABASE_ID_SIZE), random(KEY_SIZE)
    await database.execute(
        "INSERT INTO store_key (id, database_id, wrapped, created_at) VALUES (1, ?, ?, ?)",
        (database_id, _wrap(key, data_key, database_id, random), now),
    )
    return database_id, data_key


def _wrap(key: StoreKey, data_key: bytes, database_id: bytes, random: Callable[[int], bytes]) -> bytes:
    return WrappingKey(key.reveal()).wrap(data_key, _key_place(database_id), random)


def _key_place(database_id: bytes) -> Place:
    return ("store_key", "wrapped", database_id)


async def _uninterrupted(work: Coroutine[Any, Any, Result]) -> Result:
    """Await `work` to its end, even if the caller is cancelled meanwhile; the cancellation comes after it."""
    task = asyncio.create_task(work)
    interruption: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            interruption = error
    if interruption is not None:
        task.exception()  # looked at, so that nobody complains that it was not
        raise interruption
    return task.result()

"""Stores for the tests: real files, one key, a clock that stands still."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.store.keys import StoreKey
from bridge.store.member import MemberStore

__all__ = ["KEY", "NOW", "files", "opened", "peek"]

KEY = StoreKey(b"store key of the tests, 32 bytes")
NOW = 1_800_000_000_000


@asynccontextmanager
async def opened(path: Path, *, key: StoreKey = KEY, max_page_count: int | None = None) -> AsyncIterator[MemberStore]:
    """Open a store, and close it whatever happens."""
    store = await MemberStore.open(path, key, now=NOW, random=os.urandom, max_page_count=max_page_count)
    try:
        yield store
    finally:
        await store.close()


def files(path: Path) -> bytes:
    """Everything that is on the disk of a database."""
    parts = (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm"))
    return b"".join(part.read_bytes() for part in parts if part.exists())


def peek(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Ask the database behind the store's back, as a shell would."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()

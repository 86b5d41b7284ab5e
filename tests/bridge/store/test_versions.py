"""Each released version of the tables, frozen as it was: it is brought up to date, and what it held is read back.

`versions/N.sql` is what `sqlite3 store.db .dump` said of a database of version N, and is never changed.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bridge.store import migrating
from bridge.store.database import APPLICATION_ID
from tests.bridge.store.opening import opened, peek

VERSIONS = Path(__file__).parent / "versions"
SCHEMA = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name"


def restore(path: Path, version: int) -> None:
    """Make the database that a dump is of."""
    connection = sqlite3.connect(path)
    connection.executescript((VERSIONS / f"{version}.sql").read_text(encoding="utf-8"))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def test_each_version_is_frozen() -> None:
    frozen = sorted(int(file.stem) for file in VERSIONS.iterdir())
    assert frozen == list(range(1, migrating.latest_version() + 1))


@pytest.mark.asyncio
async def test_the_tables_of_the_latest_version_are_the_frozen_ones(path: Path, tmp_path: Path) -> None:
    frozen = tmp_path / "frozen.db"
    restore(frozen, migrating.latest_version())
    async with opened(path):
        pass
    assert peek(path, SCHEMA) == peek(frozen, SCHEMA)


@pytest.mark.parametrize("version", range(1, migrating.latest_version() + 1))
@pytest.mark.asyncio
async def test_what_a_version_held_is_read_back(path: Path, version: int) -> None:
    restore(path, version)
    async with opened(path) as store, store.transaction() as tx:
        assert await tx.cursors.get("xmpp:alice@example.org") == b"cursor"
        assert await tx.records.items("space") == [(b"key", b"value")]
        assert await tx.inbox.unread("xmpp:alice@example.org", 10) == [(1, b"tea", b"message")]
        group = await tx.groups.load("xmpp:alice@example.org", b"tea")
        assert group is not None
        assert group.epoch == 0
        assert len((await tx.events.after("xmpp:alice@example.org", "xmpp:tea@muc.example.org", 0, 10)).events) == 1
    assert peek(path, "PRAGMA user_version") == [(migrating.latest_version(),)]

"""What a killed process left half-done, read from a copy of its database.

The copy is made before the process starts again, and recovered like any database after a crash: what is in it is what
the next process finds.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.member.memory import Memory
from bridge.store import StoreKey
from bridge.store.member import MemberStore

__all__ = ["Evidence", "copied", "gather"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What stood in the store at the kill."""

    unsettled: int
    """Rows of the outbox that the room has not shown: not sent, or not known to have arrived."""
    waiting: int
    """Copies and handshakes between a role's events and its outbox."""
    fragments: int
    """Envelopes of which a part is missing."""
    in_flight: bool
    """Whether a Commit of its own had no place in the order."""

    @property
    def is_half_done(self) -> bool:
        """Whether the kill hit an unsettled row of the outbox, or a half-done step."""
        return bool(self.unsettled or self.waiting or self.fragments or self.in_flight)

    def __str__(self) -> str:
        found = {name: getattr(self, name) for name in self.__slots__ if getattr(self, name)}
        return ", ".join(f"{name} {number}" for name, number in found.items()) or "nothing under way"


@contextmanager
def copied(database: Path, scratch: Path) -> Iterator[Path]:
    """Copy a database that nobody has open, with its write-ahead log."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for suffix in ("", "-wal"):
        file = database.with_name(database.name + suffix)
        if file.exists():
            shutil.copy(file, scratch / file.name)
    yield scratch / database.name
    shutil.rmtree(scratch)


async def gather(database: Path, key: bytes, scratch: Path) -> Evidence:
    """Look at the database of a process that has just been killed."""
    with copied(database, scratch) as copy:
        with closing(sqlite3.connect(copy)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'outbox'").fetchone():
                return Evidence(0, 0, 0, in_flight=False)  # it died before it had made its tables
            unsettled, waiting, fragments = (int(connection.execute(question).fetchone()[0]) for question in _QUESTIONS)
            is_member = bool(connection.execute("SELECT 1 FROM records WHERE space = 'member'").fetchone())
        in_flight = is_member and await _has_commit_in_flight(copy, key)
    return Evidence(unsettled, waiting, fragments, in_flight)


_QUESTIONS = (
    "SELECT count(*) FROM outbox WHERE reflected_at IS NULL",
    "SELECT count(*) FROM records WHERE space LIKE '% items'",
    "SELECT count(*) FROM fragmented",
)


async def _has_commit_in_flight(copy: Path, key: bytes) -> bool:
    async with await MemberStore.open(copy, StoreKey(key), now=0) as store, store.transaction() as tx:
        return any(Memory.decode(value).in_flight is not None for _, value in await tx.records.items("member"))

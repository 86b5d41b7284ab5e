"""What is to be sent, until the own room has shown it. Both client libraries lose sends when a connection drops."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from bridge.store.database import Row
from bridge.store.errors import CorruptStoreError
from bridge.store.event_encoding import BadEventError, decode_note, encode_note
from bridge.store.statements import Statements, batched
from transports.room import Account, RelayNote, RoomAddress

__all__ = ["Outbox", "OutboxEntry", "StoredOutboxEntry"]

_MAX_BYTES: Final = 8 << 20
"""Of envelopes that are read at once."""

_COLUMNS = (
    'id, account, room, envelope, "transaction", note, fallback, purpose, created_at,'
    " reflected_at, attempts, attempted_at, error"
)


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """An envelope for a room, with all that `Transport.publish` takes."""

    account: Account
    room: RoomAddress
    envelope: bytes
    transaction: str
    """Unique for the account, and the same at each attempt: so that the network can drop what it has already."""
    note: RelayNote | None
    fallback: str | None
    purpose: str
    """What it is for, in the sender's own words."""
    created_at: int


@dataclass(frozen=True, slots=True)
class StoredOutboxEntry:
    """An entry, and how it fared."""

    id: int
    entry: OutboxEntry
    reflected_at: int | None = None
    """When the room showed it: that alone says that others have it. What the server answers is not kept."""
    attempts: int = 0
    """How often publishing failed."""
    attempted_at: int | None = None
    error: str | None = None
    """What went wrong at the last failed attempt."""


class Outbox:
    """The entries of each account, in the order in which they were added."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self.added: list[StoredOutboxEntry] = []
        """What this transaction has added."""

    async def add(self, entry: OutboxEntry) -> int:
        """Store an entry, and return its id.

        Where its transaction was used before, the store's transaction fails, at its end at the latest.
        """
        (entry_id,) = await self._statements.next_numbers("outbox", 1)
        self._statements.write(
            'INSERT INTO outbox (id, account, room, envelope, "transaction", note, fallback, purpose, created_at)'
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            entry_id,
            entry.account,
            entry.room,
            entry.envelope,
            entry.transaction,
            None if entry.note is None else encode_note(entry.note),
            entry.fallback,
            entry.purpose,
            entry.created_at,
        )
        self.added.append(StoredOutboxEntry(entry_id, entry))
        return entry_id

    async def contains(self, account: str, transaction: str) -> bool:
        """Whether there is an entry of that transaction, reflected or not."""
        row = await self._statements.row(
            'SELECT 1 FROM outbox WHERE account = ? AND "transaction" = ?', account, transaction
        )
        return row is not None

    async def get(self, account: str, transaction: str) -> StoredOutboxEntry | None:
        """Return the entry of a transaction, reflected or not."""
        row = await self._statements.row(
            f'SELECT {_COLUMNS} FROM outbox WHERE account = ? AND "transaction" = ?',  # noqa: S608 - no input
            account,
            transaction,
        )
        return None if row is None else self._stored(row)

    async def waiting(
        self, account: str, room: str, limit: int, *, after: int = 0, max_bytes: int = _MAX_BYTES
    ) -> list[StoredOutboxEntry]:
        """Return entries that the room has not shown yet: those behind `after`, oldest first.

        At most `limit` of them, and so many that their envelopes have `max_bytes` in all; but one always, if there is.
        """
        chosen = "account = ? AND room = ? AND reflected_at IS NULL AND id > ?"
        rows = await self._statements.rows(
            f"SELECT {_COLUMNS} FROM outbox WHERE {chosen} AND id <= ("  # noqa: S608 - no input
            "SELECT max(id) FROM ("
            "SELECT id, sum(size) OVER (ORDER BY id) AS total, row_number() OVER (ORDER BY id) AS number FROM ("
            f"SELECT id, length(envelope) AS size FROM outbox WHERE {chosen} ORDER BY id LIMIT ?"
            ")) WHERE total <= ? OR number = 1) ORDER BY id",
            *(account, room, after),
            *(account, room, after),
            limit,
            max_bytes,
        )
        return [self._stored(row) for row in rows]

    async def newest(self, account: str, after: int) -> dict[RoomAddress, int]:
        """Return the newest entry behind `after` of each room that has not shown it yet."""
        rows = await self._statements.rows(
            "SELECT room, max(id) FROM outbox WHERE account = ? AND reflected_at IS NULL AND id > ? GROUP BY room",
            account,
            after,
        )
        return {RoomAddress(room): newest for room, newest in rows}

    async def count(self, account: str) -> int:
        """Return how many entries the room has not shown yet."""
        ((count,),) = await self._statements.rows(
            "SELECT count(*) FROM outbox WHERE account = ? AND reflected_at IS NULL", account
        )
        return int(count)

    async def mark_attempt(self, entry_id: int, at: int, error: str) -> None:
        """Say that publishing failed."""
        self._statements.write(
            "UPDATE outbox SET attempts = attempts + 1, attempted_at = ?, error = ? WHERE id = ?", at, error, entry_id
        )

    async def mark_reflected(self, account: str, transactions: Collection[str], at: int) -> set[str]:
        """Say that the room has shown these entries. Returns those that were waiting for that."""
        waited: set[str] = set()
        for some in batched(transactions):
            marks = ", ".join("?" * len(some))
            chosen = f'account = ? AND reflected_at IS NULL AND "transaction" IN ({marks})'
            rows = await self._statements.rows(
                f'UPDATE outbox SET reflected_at = ? WHERE {chosen} RETURNING "transaction"',  # noqa: S608 - no input
                at,
                account,
                *some,
            )
            waited |= {transaction for (transaction,) in rows}
        return waited

    async def drop(self, entry_id: int) -> None:
        """Forget an entry, reflected or not."""
        self._statements.write("DELETE FROM outbox WHERE id = ?", entry_id)

    async def prune(self, before_ms: int) -> None:
        """Forget the entries that the room has shown before. What still waits stays, however old."""
        self._statements.write("DELETE FROM outbox WHERE reflected_at < ?", before_ms)

    def _stored(self, row: Row) -> StoredOutboxEntry:
        entry_id, account, room, envelope, transaction, note, fallback, purpose, created_at, *state = row
        entry = OutboxEntry(account, room, envelope, transaction, self._note(note), fallback, purpose, created_at)
        return StoredOutboxEntry(entry_id, entry, *state)

    def _note(self, data: bytes | None) -> RelayNote | None:
        try:
            return None if data is None else decode_note(data)
        except BadEventError:
            raise CorruptStoreError("a note in the outbox is damaged", where=self._statements.where) from None

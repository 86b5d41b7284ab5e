"""The sealed log: seals, and the envelopes that they order. Each role that keeps one does so in a scope of its own."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.store.database import Row
from bridge.store.errors import SealConflictError
from bridge.store.statements import Statements

__all__ = ["Log", "StoredSeal"]

_COLUMNS = "term, seq, seal_hash, seal, at"


@dataclass(frozen=True, slots=True)
class StoredSeal:
    """A seal with its place in the log."""

    term: int
    seq: int
    seal_hash: bytes
    seal: bytes
    at: int


class Log:
    """Seals by scope, group, term and sequence number; envelopes by scope and identity."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def put_envelope(self, scope: str, identity: bytes, envelope: bytes, at: int) -> None:
        """Keep an envelope. One that is kept already stays as it is: its identity is its hash."""
        self._statements.write(
            "INSERT INTO log_envelopes (scope, identity, envelope, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            scope,
            identity,
            envelope,
            at,
        )

    async def get_envelope(self, scope: str, identity: bytes) -> bytes | None:
        """Return an envelope, `None` where it is not kept."""
        row = await self._statements.row(
            "SELECT envelope FROM log_envelopes WHERE scope = ? AND identity = ?", scope, identity
        )
        return None if row is None else bytes(row[0])

    async def put_seal(
        self, scope: str, group_id: bytes, term: int, seq: int, seal_hash: bytes, seal: bytes, at: int
    ) -> None:
        """Keep a seal. Raises `SealConflictError` where another one has its place."""
        kept = await self.seal(scope, group_id, term, seq)
        if kept is None:
            place = self._statements.uint64(term), self._statements.uint64(seq)
            self._statements.write(
                "INSERT INTO log_seals (scope, group_id, term, seq, seal_hash, seal, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                scope,
                group_id,
                *place,
                seal_hash,
                seal,
                at,
            )
        elif (kept.seal_hash, kept.seal) != (seal_hash, seal):
            raise SealConflictError(term, seq, where=self._statements.where)

    async def seal(self, scope: str, group_id: bytes, term: int, seq: int) -> StoredSeal | None:
        """Return the seal that has this place."""
        row = await self._statements.row(
            f"SELECT {_COLUMNS} FROM log_seals"  # noqa: S608 - no input
            " WHERE (scope, group_id, term, seq) = (?, ?, ?, ?)",
            scope,
            group_id,
            self._statements.uint64(term),
            self._statements.uint64(seq),
        )
        return None if row is None else _stored(row)

    async def seals_after(self, scope: str, group_id: bytes, term: int, seq: int, limit: int) -> list[StoredSeal]:
        """Return up to `limit` seals that come after this place, in order."""
        rows = await self._statements.rows(
            f"SELECT {_COLUMNS} FROM log_seals"  # noqa: S608 - no input
            " WHERE scope = ? AND group_id = ? AND (term, seq) > (?, ?) ORDER BY term, seq LIMIT ?",
            scope,
            group_id,
            self._statements.uint64(term),
            self._statements.uint64(seq),
            limit,
        )
        return [_stored(row) for row in rows]

    async def head(self, scope: str, group_id: bytes) -> StoredSeal | None:
        """Return the last seal of a group."""
        row = await self._statements.row(
            f"SELECT {_COLUMNS} FROM log_seals"  # noqa: S608 - no input
            " WHERE scope = ? AND group_id = ? ORDER BY term DESC, seq DESC LIMIT 1",
            scope,
            group_id,
        )
        return None if row is None else _stored(row)

    async def prune(self, scope: str, before_ms: int, max_bytes: int) -> None:
        """Drop what was kept before, but for each group's last seal; and the oldest envelopes beyond `max_bytes`."""
        self._statements.write("DELETE FROM log_envelopes WHERE scope = ? AND at < ?", scope, before_ms)
        self._statements.write(
            "DELETE FROM log_envelopes WHERE rowid IN (SELECT id FROM ("
            " SELECT rowid AS id, sum(length(envelope)) OVER (ORDER BY at DESC, rowid DESC) AS kept"
            " FROM log_envelopes WHERE scope = ?) WHERE kept > ?)",
            scope,
            max_bytes,
        )
        self._statements.write(
            "DELETE FROM log_seals WHERE scope = ? AND at < ? AND EXISTS ("
            " SELECT 1 FROM log_seals AS later WHERE later.scope = log_seals.scope"
            " AND later.group_id = log_seals.group_id"
            " AND (later.term, later.seq) > (log_seals.term, log_seals.seq))",
            scope,
            before_ms,
        )


def _stored(row: Row) -> StoredSeal:
    term, seq, seal_hash, seal, at = row
    return StoredSeal(int.from_bytes(term, "big"), int.from_bytes(seq, "big"), seal_hash, seal, at)

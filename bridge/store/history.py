"""Messages that are kept after they were read: only for who asked for it. Encrypted like everything secret here."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.store.encryption import Place
from bridge.store.statements import Statements

__all__ = ["History", "StoredMessage"]


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message that was kept."""

    position: int
    message: bytes = field(repr=False)
    at: int


class History:
    """The messages of each account's groups."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, owner: str, group_id: bytes, message: bytes, at: int) -> int:
        """Keep a message. Returns its position."""
        rows = await self._statements.rows("SELECT seq FROM sqlite_sequence WHERE name = 'history'")
        position = rows[0][0] + 1 if rows else 1
        ((key_id, sealed),) = await self._statements.seal((_place(owner, group_id, position), message))
        self._statements.write(
            "INSERT INTO history (position, owner, group_id, message, key_id, at) VALUES (?, ?, ?, ?, ?, ?)",
            position,
            owner,
            group_id,
            sealed,
            key_id,
            at,
        )
        return int(position)

    async def after(self, owner: str, group_id: bytes, position: int, limit: int) -> list[StoredMessage]:
        """Return the first `limit` messages of a group after a position, oldest first."""
        rows = await self._statements.rows(
            "SELECT position, at, key_id, wrapped, message FROM history"
            " JOIN value_keys ON value_keys.id = key_id"
            " WHERE owner = ? AND group_id = ? AND position > ? ORDER BY position LIMIT ?",
            owner,
            group_id,
            position,
            limit,
        )
        return [
            StoredMessage(position, self._statements.unseal(_place(owner, group_id, position), *sealed), at)
            for position, at, *sealed in rows
        ]

    async def list(
        self, owner: str, group_id: bytes, limit: int, *, before: int = (1 << 63) - 1
    ) -> list[StoredMessage]:
        """Return the last `limit` messages of a group before a position, oldest first."""
        rows = await self._statements.rows(
            "SELECT position, at, key_id, wrapped, message FROM history"
            " JOIN value_keys ON value_keys.id = key_id"
            " WHERE owner = ? AND group_id = ? AND position < ? ORDER BY position DESC LIMIT ?",
            owner,
            group_id,
            before,
            limit,
        )
        return [
            StoredMessage(position, self._statements.unseal(_place(owner, group_id, position), *sealed), at)
            for position, at, *sealed in reversed(rows)
        ]

    async def purge(self, owner: str, before_ms: int) -> None:
        """Delete the account's messages that were kept before."""
        self._statements.write("DELETE FROM history WHERE owner = ? AND at < ?", owner, before_ms)


def _place(owner: str, group_id: bytes, position: int) -> Place:
    return ("history", "message", owner, group_id, position)

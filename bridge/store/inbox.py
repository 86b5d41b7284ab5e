"""What was decrypted, until the application has taken it: its key is spent, so that it cannot be decrypted again."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.store.encryption import Place
from bridge.store.statements import Statements

__all__ = ["Inbox"]


class Inbox:
    """The messages of each account, in the order in which they were decrypted."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, owner: str, group_id: bytes, message: bytes, at: int) -> int:
        """Store a message, in the transaction that stores its group's new state. Returns its position."""
        (position,) = await self.add_all(owner, group_id, [message], at)
        return position

    async def add_all(self, owner: str, group_id: bytes, messages: Sequence[bytes], at: int) -> range:
        """Store messages, in order, as `add` does. Returns their positions."""
        if not messages:
            return range(0)
        # The position is part of what the ciphertext is bound to, and none is ever given twice.
        positions = await self._statements.next_numbers("inbox", len(messages))
        places = [_place(owner, group_id, position) for position in positions]
        sealed = await self._statements.seal(*zip(places, messages, strict=True))
        self._statements.write_each(
            "INSERT INTO inbox (position, owner, group_id, message, key_id, at) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (position, owner, group_id, value, key_id, at)
                for position, (key_id, value) in zip(positions, sealed, strict=True)
            ],
        )
        return positions

    async def unread(self, owner: str, limit: int, *, after: int = 0) -> list[tuple[int, bytes, bytes]]:
        """Return the position, group and bytes of up to `limit` messages behind a position, oldest first."""
        rows = await self._statements.rows(
            "SELECT position, group_id, key_id, wrapped, message FROM inbox"
            " JOIN value_keys ON value_keys.id = key_id WHERE owner = ? AND position > ? ORDER BY position LIMIT ?",
            owner,
            after,
            limit,
        )
        return [
            (position, group_id, self._statements.unseal(_place(owner, group_id, position), *sealed))
            for position, group_id, *sealed in rows
        ]

    async def acknowledge(self, owner: str, through: int) -> None:
        """Delete the account's messages up to and including a position: the application has them."""
        self._statements.write("DELETE FROM inbox WHERE owner = ? AND position <= ?", owner, through)


def _place(owner: str, group_id: bytes, position: int) -> Place:
    return ("inbox", "message", owner, group_id, position)

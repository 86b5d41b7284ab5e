"""The sessions' cursors: up to which stored event each consumer has come."""

from __future__ import annotations

from bridge.store.statements import Statements

__all__ = ["Positions"]


class Positions:
    """One position for each consumer, by a name that it chooses."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def get(self, consumer: str) -> int:
        """Return the consumer's position, 0 where it never had one."""
        row = await self._statements.row("SELECT position FROM positions WHERE consumer = ?", consumer)
        return 0 if row is None else int(row[0])

    async def put(self, consumer: str, position: int) -> None:
        """Store the consumer's position: in the transaction that stores what it made of the events."""
        self._statements.write(
            "INSERT INTO positions (consumer, position) VALUES (?, ?)"
            " ON CONFLICT (consumer) DO UPDATE SET position = excluded.position",
            consumer,
            position,
        )

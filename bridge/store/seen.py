"""Which envelopes were dealt with: reflections, replays and relays' copies are known by their identity."""

from __future__ import annotations

from bridge.store.statements import Statements

__all__ = ["Seen"]


class Seen:
    """The identities of envelopes, by room."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, room: str, identity: bytes, at: int) -> bool:
        """Remember an envelope. `True` if it is new."""
        row = await self._statements.row(
            "INSERT INTO seen (room, identity, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1",
            room,
            identity,
            at,
        )
        return row is not None

    async def contains(self, room: str, identity: bytes) -> bool:
        """Whether the envelope was seen."""
        row = await self._statements.row("SELECT 1 FROM seen WHERE room = ? AND identity = ?", room, identity)
        return row is not None

    async def prune(self, before_ms: int) -> None:
        """Forget what was seen before."""
        self._statements.write("DELETE FROM seen WHERE at < ?", before_ms)

"""Which envelopes were dealt with: reflections, replays and relays' copies are known by their identity."""

from __future__ import annotations

from collections.abc import Collection

from bridge.store.statements import Statements, batched

__all__ = ["Seen"]


class Seen:
    """The identities of envelopes, by room."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, room: str, identities: Collection[bytes], at: int) -> set[bytes]:
        """Remember envelopes. Returns those that are new."""
        new: set[bytes] = set()
        for some in batched(identities):
            marks = ", ".join(["(?, ?, ?)"] * len(some))
            rows = await self._statements.rows(
                f"INSERT INTO seen (room, identity, at) VALUES {marks} ON CONFLICT DO NOTHING RETURNING identity",  # noqa: S608 - no input
                *(value for identity in some for value in (room, identity, at)),
            )
            new |= {identity for (identity,) in rows}
        return new

    async def contains(self, room: str, identity: bytes) -> bool:
        """Whether the envelope was seen."""
        row = await self._statements.row("SELECT 1 FROM seen WHERE room = ? AND identity = ?", room, identity)
        return row is not None

    async def prune(self, before_ms: int) -> None:
        """Forget what was seen before."""
        self._statements.write("DELETE FROM seen WHERE at < ?", before_ms)

"""Fragments of envelopes, until they are complete: a bounded amount for each room."""

from __future__ import annotations

from typing import Final

from bridge.store.errors import FragmentError
from bridge.store.statements import Statements

__all__ = ["MAX_PARTS", "ROOM_BUDGET", "Fragments"]

MAX_PARTS: Final = 512
"""Into how many parts an envelope may be cut."""

ROOM_BUDGET: Final = 16 << 20
"""Bytes that the incomplete envelopes of a room may take. Beyond that the oldest one is forgotten."""

_OVERHEAD: Final = 256
"""What a fragment counts beside its bytes: otherwise any number of empty ones would fit."""


class Fragments:
    """The parts of incomplete envelopes, by room, source, and the hash of the whole."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(
        self,
        room: str,
        whole: bytes,
        index: int,
        count: int,
        part: bytes,
        at: int,
        *,
        source: str = "",
        budget: int = ROOM_BUDGET,
    ) -> tuple[bytes, ...] | None:
        """Store part `index` of `count`. Returns all of them in order once they are there, and forgets them.

        `source` is who posted it: fragments of different sources are never mixed, so that nobody can spoil another's
        envelope. Raises `FragmentError`, and changes nothing, where it is beyond the limits or contradicts what came
        before it.
        """
        size = len(part) + _OVERHEAD
        if not (0 < count <= MAX_PARTS and 0 <= index < count):
            raise self._refused(f"part {index} of {count} is beyond the limit of {MAX_PARTS} parts")
        known = await self._statements.row(
            "SELECT id, count, size FROM fragmented WHERE room = ? AND source = ? AND whole = ?", room, source, whole
        )
        if known is not None and known[1] != count:
            raise self._refused(f"an envelope of {known[1]} parts has one that says {count}")
        if size + (0 if known is None else known[2]) > budget:
            raise self._refused(f"an envelope is beyond the limit of {budget} bytes")
        whole_id = await self._begin(room, source, whole, count, at) if known is None else known[0]
        if not await self._put(whole_id, index, part, size):
            return None
        parts = await self._statements.rows(
            "SELECT data FROM fragments WHERE fragmented = ? AND"
            " (SELECT count(*) FROM fragments WHERE fragmented = ?) = ? ORDER BY part",
            whole_id,
            whole_id,
            count,
        )
        if parts:
            self._statements.write("DELETE FROM fragmented WHERE id = ?", whole_id)
            return tuple(data for (data,) in parts)
        await self._evict(room, whole_id, budget)
        return None

    async def prune(self, before_ms: int) -> None:
        """Forget the incomplete envelopes that began before."""
        self._statements.write("DELETE FROM fragmented WHERE at < ?", before_ms)

    async def _begin(self, room: str, source: str, whole: bytes, count: int, at: int) -> int:
        ((whole_id,),) = await self._statements.rows(
            "INSERT INTO fragmented (room, source, whole, count, size, at) VALUES (?, ?, ?, ?, 0, ?) RETURNING id",
            room,
            source,
            whole,
            count,
            at,
        )
        return int(whole_id)

    async def _put(self, whole_id: int, index: int, part: bytes, size: int) -> bool:
        """Store a part. `False` where it is there already."""
        known = await self._statements.row(
            "SELECT data FROM fragments WHERE fragmented = ? AND part = ?", whole_id, index
        )
        if known is not None:
            if known[0] != part:
                raise self._refused(f"part {index} of an envelope came twice, and differs")
            return False
        self._statements.write("INSERT INTO fragments (fragmented, part, data) VALUES (?, ?, ?)", whole_id, index, part)
        self._statements.write("UPDATE fragmented SET size = size + ? WHERE id = ?", size, whole_id)
        return True

    async def _evict(self, room: str, newest: int, budget: int) -> None:
        """Forget the oldest incomplete envelopes until the room's are within its budget; the newest one goes last."""
        rows = await self._statements.rows(
            "SELECT id, size FROM fragmented WHERE room = ? ORDER BY id = ?, id", room, newest
        )
        used = sum(size for _, size in rows)
        for whole_id, size in rows:
            if used <= budget:
                return
            used -= size
            self._statements.write("DELETE FROM fragmented WHERE id = ?", whole_id)

    def _refused(self, what: str) -> FragmentError:
        return FragmentError(what, where=self._statements.where)

"""What happened in rooms, stored as it arrives and before anything is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bridge.store.errors import CorruptStoreError
from bridge.store.event_encoding import BadEventError, decode_event, encode_event, encode_text
from bridge.store.statements import Statements
from transports.room import HistoryLost, RoomEvent

__all__ = ["Events", "StoredEvent"]

_LATEST: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its place in the store: positions grow, with gaps, over all rooms."""

    position: int
    event: RoomEvent


class Events:
    """The events of each account's rooms, in the order in which they came."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def append(self, account: str, events: Sequence[RoomEvent]) -> int:
        """Store what is new of `events`, and return how many that were: what has a known event id is not.

        A `HistoryLost` has no id and is always new.
        """
        streams = {room: await self._stream(account, room) for room in dict.fromkeys(map(_room, events))}
        return await self._statements.many(
            "INSERT INTO events (stream, event_id, at, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [(streams[_room(event)], *_id_and_time(event), encode_event(event)) for event in events],
        )

    async def after(self, account: str, room: str, position: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events of a room that come after a position, in order."""
        rows = await self._statements.rows(
            "SELECT position, body FROM events WHERE stream = (SELECT id FROM streams WHERE account = ? AND room = ?)"
            " AND position > ? AND body IS NOT NULL ORDER BY position LIMIT ?",
            account,
            room,
            position,
            limit,
        )
        return [StoredEvent(found, self._decode(body)) for found, body in rows]

    async def last_position(self, account: str, room: str) -> int:
        """Return the position of a room's last event, forgotten or not; 0 where there never was one."""
        row = await self._statements.row(
            "SELECT last_position FROM streams WHERE account = ? AND room = ?", account, room
        )
        return 0 if row is None else int(row[0])

    async def forget(self, account: str, room: str, through: int) -> None:
        """Drop a room's events up to and including a position. Their ids stay known."""
        chosen = (
            "stream = (SELECT id FROM streams WHERE account = ? AND room = ?) AND position <= ? AND body IS NOT NULL"
        )
        await self._statements.rows(
            f"DELETE FROM events WHERE {chosen} AND event_id IS NULL",  # noqa: S608 - no input
            account,
            room,
            through,
        )
        await self._statements.rows(
            f"UPDATE events SET body = NULL WHERE {chosen}",  # noqa: S608 - no input
            account,
            room,
            through,
        )

    async def prune(self, before_ms: int) -> None:
        """Drop the ids of forgotten events that happened before, by the servers' clocks.

        An event that is told again after that is new again. What was not forgotten stays.
        """
        await self._statements.rows("DELETE FROM events WHERE body IS NULL AND at < ?", before_ms)

    async def _stream(self, account: str, room: str) -> int:
        # The update changes nothing, and makes the statement return the id.
        row = await self._statements.row(
            "INSERT INTO streams (account, room) VALUES (?, ?)"
            " ON CONFLICT (account, room) DO UPDATE SET room = excluded.room RETURNING id",
            account,
            room,
        )
        return 0 if row is None else int(row[0])

    def _decode(self, body: bytes) -> RoomEvent:
        try:
            return decode_event(body)
        except BadEventError:
            raise CorruptStoreError("a stored event is damaged", where=self._statements.where) from None


def _room(event: RoomEvent) -> str:
    return event.room if isinstance(event, HistoryLost) else event.origin.room


def _id_and_time(event: RoomEvent) -> tuple[bytes | None, int]:
    if isinstance(event, HistoryLost):
        return None, 0
    # A server's clock may say anything.
    return encode_text(event.origin.event_id), min(max(event.origin.at, 0), _LATEST)

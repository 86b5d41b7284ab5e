"""What happened in rooms, stored as it arrives and before anything is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from bridge.store.errors import CorruptStoreError
from bridge.store.event_encoding import BadEventError, decode_event, encode_event, encode_text
from bridge.store.statements import Statements
from transports.room import HistoryLost, RoomEnded, RoomEvent

__all__ = ["EventPage", "Events", "StoredEvent"]

_LATEST: Final = (1 << 63) - 1

_LAST: Final = "(SELECT last_position FROM streams WHERE id = stream)"
"""The position of the last event of an event's stream."""

_MAX_BYTES: Final = 8 << 20
"""Of events that are read at once."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its place in the store: positions grow, with gaps, over all rooms."""

    position: int
    event: RoomEvent


class EventPage(NamedTuple):
    """Some events of a room, in order."""

    events: list[StoredEvent]
    is_last: bool
    """Whether there are no more behind these."""


class Events:
    """The events of each account's rooms, in the order in which they came."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def append(self, account: str, events: Sequence[RoomEvent]) -> None:
        """Store what is new of `events`: what has a known event id is not. Who has none, as `HistoryLost`, is new."""
        for room in dict.fromkeys(map(_room, events)):
            self._statements.write(
                "INSERT INTO streams (account, room) VALUES (?, ?) ON CONFLICT DO NOTHING", account, room
            )
        self._statements.write_each(
            "INSERT INTO events (stream, event_id, at, body)"
            " VALUES ((SELECT id FROM streams WHERE account = ? AND room = ?), ?, ?, ?) ON CONFLICT DO NOTHING",
            [(account, _room(event), *_id_and_time(event), encode_event(event)) for event in events],
        )

    async def after(
        self, account: str, room: str, position: int, limit: int, *, max_bytes: int = _MAX_BYTES
    ) -> EventPage:
        """Return events of a room that come after a position, in order.

        At most `limit` of them, and so many that they have `max_bytes` in all; but one always, if there is.
        """
        chosen = "stream = (SELECT id FROM streams WHERE account = ? AND room = ?) AND position > ?"
        rows = await self._statements.rows(
            f"SELECT position, body, {_LAST} FROM events WHERE {chosen} AND body IS NOT NULL AND position <= ("  # noqa: S608 - no input
            "SELECT max(position) FROM ("
            "SELECT position, sum(size) OVER (ORDER BY position) AS total,"
            " row_number() OVER (ORDER BY position) AS number FROM ("
            f"SELECT position, length(body) AS size FROM events WHERE {chosen} AND body IS NOT NULL"
            " ORDER BY position LIMIT ?)) WHERE total <= ? OR number = 1) ORDER BY position",
            *(account, room, position),
            *(account, room, position),
            limit,
            max_bytes,
        )
        is_last = not rows or rows[-1][0] >= rows[-1][2]
        return EventPage([StoredEvent(found, self._decode(body)) for found, body, _ in rows], is_last)

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
        self._statements.write(
            f"DELETE FROM events WHERE {chosen} AND event_id IS NULL",  # noqa: S608 - no input
            account,
            room,
            through,
        )
        self._statements.write(
            f"UPDATE events SET body = NULL WHERE {chosen}",  # noqa: S608 - no input
            account,
            room,
            through,
        )

    async def prune(self, before_ms: int) -> None:
        """Drop the ids of forgotten events that happened before, by the servers' clocks.

        An event that is told again after that is new again. What was not forgotten stays.
        """
        self._statements.write("DELETE FROM events WHERE body IS NULL AND at < ?", before_ms)

    def _decode(self, body: bytes) -> RoomEvent:
        try:
            return decode_event(body)
        except BadEventError:
            raise CorruptStoreError("a stored event is damaged", where=self._statements.where) from None


def _room(event: RoomEvent) -> str:
    return event.room if isinstance(event, HistoryLost | RoomEnded) else event.origin.room


def _id_and_time(event: RoomEvent) -> tuple[bytes | None, int]:
    if isinstance(event, HistoryLost | RoomEnded):
        return None, 0
    # A server's clock may say anything.
    return encode_text(event.origin.event_id), min(max(event.origin.at, 0), _LATEST)

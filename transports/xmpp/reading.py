"""From rooms to batches: first what their archives hold, then what they told since. Pulled by who asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import structlog

from transports.errors import TransportError
from transports.room import Account, HistoryLost, RoomEvent
from transports.xmpp.archive import CatchUp
from transports.xmpp.connection import Connection
from transports.xmpp.cursor import Cursor, Place
from transports.xmpp.errors import StanzaRefusedError, refusal
from transports.xmpp.events import hear_archived
from transports.xmpp.muc import Room
from transports.xmpp.telling import changes_since, tell

__all__ = ["Reader"]

_MOST_EVENTS: Final = 1_000

_LOG = structlog.get_logger(__name__)


class Reader:
    """One iteration over what happens in an account's rooms."""

    def __init__(
        self, cursor: bytes | None, rooms: Mapping[str, Room], *, own: Account, now: Callable[[], int]
    ) -> None:
        """Raises `PermanentError` for a cursor that is none."""
        self.cursor = Cursor.from_bytes(cursor)
        self._rooms = rooms
        self._own = own
        self._now = now
        self._catch_ups: dict[str, CatchUp] = {}
        self._turn = 0
        for room in rooms.values():
            # What an iteration before this one took out of the feed may never have been stored.
            room.is_behind = True

    @property
    def is_live(self) -> bool:
        """Whether everything that can be told is told. Rooms that do not let us in do not count."""
        return not any(room.has_news for room in self._rooms.values())

    async def read(self, connection: Connection | None) -> list[RoomEvent] | None:
        """The next events, up to a thousand; `None` if there is nothing to be had at the moment."""
        rooms = list(self._rooms.values())
        self._turn += 1
        for index in range(len(rooms)):
            room = rooms[(index + self._turn) % len(rooms)]
            try:
                events = await self._read_room(room, connection)
            except TransportError as error:
                # Whoever keeps us in the room enters it again, after a pause, and then the reading goes on.
                _LOG.info("catching up is put off", error=type(error).__name__)
                reason = refusal(error) if isinstance(error, StanzaRefusedError) else error
                if connection is not None:
                    room.exit(connection, reason)
            else:
                if events:
                    return events
        return None

    async def _read_room(self, room: Room, connection: Connection | None) -> list[RoomEvent]:
        place = self._place(room)
        if room.feed.has_overflown:
            room.feed.has_overflown = False
            room.is_behind, room.wants_members = True, True
            room.has_gap = room.has_gap or not room.setup.has_archive
        while connection is not None and room.is_inside and (room.is_behind or room.wants_members):
            if not room.is_behind:
                await self._read_members(room, place, connection)
            elif events := await self._catch_up(room, place, connection):
                return events
        if room.is_behind and not room.is_gone:
            return []
        items, room.is_behind = room.feed.take(_MOST_EVENTS)
        events = tell(items, address=room.address, place=place, now=self._now)
        if room.is_behind and not events:
            return await self._read_room(room, connection)
        return events

    async def _catch_up(self, room: Room, place: Place, connection: Connection) -> list[RoomEvent]:
        if not room.setup.has_archive:
            room.is_behind, room.wants_members = False, True
            has_gap, room.has_gap = room.has_gap, False
            return [HistoryLost(room.address, "the room keeps no archive")] if has_gap else []
        if room.jid not in self._catch_ups:
            self._catch_ups[room.jid] = CatchUp(room.jid, last=place.last, since=place.since)
        losses = room.losses
        step = await self._catch_ups[room.jid].step(connection)
        heard = [
            hear_archived(each, room=room.jid, address=room.address, own=self._own, is_open=room.setup.is_open)
            for each in step.messages
        ]
        room.feed.drop([each.archive_id for each in step.messages])
        events: list[RoomEvent] = [] if step.lost is None else [HistoryLost(room.address, step.lost)]
        events += tell(heard, address=room.address, place=place, now=self._now)
        if step.is_done:
            del self._catch_ups[room.jid]
            room.wants_members = True
            # Who was put out while the last page was on its way has missed what came after it.
            room.is_behind = room.losses != losses
        return events

    async def _read_members(self, room: Room, place: Place, connection: Connection) -> None:
        members = await room.affiliations(connection)
        room.wants_members = False
        room.feed.put_first(changes_since(place, {who: affiliation for who, (affiliation, _) in members.items()}))

    def _place(self, room: Room) -> Place:
        known = self.cursor.places.get(room.address)
        if known is None:
            known = self.cursor.places[room.address] = Place(since=room.history_since)
        elif not room.was_read:
            # The room was told of before this process began, and it has no archive of the time between.
            room.has_gap = room.has_gap or not room.setup.has_archive
        room.was_read = True
        return known

"""From one answer of `/sync` to batches: gaps closed, nothing told twice, the cursor moved with each step."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from transports.errors import PermanentError
from transports.matrix.adapter import Homeserver
from transports.matrix.cursor import Cursor, Place, digest_of
from transports.matrix.events import Entry, read_event
from transports.matrix.sync import PAGE_EVENTS, SyncAnswer, Timeline, message_filter, read_page
from transports.matrix.timeline import LOOK_RUN, LOOKS, EntryPage, Gap, close_gap
from transports.matrix.uris import room_uri
from transports.room import Batch, HistoryLost, RoomEvent

__all__ = ["Reader", "Step", "is_behind"]

_MAX_EVENTS: Final = 1000
_MAX_BYTES: Final = 4 * 1024 * 1024

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """A batch, and the cursor in it as a value."""

    batch: Batch
    cursor: Cursor


def is_behind(place: Place | None) -> bool:
    """Whether there is more to tell of a room than the next sync alone will: the history, or what was missed."""
    return place is None or not place.is_whole or place.told_until is not None


class Reader:
    """Tells what the rooms of one account hold."""

    def __init__(self, server: Homeserver, user_id: str) -> None:
        self._server = server
        self._user_id = user_id

    async def steps(
        self, cursor: Cursor, answer: SyncAnswer, floors: Mapping[str, int], *, looks_again: bool
    ) -> AsyncGenerator[Step, None]:
        """Yield all that the answer brings of these rooms; the last step stands behind the answer, and is live.

        `floors` says of each room since when its history is told. `looks_again`: it is time to look once more for what
        the server may have fetched from others, where a gap was closed. Raises `TransportError`; a new round, from the
        cursor of the step that came last, then goes on where this one ended.
        """
        telling = _Telling(cursor)
        for room_id, floor in floors.items():
            telling.enter(room_id, cursor.places.get(room_id) or Place(floor))
            gap, entries = self._plan(room_id, telling.place, answer, cursor.since)
            if gap is not None:
                async for step in self._close(room_id, gap, telling):
                    yield step
                telling.place = replace(telling.place, is_whole=True, looks_left=LOOKS)
            elif looks_again and telling.place.looks_left:
                async for step in self._look_again(room_id, answer.next_batch, entries, telling):
                    yield step
            for step in telling.tell(entries):
                yield step
            telling.leave()
        telling.cursor = telling.cursor.advanced(answer.next_batch, floors)
        yield telling.step(is_live=True)

    def _plan(
        self, room_id: str, place: Place, answer: SyncAnswer, since: str | None
    ) -> tuple[Gap | None, Sequence[Entry]]:
        """Return what to read back of a room, and what to tell after that from the answer itself."""
        timeline = answer.timelines.get(room_id, Timeline((), is_limited=False, prev_batch=None))
        entries = self._read(room_id, timeline.events)
        if since is None or is_behind(place) or (timeline.is_limited and timeline.prev_batch is None):
            # The timeline itself lies behind this token, so it is read back as well.
            return Gap(answer.next_batch, place.told_until, place), ()
        if timeline.is_limited and timeline.prev_batch is not None:
            at_hand = frozenset(entry.event_id for entry in entries)
            return Gap(timeline.prev_batch, since, place, at_hand), entries
        return None, entries

    async def _look_again(
        self, room_id: str, start: str, at_hand: Sequence[Entry], telling: _Telling
    ) -> AsyncIterator[Step]:
        left = telling.place.looks_left - 1
        before = telling.told
        gap = Gap(start, None, telling.place, frozenset(entry.event_id for entry in at_hand), LOOK_RUN)
        async for step in self._close(room_id, gap, telling):
            yield step
        telling.place = replace(telling.place, looks_left=left if telling.told == before else LOOKS)

    async def _close(self, room_id: str, gap: Gap, telling: _Telling) -> AsyncIterator[Step]:
        address = room_uri(room_id)

        async def fetch(start: str, until: str | None) -> EntryPage:
            query = {"dir": "b", "from": start, "limit": str(PAGE_EVENTS), "filter": message_filter()}
            if until is not None:
                query["to"] = until
            answer = await self._server.get("rooms", room_id, "messages", query=query, where=address)
            page = read_page(answer)
            return EntryPage(self._read(room_id, page.events), page.end)

        before = telling.told
        try:
            async for stretch in close_gap(gap, fetch):
                telling.place = telling.place.standing_on(stretch.footing)
                if stretch.is_torn:
                    telling.add(HistoryLost(address, "the server shows no older events"))
                for step in telling.tell(stretch.entries):
                    yield step
        except PermanentError as error:
            telling.add(HistoryLost(address, error.what))
        log.info("matrix.gap", server=self._server.name, events=telling.told - before)

    def _read(self, room_id: str, events: Sequence[object]) -> tuple[Entry, ...]:
        address = room_uri(room_id)
        entries = (read_event(event, address, self._user_id) for event in events)
        return tuple(entry for entry in entries if entry is not None)


@dataclass(slots=True)
class _Telling:
    """What was told since the last step, and the cursor that stands behind it."""

    cursor: Cursor
    place: Place = field(default_factory=lambda: Place(0))
    told: int = 0
    """How many events were told in all."""
    _room_id: str = ""
    _told: list[str] = field(default_factory=list)
    """Ids that the room's place does not hold yet."""
    _events: list[RoomEvent] = field(default_factory=list)
    _size: int = 0

    def enter(self, room_id: str, place: Place) -> None:
        """Tell of another room now."""
        self._room_id = room_id
        self.place = place

    def leave(self) -> None:
        """End with this room."""
        self.place = self.place.knowing(self._told)
        self._told.clear()
        self.cursor = self.cursor.with_place(self._room_id, self.place)

    def add(self, event: RoomEvent) -> None:
        """Tell something that no event of the room says."""
        self._events.append(event)

    def tell(self, entries: Sequence[Entry]) -> Iterator[Step]:
        """Tell these, oldest first, except what was told before; yields a step for each batch that is full."""
        known = set(self.place.known)
        for entry in entries:
            digest = digest_of(entry.event_id)
            if digest in known:
                continue
            known.add(digest)
            self._told.append(entry.event_id)
            self.told += 1
            if entry.event is not None:
                self._events.append(entry.event)
                self._size += entry.size
            if len(self._events) >= _MAX_EVENTS or self._size >= _MAX_BYTES:
                self.leave()
                yield self.step(is_live=False)

    def step(self, *, is_live: bool) -> Step:
        """Return what was told since the last step."""
        batch = Batch(tuple(self._events), self.cursor.encode(), is_live)
        self._events.clear()
        self._size = 0
        return Step(batch, self.cursor)

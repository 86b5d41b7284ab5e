"""A room as one server knows it: events in the order of their arrival there, and how an account reads on in them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace

from transports.memory.rules import RoomRules
from transports.room import EnvelopeSeen, HistoryLost, RoomAddress, RoomEnded, RoomEvent

__all__ = ["Position", "Posted", "Record", "Timeline"]


@dataclass(frozen=True, slots=True)
class Posted:
    """An event as every server of the room has it."""

    event: RoomEvent
    posted: int
    """When, by the clock of the server where it was posted."""
    depth: int
    """One more than the deepest event which that server knew then: what a Matrix archive sorts by."""


@dataclass(frozen=True, slots=True)
class Record:
    """An event in one server's timeline."""

    posted: Posted
    arrived: int


@dataclass(frozen=True, slots=True)
class Position:
    """How far an account has read: everything before `start`, and of the window after it the first `told`.

    A window is a stretch of the archive, `start` to `end`, told in the archive's order. It stays fixed until all of it
    is told, so that a cursor in its middle means the same later. Without one, `start` equals `end`.
    """

    start: int
    end: int
    told: int
    entered: int
    """Of what was there before the account, only envelopes are told."""

    @classmethod
    def at(cls, index: int, entered: int = 0) -> Position:
        """Return the position before the event with that index."""
        return cls(index, index, 0, entered)


class Timeline:
    """One server's view of one room."""

    def __init__(self, room: RoomAddress, rules: RoomRules, now: Callable[[], int]) -> None:
        self._room = room
        self._rules = rules
        self._now = now
        self._records: list[Record] = []
        self._redacted: set[str] = set()
        self._trimmed = 0
        self.depth = 0

    def __len__(self) -> int:
        return len(self._records)

    @property
    def events(self) -> tuple[RoomEvent, ...]:
        """All events, in the order of their arrival."""
        return tuple(record.posted.event for record in self._records)

    def append(self, posted: Posted) -> None:
        """Take in an event that has just arrived."""
        self.depth = max(self.depth, posted.depth)
        self._records.append(Record(posted, self._now()))

    def find(self, event_id: str) -> Posted | None:
        """Return an event that is here, by its id."""
        return next((record.posted for record in self._records if _id_of(record.posted) == event_id), None)

    def redact(self, event_id: str) -> None:
        """Tell an event no more."""
        self._redacted.add(event_id)

    def trim(self, keep: int) -> None:
        """Let the archive begin with the newest `keep` events of now."""
        self._trimmed = max(self._trimmed, len(self._records) - keep)

    def since(self, posted: int) -> int:
        """Return the index of the first archived event that was posted at that time or later."""
        first = self._first_archived()
        later = (index for index in range(first, len(self)) if self._records[index].posted.posted >= posted)
        return next(later, len(self))

    def read(
        self, position: Position, *, until: int, live_since: int, limit: int
    ) -> tuple[tuple[RoomEvent, ...], Position]:
        """Return the next events, at most `limit`, and the position behind them.

        `live_since` is where the account's connection began: what came after it was pushed to the account, and does not
        depend on the archive.
        """
        kept = min(self._first_archived(), live_since)
        lost: tuple[RoomEvent, ...] = ()
        if position.end > len(self._records):
            position = Position.at(0)
            lost = (HistoryLost(self._room, "the server does not know the place where reading stopped"),)
        if position.start == position.end:
            if position.end < kept:
                position = Position.at(kept, position.entered)
                lost = lost or (HistoryLost(self._room, "the server's archive begins later"),)
            position = self._next_window(position, until)
        taken = self._order(position)[position.told : position.told + limit]
        readable = tuple(self._records[index].posted.event for index in taken if self._is_told(index, position, kept))
        if not lost and any(index < kept for index in taken):
            lost = (HistoryLost(self._room, "the server's archive begins later"),)
        told = position.told + len(taken)
        if told == position.end - position.start:
            return lost + readable, Position.at(position.end, position.entered)
        return lost + readable, replace(position, told=told)

    def _first_archived(self) -> int:
        first = self._trimmed
        if self._rules.archive_events is not None:
            first = max(first, len(self) - self._rules.archive_events)
        if self._rules.archive_milliseconds is not None:
            oldest = self._now() - self._rules.archive_milliseconds
            first = max(first, bisect_left(self._records, oldest, key=lambda record: record.arrived))
        return first

    def _next_window(self, position: Position, until: int) -> Position:
        return replace(position, end=max(position.end, until))

    def _order(self, position: Position) -> list[int]:
        indexes = list(range(position.start, position.end))
        if len(indexes) > self._rules.gap_events:
            indexes.sort(key=lambda index: self._records[index].posted.depth)
        return indexes

    def _is_told(self, index: int, position: Position, kept: int) -> bool:
        if index < kept or (self._redacted and _id_of(self._records[index].posted) in self._redacted):
            return False
        return index >= position.entered or isinstance(self._records[index].posted.event, EnvelopeSeen)


def _id_of(posted: Posted) -> str:
    return "" if isinstance(posted.event, HistoryLost | RoomEnded) else posted.event.origin.event_id

"""Closing a gap: what `/sync` left out of a room, read back by `/messages` and told oldest first.

The server has two orders. `/sync` tells events as they arrive; `/messages` walks the room's graph by depth. Where two
homeservers were apart, what arrives late lies among or below events that were told long ago, and what the server
fetches from others afterwards (backfill) never appears in `/sync` at all. So one rule is not enough:

1. Walk back from where the timeline begins until a run of `RUN` events that were all told before: past it lies only
   what is known, or what branched off long ago. A single known event proves nothing, for branches interleave.
   This walk also finds what was backfilled. It ends too where the room began, where the server shows no more, and once
   all that the place remembers was seen: what is older cannot be told from what is new.
2. Below the run, ask again for what *arrived* since the last sync, whatever its depth: `/messages` with `to` set to
   the old sync token. Mostly that is nothing, and one request.

Backfill takes its time, and where one branch covers the depths of another the server does not even wait for it: a walk
can end in a run of known events while half of the other branch is still to come. So whoever closes a gap looks again a
little later, from the newest event and past longer runs (`LOOK_RUN`), until `LOOKS` looks in a row have found nothing.
What they find is told late.

A page that is shorter than asked for is not the end: only a page without an `end` is, and `m.room.create`.

Memory: a walk of any length keeps the tokens of all its pages, and the events of as many as fit into `_BUDGET`, the
oldest ones, for they are told first. The others are fetched a second time when their turn comes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from transports.matrix.cursor import Place, digest_of
from transports.matrix.events import Entry

__all__ = ["LOOKS", "LOOK_RUN", "RUN", "EntryPage", "Fetch", "Gap", "Stretch", "close_gap"]

RUN: Final = 10
"""So many events in a row that were told before end a walk."""

LOOK_RUN: Final = 100
"""The same for a later look: longer, for it starts among the newest events, which were just told."""

LOOKS: Final = 2
"""So many looks without a find end the search for what is backfilled."""

_BUDGET: Final = 8 * 1024 * 1024
_MAX_PAGES: Final = 20_000
"""Two million events. A server that never comes to an end is not followed any further."""

_MAX_SHIFT: Final = 10
"""How many pages are read to find the end of one that is fetched again."""

_CLOCK_MARGIN: Final = 24 * 60 * 60 * 1000
"""How wrong a sender's clock may be, in milliseconds, before its late events pass for older than was asked for."""


@dataclass(frozen=True, slots=True)
class EntryPage:
    """A page of a room's history, newest first. `end` is where the next one starts, `None` behind the last."""

    entries: tuple[Entry, ...]
    end: str | None


Fetch: TypeAlias = Callable[[str, str | None], Awaitable[EntryPage]]
"""Fetches the page that starts at the first token, and, if there is a second, holds only what arrived after it."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What is to be told of a room, beside what `/sync` has told."""

    start: str
    """Read back from here."""
    since: str | None
    """The sync token up to which the room is told, if there is one."""
    place: Place
    timeline: frozenset[str] = frozenset()
    """Ids of events that are at hand, to be told after the gap."""
    run: int = RUN


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some of the gap's events, oldest first."""

    entries: tuple[Entry, ...]
    footing: tuple[str, ...] = ()
    """Ids of older events, for the room's place to stand on: not to be told, but to be known from now on."""
    is_torn: bool = False
    """History is missing before these events: the server shows nothing older, and we had not come to an end."""


async def close_gap(gap: Gap, fetch: Fetch) -> AsyncIterator[Stretch]:
    """Yield what lies in the gap, oldest first, each event once. Raises what `fetch` raises."""
    walk = _Walk(gap, fetch)
    end = await walk.back(gap.start)
    late = _Walk(gap, fetch, until=gap.since, above=walk.last_page_ids())
    if end is _End.RUN and gap.since is not None:
        await late.back(walk.last_start())
    yield Stretch((), tuple(walk.footing), is_torn=end is _End.TORN)
    for part in (late, walk):
        while part.pages:
            yield Stretch(await part.take_oldest())


class _End(Enum):
    RUN = "a run of events that were told"
    BEGINNING = "the room's creation"
    TORN = "no more to be had"


@dataclass(slots=True)
class _Kept:
    start: str
    entries: tuple[Entry, ...]
    """What is to be told of the page, newest first."""
    size: int
    oldest: str | None = None
    """Set when the entries were dropped, to be fetched again: the id of the last of them."""


@dataclass(slots=True)
class _Walk:
    gap: Gap
    fetch: Fetch
    until: str | None = None
    above: frozenset[str] = frozenset()
    """Ids that the walk before this one tells."""
    pages: list[_Kept] = field(default_factory=list)
    """As walked: the newest page first."""
    footing: list[str] = field(default_factory=list)
    """Events of the last run that the place does not know, oldest first."""
    _run: list[str] = field(default_factory=list)
    _size: int = 0
    _dropped: int = 0
    _known: frozenset[bytes] = frozenset()
    _unseen: set[bytes] = field(default_factory=set)
    """Of what is known, what the walk has not come upon."""
    _floor: int = 0

    def __post_init__(self) -> None:
        place = self.gap.place
        self._known = frozenset(place.known)
        self._unseen = set(place.known)
        self._floor = place.floor - _CLOCK_MARGIN if place.is_whole else place.floor

    async def back(self, start: str | None) -> _End:
        """Walk back to the end, keeping what there is to tell."""
        end: _End | None = None
        while end is None and start is not None and len(self.pages) < _MAX_PAGES:
            page = await self.fetch(start, self.until)
            entries, end = self._untold(page.entries)
            self._keep(_Kept(start, entries, sum(entry.size for entry in entries)))
            start = page.end if page.end != start else None
        if end is _End.RUN:
            self.footing = [event_id for event_id in reversed(self._run) if digest_of(event_id) not in self._known]
        return end or _End.TORN

    async def take_oldest(self) -> tuple[Entry, ...]:
        """Remove the oldest page, and return what is to be told of it, oldest first."""
        kept = self.pages.pop()
        self._dropped = min(self._dropped, len(self.pages))
        entries = kept.entries if kept.oldest is None else await self._fetched_again(kept.start, kept.oldest)
        return entries[::-1]

    def last_start(self) -> str | None:
        """Return where the last page of the walk starts."""
        return self.pages[-1].start if self.pages else None

    def last_page_ids(self) -> frozenset[str]:
        """Return the ids of what is told of the last page."""
        return frozenset(entry.event_id for entry in self.pages[-1].entries) if self.pages else frozenset()

    async def _fetched_again(self, start: str, oldest: str) -> tuple[Entry, ...]:
        """Return what is to be told from a token down to an event: more than before, if the server found more."""
        entries: list[Entry] = []
        token: str | None = start
        for _ in range(_MAX_SHIFT):
            if token is None:
                break
            page = await self.fetch(token, self.until)
            token = page.end
            for entry in page.entries:
                if not (self._is_told(entry) or self._is_elsewhere(entry)):
                    entries.append(entry)
                if entry.event_id == oldest:
                    return tuple(entries)
        return tuple(entries)

    def _untold(self, entries: tuple[Entry, ...]) -> tuple[tuple[Entry, ...], _End | None]:
        untold: list[Entry] = []
        for entry in entries:
            if entry.begins_history:
                return tuple(untold), _End.BEGINNING
            if self._is_elsewhere(entry):
                continue
            if not self._is_told(entry):
                untold.append(entry)
                self._run.clear()
                continue
            self._run.append(entry.event_id)
            self._unseen.discard(digest_of(entry.event_id))
            if len(self._run) == self.gap.run or (self._known and not self._unseen):
                return tuple(untold), _End.RUN
        return tuple(untold), None

    def _is_told(self, entry: Entry) -> bool:
        return entry.at < self._floor or digest_of(entry.event_id) in self._known

    def _is_elsewhere(self, entry: Entry) -> bool:
        return entry.event_id in self.gap.timeline or entry.event_id in self.above

    def _keep(self, kept: _Kept) -> None:
        self.pages.append(kept)
        self._size += kept.size
        while self._size > _BUDGET and self._dropped < len(self.pages) - 1:
            newest = self.pages[self._dropped]
            if newest.entries:
                newest.oldest = newest.entries[-1].event_id
            self._size -= newest.size
            newest.entries = ()
            self._dropped += 1

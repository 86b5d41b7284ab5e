"""Gaps: against a model of a server with two orders, cut short at any point and taken up again."""

import asyncio
from dataclasses import dataclass, field, replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.matrix import timeline
from transports.matrix.cursor import Place
from transports.matrix.events import Entry
from transports.matrix.timeline import RUN, EntryPage, Gap, close_gap
from transports.room import Origin, PlaintextSeen, RoomAddress

ROOM = RoomAddress("matrix:roomid/tea")


@dataclass
class Homeserver:
    """A room's events by depth, each with the position at which it arrived: what `/messages` walks over."""

    page_events: int = 7
    graph: list[tuple[Fraction, str, int]] = field(default_factory=list)
    """By depth: the depth, the id, and its place in the stream; below 0 for what was backfilled."""
    created: bool = True
    position: int = 0
    requests: int = 0
    body: str = ""

    def arrive(self, name: str, *, below: int = 0, is_backfilled: bool = False) -> None:
        """Put an event into the graph, below so many others."""
        self.position += 1
        at = max(len(self.graph) - below, 0)
        under = self.graph[at - 1][0] if at > 0 else Fraction(0)
        depth = (under + self.graph[at][0]) / 2 if at < len(self.graph) else under + 1
        self.graph.insert(at, (depth, name, -self.position if is_backfilled else self.position))

    async def fetch(self, start: str, until: str | None) -> EntryPage:
        self.requests += 1
        end = Fraction(start[1:])
        since = None if until is None else int(until[1:])
        reach = [
            (depth, name, index)
            for index, (depth, name, position) in enumerate(self.graph)
            if (position <= end if start[0] == "s" else depth < end) and (since is None or position > since)
        ]
        page = reach[::-1][: self.page_events]
        if not page:
            creation = Entry("$create", 0, None, begins_history=True)
            return EntryPage((creation,) if self.created and until is None else (), None)
        return EntryPage(tuple(self.entry(name, index) for _, name, index in page), f"t{page[-1][0]}")

    def entry(self, name: str, at: int) -> Entry:
        return Entry(name, at, PlaintextSeen(Origin(ROOM, name, None, at), self.body), begins_history=False)


async def told(gap: Gap, server: Homeserver, *, stretches: int | None = None) -> tuple[list[str], Place, bool]:
    """Read what the gap holds, up to so many stretches of it, and return the place that then is stored."""
    names: list[str] = []
    place, is_torn = gap.place, False
    async for stretch in close_gap(gap, server.fetch):
        if stretches is not None and stretches <= 0:
            break
        stretches = None if stretches is None else stretches - 1
        here = [entry.event_id for entry in stretch.entries]
        place = place.standing_on(stretch.footing).knowing(here)
        is_torn |= stretch.is_torn
        names += here
    return names, place, is_torn


WHOLE = Place(floor=0, is_whole=True)


@given(st.integers(0, 60), st.integers(0, 80), st.integers(1, 20))
def test_a_gap_is_told_oldest_first(before: int, missed: int, page_events: int) -> None:
    server = Homeserver(page_events)
    for number in range(before):
        server.arrive(f"old {number}")
    since = f"s{server.position}"
    for number in range(missed):
        server.arrive(f"new {number}")
    place = WHOLE.knowing(f"old {number}" for number in range(before))
    names, _, is_torn = asyncio.run(told(Gap(f"s{server.position}", since, place), server))
    assert names == [f"new {number}" for number in range(missed)]
    assert not is_torn


@given(st.data())
def test_events_that_arrive_late_among_old_ones_are_told_once_even_after_crashes(data: st.DataObject) -> None:
    server = Homeserver(data.draw(st.integers(3, 12), "page"))
    history = data.draw(st.lists(st.integers(0, 15), max_size=60), "depths of the history")
    for number, below in enumerate(history):
        server.arrive(f"old {number}", below=below)
    since = f"s{server.position}"
    place = WHOLE.knowing(f"old {number}" for number in range(len(history)))
    late = data.draw(st.lists(st.integers(0, 80), min_size=1, max_size=60), "depths of what arrives late")
    for number, below in enumerate(late):
        server.arrive(f"new {number}", below=below)
    seen: list[str] = []
    for crash_after in data.draw(st.lists(st.integers(0, 8), max_size=4), "crashes"):
        names, place, _ = asyncio.run(
            told(Gap(f"s{server.position}", since, place), server, stretches=crash_after),
        )
        seen += names
    names, _, _ = asyncio.run(told(Gap(f"s{server.position}", since, place), server))
    seen += names
    assert sorted(seen) == sorted(f"new {number}" for number in range(len(late)))


@given(st.integers(0, 40), st.integers(1, 40), st.integers(3, 12))
def test_what_was_backfilled_beside_an_own_branch_is_told(own: int, backfilled: int, page_events: int) -> None:
    # While the two servers were apart, ours told our own branch. Of the other's, the older part comes by backfill,
    # which no sync tells; the branches interleave by depth.
    server = Homeserver(page_events)
    for number in range(20):
        server.arrive(f"shared {number}")
    for number in range(own):
        server.arrive(f"own {number}")
    since = f"s{server.position}"
    place = WHOLE.knowing(name for _, name, _ in server.graph)
    for number in range(backfilled):
        server.arrive(f"theirs {number}", below=max(own - number, 0), is_backfilled=number < backfilled - 1)
    names, _, _ = asyncio.run(told(Gap(f"s{server.position}", since, place), server))
    reachable = {f"theirs {number}" for number in range(backfilled) if number + RUN > own or own == 0}
    assert reachable <= set(names)
    assert len(names) == len(set(names))


@given(st.integers(0, 60), st.integers(0, 60))
def test_history_is_told_from_where_it_was_asked_for(floor: int, crash_after: int) -> None:
    server = Homeserver()
    for number in range(60):
        server.arrive(f"event {number}")
    place = Place(floor)
    first, place, _ = asyncio.run(told(Gap("s60", None, place), server, stretches=crash_after))
    rest, place, is_torn = asyncio.run(told(Gap("s60", None, place), server))
    assert first + rest == [f"event {number}" for number in range(floor, 60)]
    assert not is_torn
    # And what comes after is found again, although nothing but the footing may be known.
    server.arrive("new")
    place = replace(place, is_whole=True)
    names, _, _ = asyncio.run(told(Gap("s61", "s60", place), server))
    assert names == ["new"]


def test_a_server_that_shows_no_more_is_not_taken_for_the_beginning() -> None:
    server = Homeserver(created=False)
    for number in range(20):
        server.arrive(f"event {number}")
    names, _, is_torn = asyncio.run(told(Gap("s20", "s5", WHOLE.knowing(["$purged"])), server))
    assert names == [f"event {number}" for number in range(20)]
    assert is_torn


def test_a_server_that_ignores_the_lower_end_costs_one_request_more() -> None:
    server = Homeserver(page_events=10)
    for number in range(300):
        server.arrive(f"event {number}")
    place = WHOLE.knowing(f"event {number}" for number in range(298))

    async def deaf(start: str, until: str | None) -> EntryPage:  # noqa: ARG001 - that is what it is deaf to
        return await server.fetch(start, None)

    async def read() -> list[str]:
        gap = Gap("s300", "s298", place)
        return [entry.event_id async for stretch in close_gap(gap, deaf) for entry in stretch.entries]

    assert asyncio.run(read()) == ["event 298", "event 299"]
    assert server.requests == 3


def test_a_server_that_never_ends_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "_MAX_PAGES", 50)
    pages = 0

    async def endless(start: str, until: str | None) -> EntryPage:  # noqa: ARG001 - the same for all
        nonlocal pages
        pages += 1
        return EntryPage((), f"t{pages}")

    async def read(fetch: timeline.Fetch) -> bool:
        return any([stretch.is_torn async for stretch in close_gap(Gap("s0", None, WHOLE), fetch)])

    async def circling(start: str, until: str | None) -> EntryPage:  # noqa: ARG001 - the same for all
        return EntryPage((), start)

    assert asyncio.run(read(endless))
    assert pages == 50
    assert asyncio.run(read(circling))


def test_a_gap_larger_than_the_memory_for_it_is_fetched_again_in_order() -> None:
    server = Homeserver(page_events=20, body="x" * 60_000)
    for number in range(600):
        server.arrive(f"event {number}")

    async def read() -> list[str]:
        names: list[str] = []
        async for stretch in close_gap(Gap("s600", None, Place(0)), server.fetch):
            names += [entry.event_id for entry in stretch.entries]
            if len(names) == 300:
                server.arrive("late", below=290, is_backfilled=True)  # the pages that are fetched again shift
        return names

    names = asyncio.run(read())
    assert [name for name in names if name != "late"] == [f"event {number}" for number in range(600)]
    assert 31 < server.requests < 62

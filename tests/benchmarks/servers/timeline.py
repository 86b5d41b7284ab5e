"""From what programs have seen of messages to the stages of their way: pure."""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from tests.benchmarks.measuring import Spread
from tests.benchmarks.servers.watching import Mark, Span

__all__ = ["Journey", "Party", "Stage", "Tour", "Witness", "Work", "journey_of"]


class Party(StrEnum):
    """Whose time it is."""

    SENDER = "sender"
    BRIDGE = "bridge"
    RECEIVER = "receiver"
    SERVER = "server"
    """A server's, with the client libraries at both ends of its connections."""


@dataclass(frozen=True)
class Stage:
    """A part of the way. Milliseconds."""

    party: Party
    name: str
    took: Spread
    in_database: float
    """The median of what went by in transactions of that party's database."""


@dataclass(frozen=True)
class Work:
    """What a message costs somebody's database: medians."""

    party: Party
    transactions: float
    """In all: also what follows once the message has gone on."""
    rounds: float
    """To the database's thread and back."""
    transactions_on_the_way: float
    """While the message waits for them."""
    rounds_on_the_way: float


@dataclass(frozen=True)
class Journey:
    """One direction."""

    source: str
    target: str
    messages: int
    total: Spread
    ours: Spread
    """Milliseconds of all stages that are not a server's, message by message."""
    commit: Spread
    """What the disk took between the messages for the least that can be committed."""
    stages: list[Stage]
    work: list[Work]
    sequencer_first: float
    """In what part of the messages the sequencer's step came between the relay's and the message."""

    @property
    def name(self) -> str:
        """As it is called in tables."""
        return f"{self.source} to {self.target}"


@dataclass(frozen=True)
class Tour:
    """One message, from the mouth to the ear. Nanoseconds."""

    speaker: str
    listener: str
    said: int
    shown: int
    over: int
    """When nothing followed from it any more."""
    commit: int
    """How long the disk took right after that for the least that can be committed."""


@dataclass
class Witness:
    """What one program has seen, to be looked up."""

    marks: Sequence[Mark]
    transactions: Sequence[Span]
    rounds: Sequence[int]
    _times: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for mark in self.marks:
            for envelope in {mark.envelope, ""}:
                self._times.setdefault((mark.where, mark.what, envelope), []).append(mark.at)

    def first(self, where: str, what: str, *, after: int, envelope: str = "") -> int:
        """Return when something happened first, from a moment on. Raises `LookupError`."""
        times = self._times.get((where, what, envelope), [])
        index = bisect_left(times, after)
        if index == len(times):
            raise LookupError(f"nothing was {what} by {where}")
        return times[index]

    def envelope_at(self, where: str, what: str, at: int) -> str:
        """Return to which envelope it happened then."""
        return next(one.envelope for one in self.marks if (one.where, one.what, one.at) == (where, what, at))

    def in_database(self, begin: int, end: int) -> int:
        """Return how many of these nanoseconds went by in transactions."""
        spans = ((span.at - span.nanoseconds, span.at) for span in self.transactions)
        return sum(max(0, min(last, end) - max(first, begin)) for first, last in spans)

    def work(self, begin: int, end: int) -> tuple[int, int]:
        """Return how many transactions ended in this time, and how many rounds began."""
        return sum(begin <= span.at <= end for span in self.transactions), sum(begin <= at <= end for at in self.rounds)


def journey_of(tours: Sequence[Tour], source: str, target: str, witnesses: Mapping[str, Witness]) -> Journey:
    """Return what becomes of two tours or more, all in one direction. Raises `LookupError` where one is unwitnessed."""
    ways = [_way(tour, source.lower(), target.lower(), witnesses) for tour in tours]
    stages = []
    for place, (party, name) in enumerate(_STAGES):
        spans = [way.moments[place : place + 2] for way in ways]
        within = [_in_database(way, party, *span) for way, span in zip(ways, spans, strict=True)]
        took = Spread.of([(end - begin) / 1e6 for begin, end in spans])
        stages.append(Stage(party, name, took, statistics.median(within)))
    return Journey(
        source,
        target,
        len(tours),
        total=Spread.of([(tour.shown - tour.said) / 1e6 for tour in tours]),
        ours=Spread.of([way.ours / 1e6 for way in ways]),
        commit=Spread.of([tour.commit / 1e6 for tour in tours]),
        stages=stages,
        work=[_work(party, ways) for party in (Party.SENDER, Party.BRIDGE, Party.RECEIVER)],
        sequencer_first=sum(way.sequencer_first for way in ways) / len(ways),
    )


_STAGES: Final = (
    (Party.SENDER, "encrypted, and committed with its place in the outbox"),
    (Party.SENDER, "taken from the outbox, handed to the transport"),
    (Party.SERVER, "posted, and told to the bridge"),
    (Party.BRIDGE, "stored with the cursor"),
    (Party.BRIDGE, "the sequencer's step, where it comes first"),
    (Party.BRIDGE, "the relay's step: decided, and committed to the outbox"),
    (Party.BRIDGE, "taken from the outbox, handed to the transport"),
    (Party.SERVER, "posted, and told to the receiver"),
    (Party.RECEIVER, "stored with the cursor"),
    (Party.RECEIVER, "decrypted, checked, and committed"),
    (Party.RECEIVER, "shown"),
)
"""In order: each begins when the one before has ended."""


@dataclass(frozen=True)
class _Way:
    """One message's way."""

    tour: Tour
    of: Mapping[Party, Witness]
    moments: Sequence[int]
    """When it was said, and when each stage ended."""
    sequencer_first: bool

    @property
    def ours(self) -> int:
        """The nanoseconds of all stages that are not a server's."""
        spans = zip(self.moments, self.moments[1:], strict=False)
        return sum(end - begin for (party, _), (begin, end) in zip(_STAGES, spans, strict=True) if party in self.of)

    def turn_of(self, party: Party) -> tuple[int, int]:
        """Return from when to when the message waits for somebody."""
        places = [place for place, (other, _) in enumerate(_STAGES) if other is party]
        return self.moments[places[0]], self.moments[places[-1] + 1]


def _way(tour: Tour, source: str, target: str, witnesses: Mapping[str, Witness]) -> _Way:
    sender, bridge, receiver = witnesses[tour.speaker], witnesses["bridge"], witnesses[tour.listener]
    encrypted = sender.first(f"{tour.speaker} member", "committed", after=tour.said)
    posted = sender.first(f"{tour.speaker} {source}", "handed over", after=tour.said)
    envelope = sender.envelope_at(f"{tour.speaker} {source}", "handed over", posted)

    def then(witness: Witness, where: str, what: str, after: int) -> int:
        return witness.first(where, what, after=after, envelope=envelope)

    told = then(bridge, f"bridge {source}", "told", posted)
    stored = then(bridge, f"bridge {source}", "stored", told)
    copied = then(bridge, f"bridge relay {source}", "committed", stored)
    try:
        sealed = then(bridge, f"bridge sequencer {source}", "committed", stored)
    except LookupError:  # the room is not the home room
        sealed = copied
    comes_first = sealed < copied
    handed_on = then(bridge, f"bridge {target}", "handed over", copied)
    arrived = then(receiver, f"{tour.listener} {target}", "told", handed_on)
    kept = then(receiver, f"{tour.listener} {target}", "stored", arrived)
    opened = receiver.first(f"{tour.listener} member", "committed", after=kept)
    moments = [tour.said, encrypted, posted, told, stored, sealed if comes_first else stored, copied, handed_on]
    moments += [arrived, kept, opened, tour.shown]
    parties = {Party.SENDER: sender, Party.BRIDGE: bridge, Party.RECEIVER: receiver}
    return _Way(tour, parties, moments, comes_first)


def _in_database(way: _Way, party: Party, begin: int, end: int) -> float:
    return way.of[party].in_database(begin, end) / 1e6 if party in way.of else 0.0


def _work(party: Party, ways: Sequence[_Way]) -> Work:
    in_all = [way.of[party].work(way.tour.said, way.tour.over) for way in ways]
    waiting = [way.of[party].work(*way.turn_of(party)) for way in ways]
    return Work(
        party,
        transactions=statistics.median(transactions for transactions, _ in in_all),
        rounds=statistics.median(rounds for _, rounds in in_all),
        transactions_on_the_way=statistics.median(transactions for transactions, _ in waiting),
        rounds_on_the_way=statistics.median(rounds for _, rounds in waiting),
    )

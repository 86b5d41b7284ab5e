"""From saying something until somebody else is shown it, in turn with the same text in clear on the same servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Final

from tests.benchmarks.measuring import Spread
from tests.benchmarks.servers.stage import PEOPLE, Place, Servers, across, bare, copier, pair

__all__ = ["FILLER", "SETTLING", "WARM_UP", "Latency", "latencies"]

SETTLING: Final = 0.12
"""Seconds between two texts: until what follows from the first is over."""

WARM_UP: Final = 3
"""Rounds that do not count."""

FILLER: Final = "The tea is at four, in the garden if the weather holds. Bring a cup, and whoever likes cake."


@dataclass(frozen=True)
class Latency:
    """What a way takes, in milliseconds."""

    name: str
    ours: Spread
    bare: Spread
    paired: Spread
    """What is ours, round by round: ours less bare, one after the other."""
    is_across: bool
    """Whether it leads from one network to the other."""

    @property
    def part(self) -> float:
        """What is ours of the median."""
        return self.ours.median - self.bare.median


async def latencies(servers: Servers, rounds: int, say: Callable[[str], None]) -> list[Latency]:
    """Time so many texts on each way, in turn."""
    async with _ways(servers, say) as ways:
        await _measure(ways, rounds, say)
    return [way.latency() for way in ways]


@dataclass
class _Way:
    """From somebody to somebody, ours and bare."""

    name: str
    ours: tuple[Place, Place]
    bare: tuple[Place, Place]
    is_across: bool
    samples: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "bare": []})
    """Milliseconds, round by round."""

    def latency(self) -> Latency:
        ours, bare = self.samples["ours"], self.samples["bare"]
        paired = [one - other for one, other in zip(ours, bare, strict=True)]
        return Latency(self.name, Spread.of(ours), Spread.of(bare), Spread.of(paired), self.is_across)


@asynccontextmanager
async def _ways(servers: Servers, say: Callable[[str], None]) -> AsyncIterator[list[_Way]]:
    """Set the stage: everybody in their rooms, ready to talk."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        say("latency: setting the stage")
        own_alone = await enter(servers.rooms("ours-alone", **PEOPLE))
        own_across = await enter(servers.rooms("ours-across", matrix=("alice",), muc=("carol",)))
        bare_alone = await enter(servers.rooms("bare-alone", **PEOPLE))
        bare_across = await enter(servers.rooms("bare-across", matrix=("alice",), muc=("carol",)))
        await enter(own_across.bridge_process())
        matrix, xmpp = await enter(pair(own_alone, "alice", "bob")), await enter(pair(own_alone, "carol", "dave"))
        both = await enter(across(own_across))
        a, b, c, d = await enter(bare(bare_alone, "alice", "bob", "carol", "dave"))
        await enter(copier(bare_across))
        one, other = await enter(bare(bare_across, "alice", "carol"))
        yield [
            _Way("Matrix", matrix, (a, b), is_across=False),
            _Way("XMPP", xmpp, (c, d), is_across=False),
            _Way("Matrix to XMPP", both, (one, other), is_across=True),
            _Way("XMPP to Matrix", both[::-1], (other, one), is_across=True),
        ]


async def _measure(ways: Sequence[_Way], rounds: int, say: Callable[[str], None]) -> None:
    for number in range(-WARM_UP, rounds):
        if number >= 0 and number % 50 == 0:
            say(f"latency: round {number} of {rounds}")
        turn = number % len(ways)
        for way in [*ways[turn:], *ways[:turn]]:
            kinds = [("ours", way.ours), ("bare", way.bare)]
            for kind, places in kinds if number % 2 else kinds[::-1]:
                elapsed = await _time(*places, f"{number} {way.name}: {FILLER}")
                if number >= 0:
                    way.samples[kind].append(elapsed)
                await asyncio.sleep(SETTLING)


async def _time(speaker: Place, listener: Place, text: str) -> float:
    begin = perf_counter_ns()
    await speaker.voice.say(text)
    return (await listener.ear.until(text) - begin) / 1e6

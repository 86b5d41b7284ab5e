"""From saying something until somebody else is shown it, in turn with the same text in clear on the same servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Final

from tests.benchmarks.servers.stage import Place, Servers, across, bare, copier, pair

__all__ = ["Path", "measure", "paths"]

_SETTLING: Final = 0.12
"""Seconds between two texts: until what follows from the first is over."""

_WARM_UP: Final = 3
"""Rounds that do not count."""

FILLER: Final = "The tea is at four, in the garden if the weather holds. Bring a cup, and whoever likes cake."


@dataclass
class Path:
    """A way from somebody to somebody, ours and bare."""

    name: str
    ours: tuple[Place, Place]
    bare: tuple[Place, Place]
    samples: dict[str, list[int]] = field(default_factory=lambda: {"ours": [], "bare": []})
    """Nanoseconds, round by round."""


@asynccontextmanager
async def paths(servers: Servers, say: Callable[[str], None]) -> AsyncIterator[list[Path]]:
    """Set the stage: everybody in their rooms, ready to talk."""
    everybody = {"matrix": ("alice", "bob"), "muc": ("carol", "dave")}
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        say("setting the stage")
        own_alone = await enter(servers.rooms("ours-alone", **everybody))
        own_across = await enter(servers.rooms("ours-across", matrix=("alice",), muc=("carol",)))
        bare_alone = await enter(servers.rooms("bare-alone", **everybody))
        bare_across = await enter(servers.rooms("bare-across", matrix=("alice",), muc=("carol",)))
        await enter(own_across.bridge_process())
        matrix, xmpp = await enter(pair(own_alone, "alice", "bob")), await enter(pair(own_alone, "carol", "dave"))
        both = await enter(across(own_across))
        a, b, c, d = await enter(bare(bare_alone, "alice", "bob", "carol", "dave"))
        await enter(copier(bare_across))
        one, other = await enter(bare(bare_across, "alice", "carol"))
        yield [
            Path("Matrix", matrix, (a, b)),
            Path("XMPP", xmpp, (c, d)),
            Path("Matrix to XMPP", both, (one, other)),
            Path("XMPP to Matrix", both[::-1], (other, one)),
        ]


async def measure(taken: list[Path], rounds: int, say: Callable[[str], None]) -> None:
    """Time so many texts on each path, in turn."""
    for number in range(-_WARM_UP, rounds):
        if number >= 0 and number % 50 == 0:
            say(f"latency: round {number} of {rounds}")
        turn = number % len(taken)
        for path in taken[turn:] + taken[:turn]:
            kinds = [("ours", path.ours), ("bare", path.bare)]
            for kind, places in kinds if number % 2 else kinds[::-1]:
                elapsed = await _time(*places, f"{number} {path.name}: {FILLER}")
                if number >= 0:
                    path.samples[kind].append(elapsed)
                await asyncio.sleep(_SETTLING)


async def _time(speaker: Place, listener: Place, text: str) -> int:
    begin = perf_counter_ns()
    await speaker.voice.say(text)
    return await listener.ear.until(text) - begin

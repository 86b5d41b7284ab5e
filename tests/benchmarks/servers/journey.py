"""A message's way across both networks, stage by stage: what of it is ours, and what the servers'.

Alice and Carol are in this process, the bridge in one of its own (`watched_bridge`); all three are watched. There is
one message on its way at a time, and all that follows from it is over before the next.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from time import perf_counter_ns
from typing import Final

from tests.benchmarks.servers.disk import Disk
from tests.benchmarks.servers.hearing import PATIENCE
from tests.benchmarks.servers.latency import FILLER, SETTLING, WARM_UP
from tests.benchmarks.servers.stage import MemberPlace, Servers, across, transport_of
from tests.benchmarks.servers.timeline import Journey, Tour, Witness, journey_of
from tests.benchmarks.servers.watching import Mark, Rounds, Span, Watch, WatchedTransport, watch_member
from tests.whole.scene import Scene
from transports.room import Transport

__all__ = ["journeys"]

_LONGEST_LINE: Final = 1 << 28
"""Bytes that the bridge may tell at its end: about 5 kB to a message."""


async def journeys(servers: Servers, rounds: int, say: Callable[[str], None]) -> list[Journey]:
    """Watch so many messages in each direction."""
    with Rounds() as counted:
        async with servers.rooms("watched", matrix=("alice",), muc=("carol",)) as scene:
            tours, witnesses = await _travel(scene, rounds, counted, say)
    return [
        journey_of([tour for tour in tours if tour.speaker == speaker], *way, witnesses)
        for speaker, way in (("alice", ("Matrix", "XMPP")), ("carol", ("XMPP", "Matrix")))
    ]


async def _travel(
    scene: Scene, rounds: int, counted: Rounds, say: Callable[[str], None]
) -> tuple[list[Tour], dict[str, Witness]]:
    tours: list[Tour] = []
    watches = {name: Watch(name) for name in ("alice", "carol")}

    def watched(scene: Scene, name: str) -> Transport:
        return WatchedTransport(transport_of(scene, name), watches[name])

    async with _bridge(scene) as told:
        async with across(scene, watched) as (alice, carol):
            places = {"alice": alice, "carol": carol}
            for name, place in places.items():
                watch_member(place.voice, watches[name])
            with Disk(scene.folder / "commits.db") as disk:
                for number in range(-WARM_UP, rounds):
                    if number >= 0 and number % 50 == 0:
                        say(f"stages: round {number} of {rounds}")
                    for speaker, listener in (("alice", "carol"), ("carol", "alice")):
                        tour = await _tour(places, speaker, listener, f"{number} of {speaker}: {FILLER}", disk)
                        tours += [tour] if number >= 0 else []
        witnesses = {
            name: Witness(watch.marks, watch.transactions, counted.seen.get(watch.thread or 0, []))
            for name, watch in watches.items()
        }
    return tours, {**witnesses, "bridge": told[0]}


async def _tour(places: Mapping[str, MemberPlace], speaker: str, listener: str, text: str, disk: Disk) -> Tour:
    said = perf_counter_ns()
    await places[speaker].voice.say(text)
    shown = await places[listener].ear.until(text)
    await asyncio.sleep(SETTLING)
    return Tour(speaker, listener, said, shown, perf_counter_ns(), disk.commit())


@asynccontextmanager
async def _bridge(scene: Scene) -> AsyncIterator[list[Witness]]:
    """A watched bridge. What it has seen is in the list when the block has ended."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.servers.watched_bridge",
        str(scene.bridge_config()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    told: list[Witness] = []
    try:
        async with asyncio.timeout(PATIENCE):
            if await process.stdout.readline() != b"ready\n":
                raise RuntimeError("the watched bridge did not start")
        yield told
        process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            seen = json.loads(await process.stdout.readline())
        marks, spans = [Mark(*mark) for mark in seen["marks"]], [Span(*span) for span in seen["transactions"]]
        told.append(Witness(marks, spans, seen["rounds"]))
    finally:
        process.stdin.close()
        await process.wait()

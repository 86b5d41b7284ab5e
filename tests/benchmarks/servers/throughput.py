"""How many messages go through the relay, beside what the servers take and what a bare relay carries.

One side is flooded, faster than it can be carried; counted is what arrives on the other. In the same run a bare client
posts into the other side as fast as its server takes it, one after the other on Matrix, where order is only kept that
way: no relay that keeps the order can be faster.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope
from tests.benchmarks.servers.stage import Servers, bare, copier, transport_of
from transports.room import EnvelopeSeen, Transport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.whole.scene import Scene

__all__ = ["Throughput", "throughput"]

_AT_ONCE: Final = 16
_BODY: Final = 300
_PATIENCE: Final = 900


@dataclass(frozen=True)
class Throughput:
    """One direction. Messages a second, each round's."""

    name: str
    messages: int
    relay: list[float]
    bare_relay: list[float]
    target: list[float]
    """What the other side's server takes from a bare client that keeps the order."""
    relay_cpu: list[float]
    """CPU milliseconds of the bridge's process to a message."""


async def throughput(servers: Servers, messages: int, rounds: int, say: Callable[[str], None]) -> list[Throughput]:
    """Flood both directions, ours and bare, in turn."""
    people = {"matrix": ("alice",), "muc": ("carol",)}
    found = [Throughput(name, messages, [], [], [], []) for name in ("Matrix to XMPP", "XMPP to Matrix")]
    async with servers.rooms("flood", **people) as ours, servers.rooms("flood-bare", **people) as clear:  # noqa: SIM117
        async with ours.bridge_process() as bridge, copier(clear), bare(clear, "alice", "carol") as (alice, carol):
            sides = [_Side(ours, "alice"), _Side(ours, "carol")]
            try:
                for side in sides:
                    await side.start()
                for number in range(rounds):
                    for way, source, target in ((0, 0, 1), (1, 1, 0)):
                        say(f"throughput: {found[way].name}, round {number + 1} of {rounds}")
                        cpu = _cpu_of(bridge.pid)
                        found[way].relay.append(await _flood(sides[source], sides[target], messages))
                        found[way].relay_cpu.append((_cpu_of(bridge.pid) - cpu) * 1000 / messages)
                        speaker, listener = ((alice, carol), (carol, alice))[way]
                        texts = [f"{number} {way} {index} {'x' * _BODY}" for index in range(messages)]
                        begin = perf_counter()
                        await _at_once([speaker.voice.say(text) for text in texts])
                        await listener.ear.until_all(texts, patience=_PATIENCE)
                        found[way].bare_relay.append(messages / (perf_counter() - begin))
                        texts = [f"own {text}" for text in texts]
                        begin = perf_counter()
                        for text in texts:
                            await listener.voice.say(text)
                        await speaker.ear.until_all(texts, patience=_PATIENCE)
                        found[way].target.append(messages / (perf_counter() - begin))
            finally:
                for side in sides:
                    await side.close()
    return found


class _Side:
    """One side of the link: posts envelopes, and counts those that arrive."""

    def __init__(self, scene: Scene, name: str) -> None:
        self._transport: Transport = transport_of(scene, name)
        self._room = scene.matrix_room if name in scene.matrix.ids else scene.xmpp_room
        self._reading: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self.seen: set[bytes] = set()

    async def start(self) -> None:
        await self._transport.start()
        await self._transport.join(self._room)
        self._reading = asyncio.create_task(self._read())

    async def post(self, data: bytes, number: int) -> None:
        await self._transport.publish(self._room, data, transaction=f"flood-{number}-{data[-8:].hex()}")

    async def until(self, wanted: set[bytes]) -> None:
        async with asyncio.timeout(_PATIENCE):
            while not self.seen >= wanted:
                self._news.clear()
                await self._news.wait()

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self._transport.close()

    async def _read(self) -> None:
        async for batch in self._transport.batches(None):
            self.seen |= {event.envelope for event in batch.events if isinstance(event, EnvelopeSeen)}
            self._news.set()


async def _flood(source: _Side, target: _Side, messages: int) -> float:
    """Return how many messages a second arrive."""
    data = [envelope(EnvelopeKind.APPLICATION, b"flood", os.urandom(_BODY)).encode() for _ in range(messages)]
    begin = perf_counter()
    await _at_once([source.post(one, number) for number, one in enumerate(data)])
    await target.until(set(data))
    return messages / (perf_counter() - begin)


async def _at_once(posts: Sequence[Awaitable[object]]) -> None:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(post: Awaitable[object]) -> None:
        async with turn:
            await post

    await asyncio.gather(*(one(post) for post in posts))


def _cpu_of(pid: int) -> float:
    """Return the CPU seconds that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

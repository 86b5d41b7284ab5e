"""What a member does who was away: fetches what the room holds, and makes messages of it."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Final

from bridge.conversation import Joined
from bridge.observing.metrics import Metrics
from bridge.protocol.code_points import Mode
from bridge.service.attending import attend
from bridge.service.clock import SystemClock
from bridge.service.entering import WantedRoom
from bridge.service.service import Service
from bridge.store import StoreKey
from bridge.store.member import MemberStore
from tests.benchmarks.servers.hearing import PATIENCE
from tests.benchmarks.servers.stage import PEOPLE, MemberPlace, Servers, member, transport_of
from tests.benchmarks.servers.watching import Watch, WatchedTransport
from tests.whole.scene import KEY, Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CatchUp", "catch_up"]

_POLL: Final = 0.005
_AHEAD: Final = 200
"""How many messages may be on their way while they are written."""


@dataclass(frozen=True)
class CatchUp:
    """One member's way back."""

    network: str
    messages: int
    writing: float
    """Seconds that it took to write them: another member says them, one after the other, and the room shows them."""
    fetching: float
    """Seconds from connecting until all is in the store."""
    reading: float
    """Seconds from the start of the role until the last one is shown and acknowledged, one by one."""
    reading_cpu: float


async def catch_up(servers: Servers, messages: int, say: Callable[[str], None]) -> list[CatchUp]:
    """Let one member on each network miss so many messages."""
    found = []
    for network, writer, reader in (("Matrix", "alice", "bob"), ("XMPP", "carol", "dave")):
        async with servers.rooms(f"away-{network}", **PEOPLE) as scene:
            texts = [f"{number} of those that were missed" for number in range(messages)]
            async with member(scene, writer, create=True, mode=Mode.ROOM) as speaker:
                async with member(scene, reader) as listener:
                    await listener.person.until(Joined)
                say(f"catching up: writing {messages} messages on {network}")
                writing = await _write(speaker, texts)
            say(f"catching up: reading them on {network}")
            fetching = await _fetch(scene, reader, messages)
            wall, cpu = perf_counter(), process_time()
            async with member(scene, reader) as listener:
                await listener.ear.until_all(texts)
                reading, reading_cpu = perf_counter() - wall, process_time() - cpu
            found.append(CatchUp(network, messages, writing, fetching, reading, reading_cpu))
    return found


async def _write(speaker: MemberPlace, texts: Sequence[str]) -> float:
    """Let somebody say all of it, until the room has shown it. Returns the seconds."""
    begin = perf_counter()
    for number, text in enumerate(texts):
        await _until_sent(speaker, number - _AHEAD)
        await speaker.voice.say(text)
    await _until_sent(speaker, len(texts))
    return perf_counter() - begin


async def _until_sent(speaker: MemberPlace, number: int) -> None:
    """Wait until the room has shown so many messages. Raises `TimeoutError` once no other has come for long."""
    while speaker.sent < number:
        sent = speaker.sent
        async with asyncio.timeout(PATIENCE):
            while speaker.sent == sent:  # noqa: ASYNC110 - a counter, looked at while it writes
                await asyncio.sleep(_POLL)


async def _fetch(scene: Scene, name: str, messages: int) -> float:
    """Put all that a room holds into somebody's store, and let no role see it yet. Returns the seconds."""
    clock = SystemClock()
    store = await MemberStore.open(scene.database(name), StoreKey(KEY), now=clock.now())
    transport = WatchedTransport(transport_of(scene, name), Watch(name))
    service = Service(store, clock=clock, random=os.urandom, metrics=Metrics())
    room = scene.matrix_room if name in scene.matrix.ids else scene.xmpp_room
    account = service.add_account("member", transport, [WantedRoom("room", room, 0)])
    begin = perf_counter()
    running = asyncio.create_task(service.run())
    try:
        while not account.has_read(room):
            fetched = transport.stored
            async with asyncio.timeout(PATIENCE):
                while transport.stored == fetched and not account.has_read(room):
                    await attend(asyncio.sleep(_POLL), running)
        elapsed = perf_counter() - begin
    finally:
        service.stop()
        await running
    if transport.stored < messages:
        raise RuntimeError(f"of {messages} messages {transport.stored} were stored when the room was said to be read")
    return elapsed

"""What a member does who was away: fetches what the room holds, and makes messages of it."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Final

from bridge.observing.metrics import Metrics
from bridge.protocol.code_points import Mode
from bridge.service.account import WantedRoom
from bridge.service.clock import SystemClock
from bridge.service.service import Service
from bridge.store import StoreKey
from bridge.store.member import MemberStore
from bridge.terminal.conversation import Joined
from tests.benchmarks.servers.stage import Servers, member, transport_of
from tests.whole.scene import KEY, Scene

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CatchUp", "catch_up"]

_PATIENCE: Final = 1_800
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
        people = {"matrix": ("alice", "bob"), "muc": ("carol", "dave")}
        async with servers.rooms(f"away-{network}", **people) as scene:
            say(f"catching up: {messages} messages on {network}")
            texts = [f"{number} of those that were missed" for number in range(messages)]
            async with member(scene, writer, create=True, mode=Mode.ROOM) as speaker:
                async with member(scene, reader) as listener:
                    assert listener.person is not None
                    await listener.person.until(Joined)
                begin = perf_counter()
                for number, text in enumerate(texts):
                    await speaker.voice.say(text)
                    while number - speaker.sent > _AHEAD:  # noqa: ASYNC110 - a counter, looked at while it writes
                        await asyncio.sleep(_POLL)
                while speaker.sent < messages:  # noqa: ASYNC110 - the same
                    await asyncio.sleep(_POLL)
                writing = perf_counter() - begin
            fetching = await _fetch(scene, reader)
            wall, cpu = perf_counter(), process_time()
            async with member(scene, reader) as listener:
                await listener.ear.until_all(texts, patience=_PATIENCE)
                reading, reading_cpu = perf_counter() - wall, process_time() - cpu
            found.append(CatchUp(network, messages, writing, fetching, reading, reading_cpu))
    return found


async def _fetch(scene: Scene, name: str) -> float:
    """Put all that a room holds into somebody's store, and let no role see it yet. Returns the seconds."""
    clock = SystemClock()
    store = await MemberStore.open(scene.database(name), StoreKey(KEY), now=clock.now())
    transport = transport_of(scene, name)
    service = Service(store, clock=clock, random=os.urandom, metrics=Metrics())
    room = scene.matrix.room_id if name in scene.matrix.ids else scene.muc
    account = service.add_account("member", transport, [WantedRoom("room", room, 0)])
    begin = perf_counter()
    running = asyncio.create_task(service.run())
    while not account.has_caught_up:
        await asyncio.sleep(_POLL)
        if running.done():
            break
    elapsed = perf_counter() - begin
    service.stop()
    await running
    return elapsed

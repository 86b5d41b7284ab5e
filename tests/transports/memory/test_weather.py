"""What becomes of a room's archive, and of what is on its way to it."""

from __future__ import annotations

import random

import pytest

from transports.memory import Delay, MemoryNetwork, RoomKind, RoomRules, VirtualClock
from transports.room import Account, EnvelopeSeen, HistoryLost, RoomAddress, RoomEvent

TEA = RoomAddress("memory:tea")
ALICE = Account("memory:alice")
BOB = Account("memory:bob")


class Room:
    """A room in which Alice has posted three envelopes."""

    def __init__(self) -> None:
        self.network = MemoryNetwork(clock=VirtualClock(), random=random.Random(7))
        self.room = self.network.create_room(TEA, kind=RoomKind.MUC, members=[ALICE, BOB])
        posts = (b"one", b"two", b"three")
        self.cursor = b""
        self.ids = [self.room.post_envelope(ALICE, post, transaction=post.decode()) for post in posts]

    async def read(self, cursor: bytes | None = None) -> list[RoomEvent]:
        transport = self.network.transport(BOB)
        await transport.start()
        await transport.join(TEA)
        async for batch in transport.batches(cursor):
            await transport.close()
            self.cursor = batch.cursor
            return list(batch.events)
        return []

    async def envelopes(self) -> list[bytes]:
        return [event.envelope for event in await self.read() if isinstance(event, EnvelopeSeen)]


@pytest.mark.asyncio
async def test_what_is_redacted_is_told_no_more() -> None:
    world = Room()
    world.room.redact(world.ids[1])
    assert await world.envelopes() == [b"one", b"three"]


@pytest.mark.asyncio
async def test_what_is_trimmed_is_lost_and_that_is_said() -> None:
    world = Room()
    await world.read()
    world.ids.extend(world.room.post_envelope(ALICE, post, transaction=post.decode()) for post in (b"four", b"five"))
    world.room.trim(1)
    events = await world.read(world.cursor)
    assert [event.envelope for event in events if isinstance(event, EnvelopeSeen)] == [b"five"]
    assert any(isinstance(event, HistoryLost) for event in events)
    world.room.trim(3)
    assert await world.envelopes() == [b"five"], "what an archive has forgotten does not come back"


@pytest.mark.asyncio
async def test_what_is_repeated_is_told_twice_with_one_id() -> None:
    world = Room()
    world.room.repeat(world.ids[0])
    world.room.repeat("$unknown")
    assert await world.envelopes() == [b"one", b"two", b"three", b"one"]
    seen = [event for event in await world.read() if isinstance(event, EnvelopeSeen)]
    assert seen[0].origin == seen[-1].origin


def test_healing_twice_delivers_once() -> None:
    clock = VirtualClock()
    network = MemoryNetwork(clock=clock, random=random.Random(7))
    rules = RoomRules(federation=Delay(10, 10))
    room = network.create_room(TEA, kind=RoomKind.MATRIX, rules=rules, servers=("one", "two"), members=[ALICE])
    room.cut("one", "two")
    room.post_envelope(ALICE, b"while parted", transaction="t1")
    room.heal("one", "two")
    room.heal("one", "two")
    clock.advance(100)
    assert room.events("two") == room.events("one")


@pytest.mark.parametrize("overtakes", [False, True])
def test_events_overtake_each_other_only_where_the_rules_say_so(*, overtakes: bool) -> None:
    clock = VirtualClock()
    network = MemoryNetwork(clock=clock, random=random.Random(7))
    rules = RoomRules(federation=Delay(1, 1_000), federation_overtakes=overtakes)
    room = network.create_room(TEA, kind=RoomKind.MATRIX, rules=rules, servers=("one", "two"), members=[ALICE])
    for number in range(20):
        room.post_envelope(ALICE, bytes([number]), transaction=f"t{number}")
    clock.advance(2_000 * 20)
    assert (room.events("two") == room.events("one")) is not overtakes
    assert set(room.events("two")) == set(room.events("one"))

"""When a batch may say that everything is told."""

import asyncio
import random

import pytest

from tests.transports.memory.reading import envelopes, read
from transports.memory import MemoryNetwork, VirtualClock
from transports.room import Account, Batch, RoomAddress

ALICE, BOB = Account("memory:alice"), Account("memory:bob")
TEA, COFFEE = RoomAddress("memory:tea"), RoomAddress("memory:coffee")

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(20)]


async def test_a_room_that_is_joined_while_another_is_read_is_read_before_a_batch_is_live() -> None:
    network = MemoryNetwork(clock=VirtualClock(), random=random.Random(1))
    rooms = [network.create_room(address, members=(BOB,)) for address in (TEA, COFFEE)]
    for room in rooms:
        room.post_envelope(BOB, room.address.encode(), transaction="t")
    alice = network.transport(ALICE)
    await alice.start()
    await alice.join(TEA)
    batches = alice.batches(None)
    first = await anext(batches)
    assert first.is_live
    await alice.join(COFFEE)
    told: list[Batch] = [first]
    while len(told) == 1 or not told[-1].is_live:
        told.append(await anext(batches))
    assert envelopes([event for batch in told for event in batch.events]) == [TEA.encode(), COFFEE.encode()]


async def test_a_batch_is_live_after_each_joining_although_nothing_happened() -> None:
    network = MemoryNetwork(clock=VirtualClock(), random=random.Random(1))
    network.create_room(TEA, members=(ALICE,))
    alice = network.transport(ALICE)
    await alice.start()
    await alice.join(TEA)
    _, cursor = await read(alice)
    await alice.close()

    again = network.transport(ALICE)
    await again.start()
    batches = again.batches(cursor)
    nowhere = await anext(batches)
    assert nowhere.is_live
    for _ in range(2):
        await again.join(TEA)
        after = await asyncio.wait_for(anext(batches), 5)
        assert after.is_live
        assert after.events == ()

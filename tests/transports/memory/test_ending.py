"""A room that is no more."""

import random

import pytest

from tests.transports.memory.reading import read
from transports.errors import RoomEndedError
from transports.memory import MemoryNetwork, VirtualClock
from transports.room import Account, RoomAddress, RoomEnded

ALICE = Account("memory:alice")
TEA, COFFEE = RoomAddress("memory:tea"), RoomAddress("memory:coffee")

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(20)]


async def test_a_room_that_has_ended_says_so_to_who_is_in_it_and_to_who_comes() -> None:
    network = MemoryNetwork(clock=VirtualClock(), random=random.Random(1))
    room = network.create_room(TEA)
    alice = network.transport(ALICE)
    await alice.start()
    await alice.join(TEA)
    room.end("it was destroyed", COFFEE)
    events, _ = await read(alice)
    assert events[-1] == RoomEnded(TEA, "it was destroyed", COFFEE)
    with pytest.raises(RoomEndedError, match="destroyed") as refused:
        await alice.publish(TEA, b"x", transaction="x")
    assert refused.value.successor == COFFEE
    with pytest.raises(RoomEndedError):
        await alice.join(TEA)

"""Rooms and accounts in memory, for tests, demonstrations and simulations: no server, no socket, no sleep.

What real networks do to a room's order is modelled, with a seed and a clock as arguments: the same seed gives the same
run. Rules that a server enforces (size, rate, membership) are enforced; what a server loses is lost.

>>> import asyncio, random
>>> from transports.room import Account, RoomAddress
>>> network = MemoryNetwork(clock=VirtualClock(), random=random.Random(7))
>>> tea = network.create_room(RoomAddress("memory:tea"))
>>> async def main() -> bytes:
...     alice, bob = (network.transport(Account(f"memory:{name}")) for name in ("alice", "bob"))
...     for transport in (alice, bob):
...         await transport.start()
...         await transport.join("memory:tea")
...     await alice.publish(tea.address, b"envelope", transaction="t1")
...     async for batch in bob.batches(None):
...         return batch.events[-1].envelope
>>> asyncio.run(main())
b'envelope'
"""

from __future__ import annotations

from transports.memory.clock import Clock, LoopClock, VirtualClock
from transports.memory.network import MemoryNetwork
from transports.memory.room import MemoryRoom
from transports.memory.rules import Delay, Rate, RoomKind, RoomRules
from transports.memory.transport import MemoryTransport

__all__ = [
    "Clock",
    "Delay",
    "LoopClock",
    "MemoryNetwork",
    "MemoryRoom",
    "MemoryTransport",
    "Rate",
    "RoomKind",
    "RoomRules",
    "VirtualClock",
]

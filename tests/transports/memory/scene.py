"""A room in memory, and accounts that enter it."""

import random

from transports.memory import (
    MemoryNetwork,
    MemoryRoom,
    MemoryTransport,
    RoomKind,
    RoomRules,
    VirtualClock,
)
from transports.room import (
    Account,
    RoomAddress,
)

ALICE, BOB, EVE = Account("memory:alice"), Account("xmpp:bob@example.org"), Account("matrix:u/eve:example.org")
TEA = RoomAddress("memory:tea")


def world(rules: RoomRules | None = None, kind: RoomKind = RoomKind.MUC) -> tuple[MemoryNetwork, MemoryRoom]:
    network = MemoryNetwork(clock=VirtualClock(), random=random.Random(1))
    return network, network.create_room(TEA, name="Tea", rules=rules, kind=kind)


async def enter(network: MemoryNetwork, account: Account) -> MemoryTransport:
    transport = network.transport(account)
    await transport.start()
    await transport.join("Tea")
    return transport

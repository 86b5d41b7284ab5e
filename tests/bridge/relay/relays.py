"""Rooms in memory, and relays between them, with real stores."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from bridge.protocol.code_points import EnvelopeKind
from bridge.relay import Counted, Relay, RelaySettings, Side
from bridge.service.consumer import Consumer
from bridge.store import Transaction
from tests.bridge.relay.world import Build, Process, World
from transports.memory import MemoryRoom, RoomRules
from transports.room import Account, RoomAddress

A, B, C = (RoomAddress(f"memory:{name}") for name in "abc")
ALICE, BOB, EVE = (Account(f"memory:{name}") for name in ("alice", "bob", "eve"))
TALK = EnvelopeKind.APPLICATION


def rooms(world: World, *addresses: RoomAddress, rules: RoomRules | None = None) -> list[MemoryRoom]:
    return [world.network.create_room(address, rules=rules, members=(ALICE, BOB, EVE)) for address in addresses]


def relaying(
    sides: Sequence[Side],
    *,
    link: str = "tea",
    settings: RelaySettings | None = None,
    counted: Counter[Counted] | None = None,
    is_live: Callable[[Side], bool] = lambda _: True,
    has_ended: Callable[[Side], bool] = lambda _: False,
) -> Build:
    chosen = settings or RelaySettings(link=link, software="test", rooms=tuple(side.room for side in sides))

    def count(what: Counted, number: int) -> None:
        if counted is not None:
            counted[what] += number

    async def build(_: Transaction, process: Process) -> Sequence[Consumer]:
        generate = random.Random(str(process.path)).randbytes
        return [
            Relay(
                side,
                [other for other in sides if other != side],
                chosen,
                random=generate,
                is_live=is_live,
                has_ended=has_ended,
                count=count,
            )
            for side in sides
        ]

    return build


def sides_of(account: str, *addresses: RoomAddress) -> list[Side]:
    return [Side(Account(f"memory:{account}"), address) for address in addresses]


async def relay(world: World, path: Path, name: str, *addresses: RoomAddress) -> Process:
    sides = sides_of(name, *addresses)
    return await world.process(path / f"{name}.db", [(side.account, side.room) for side in sides], relaying(sides))

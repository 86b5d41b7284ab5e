"""Any rooms, any relays between them, crashes and restarts: everything arrives, and no copy goes twice."""

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.protocol.code_points import EnvelopeKind
from bridge.relay import Relay, RelaySettings, Side
from bridge.service.consumer import Consumer
from bridge.store import Transaction
from tests.bridge.relay.world import Build, Process, World, crashing, message, posted
from transports.memory import MemoryRoom, RoomKind
from transports.room import Account, EnvelopeSeen, RoomAddress

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]

ALICE = Account("memory:alice")
TALK = EnvelopeKind.APPLICATION

few = settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])


def relaying(links: Sequence[Sequence[Side]]) -> Build:
    async def build(_: Transaction, process: Process) -> Sequence[Consumer]:
        generate = random.Random(str(process.path.name)).randbytes
        return [
            Relay(
                side,
                [other for other in sides if other != side],
                RelaySettings(link=str(number), software="test", rooms=tuple(other.room for other in sides)),
                random=generate,
                is_live=lambda _: True,
            )
            for number, sides in enumerate(links)
            for side in sides
        ]

    return build


def connected(start: int, links: Sequence[frozenset[int]]) -> set[int]:
    """The rooms that links join to one."""
    reached = {start}
    while more := {room for link in links if link & reached for room in link} - reached:
        reached |= more
    return reached


async def start(world: World, folder: str, number: int, links: Sequence[frozenset[int]]) -> Process:
    account = Account(f"memory:relay{number}")
    sides = [[Side(account, RoomAddress(f"memory:{room}")) for room in sorted(link)] for link in links]
    rooms = [(account, RoomAddress(f"memory:{room}")) for room in sorted({room for link in links for room in link})]
    return await world.process(Path(folder) / f"{number}.db", rooms, relaying(sides))


def copies_by(room: MemoryRoom, account: Account) -> list[bytes]:
    return [
        event.envelope
        for event in room.events()
        if isinstance(event, EnvelopeSeen) and event.origin.sender == account and event.note is not None
    ]


link = st.frozensets(st.integers(0, 3), min_size=2, max_size=3)
process = st.lists(link, min_size=1, max_size=3, unique=True)


@few
@given(st.integers(0, 99), st.lists(process, min_size=1, max_size=3), st.sets(st.integers(0, 3)), st.data())
async def test_everything_arrives_once_in_any_topology(
    seed: int, processes: list[list[frozenset[int]]], federated: set[int], data: st.DataObject
) -> None:
    world = World(seed)
    rooms = [
        world.network.create_room(
            RoomAddress(f"memory:{number}"),
            kind=RoomKind.MATRIX if number in federated else RoomKind.MUC,
            servers=("one", "two") if number in federated else ("one",),
            members=(ALICE,),
        )
        for number in range(4)
    ]
    with tempfile.TemporaryDirectory() as folder:
        try:
            running = [await start(world, folder, number, links) for number, links in enumerate(processes)]
            await world.settle()
            for number in range(12):
                rooms[number % 4].post_envelope(ALICE, message(TALK, b"%d" % number), transaction=str(number))
                if number % 3 == 0:
                    await data.draw(st.sampled_from(running)).work()
                if number % 5 == 4:
                    await data.draw(st.sampled_from(running)).restart()
            await world.settle()
        finally:
            await world.close()

    all_links = [one for links in processes for one in links]
    for number, room in enumerate(rooms):
        expected = {message(TALK, b"%d" % other) for other in range(12) if other % 4 in connected(number, all_links)}
        assert set(posted(room, TALK)) == expected
        for relay in range(len(processes)):
            copies = copies_by(room, Account(f"memory:relay{relay}"))
            assert len(copies) == len(set(copies))
        if sum(any(number in one for one in links) for links in processes) == 1:
            assert len(posted(room, TALK)) == len(expected)


@few
@given(st.integers(0, 99), st.lists(st.integers(1, 60), min_size=1, max_size=6))
async def test_a_relay_that_crashes_anywhere_loses_and_doubles_nothing(seed: int, crashes: list[int]) -> None:
    world = World(seed)
    a, b = (world.network.create_room(RoomAddress(f"memory:{number}"), members=(ALICE,)) for number in range(2))
    with tempfile.TemporaryDirectory() as folder:
        try:
            relay = await start(world, folder, 0, [frozenset({0, 1})])
            for number, statement in enumerate(crashes):
                a.post_envelope(ALICE, message(TALK, b"a%d" % number), transaction=f"a{number}")
                b.post_envelope(ALICE, message(TALK, b"b%d" % number), transaction=f"b{number}")
                if await crashing(relay, statement):
                    await relay.start()
                world.clock.advance(50)
            await world.settle()
        finally:
            await world.close()

    expected = {message(TALK, b"%s%d" % (side, number)) for side in (b"a", b"b") for number in range(len(crashes))}
    for room in (a, b):
        assert set(posted(room, TALK)) == expected
        events = [event for event in room.events() if isinstance(event, EnvelopeSeen)]
        # A process that died between posting and knowing it posts again, under the same transaction.
        copies = {(event.envelope, event.transaction) for event in events if event.note is not None}
        assert len(copies) == len({envelope for envelope, _ in copies})

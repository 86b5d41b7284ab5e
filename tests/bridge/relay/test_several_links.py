"""Several links between the same rooms, and several relays on one: each envelope gets everywhere once."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bridge.protocol.code_points import EnvelopeKind
from bridge.relay.turns import STAND_BY
from bridge.service.consumer import Consumer
from bridge.store import Transaction
from tests.bridge.relay.relays import ALICE, BOB, TALK, A, B, C, relay, relaying, rooms, sides_of
from tests.bridge.relay.world import Process, World, message, posted
from transports.room import Account, EnvelopeSeen

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def test_rooms_in_a_ring_of_links_get_everything_once(world: World, tmp_path: Path) -> None:
    all_rooms = rooms(world, A, B, C)
    links = [("one", A, B), ("two", B, C), ("three", C, A)]

    async def build(tx: Transaction, process: Process) -> Sequence[Consumer]:
        consumers: list[Consumer] = []
        for link, here, there in links:
            consumers += await relaying(sides_of("relay", here, there), link=link)(tx, process)
        return consumers

    account = Account("memory:relay")
    await world.process(tmp_path / "relay.db", [(account, room) for room in (A, B, C)], build)
    for number, room in enumerate(all_rooms * 5):
        room.post_envelope(ALICE, message(TALK, b"%d" % number), transaction=str(number))

    await world.settle()

    for room in all_rooms:
        assert sorted(posted(room, TALK)) == sorted(message(TALK, b"%d" % number) for number in range(15))


async def test_a_chain_of_links_carries_from_end_to_end(world: World, tmp_path: Path) -> None:
    a, b, c = rooms(world, A, B, C)

    async def build(tx: Transaction, process: Process) -> Sequence[Consumer]:
        return [
            *await relaying(sides_of("relay", A, B), link="one")(tx, process),
            *await relaying(sides_of("relay", B, C), link="two")(tx, process),
        ]

    await world.process(tmp_path / "relay.db", [(Account("memory:relay"), room) for room in (A, B, C)], build)
    a.post_envelope(ALICE, message(TALK, b"x"), transaction="1")

    await world.settle()

    assert [posted(room, TALK) for room in (a, b, c)] == [[message(TALK, b"x")]] * 3


async def test_two_relays_between_the_same_rooms_copy_once(world: World, tmp_path: Path) -> None:
    a, b = rooms(world, A, B)
    await relay(world, tmp_path, "one", A, B)
    await relay(world, tmp_path, "two", A, B)
    await world.settle()
    for number in range(20):
        a.post_envelope(ALICE, message(TALK, b"a%d" % number), transaction=f"a{number}")
        b.post_envelope(BOB, message(TALK, b"b%d" % number), transaction=f"b{number}")

    await world.settle()

    assert len(posted(a, TALK)) == len(posted(b, TALK)) == 40
    assert len(set(posted(a, TALK))) == 40


async def test_answers_that_may_come_again_do_not_go_round_for_ever(world: World, tmp_path: Path) -> None:
    a, b = rooms(world, A, B)
    await relay(world, tmp_path, "one", A, B)
    await relay(world, tmp_path, "two", A, B)
    await world.settle()
    a.post_envelope(ALICE, message(EnvelopeKind.ANSWER, b"nonce"), transaction="1")

    await world.settle()

    assert posted(a, EnvelopeKind.ANSWER) == [message(EnvelopeKind.ANSWER, b"nonce")]
    assert posted(b, EnvelopeKind.ANSWER) == [message(EnvelopeKind.ANSWER, b"nonce")]


async def test_a_relay_takes_over_from_one_that_has_stopped(world: World, tmp_path: Path) -> None:
    a, b = rooms(world, A, B)
    processes = [await relay(world, tmp_path, name, A, B) for name in ("one", "two")]
    await world.settle()
    a.post_envelope(ALICE, message(TALK, b"both run"), transaction="1")
    await world.settle()
    (copy,) = [
        event
        for event in b.events()
        if isinstance(event, EnvelopeSeen) and event.note and event.envelope == message(TALK, b"both run")
    ]
    leading = next(process for process in processes if copy.origin.sender in process.transports)
    await leading.stop()

    began = world.now()
    a.post_envelope(ALICE, message(TALK, b"one is gone"), transaction="2")
    while message(TALK, b"one is gone") not in posted(b, TALK):
        await next(process for process in processes if process is not leading).work()
        world.clock.advance(100)
    assert STAND_BY <= world.now() - began <= STAND_BY + 500
    a.post_envelope(ALICE, message(TALK, b"at once now"), transaction="3")
    await next(process for process in processes if process is not leading).work()
    assert message(TALK, b"at once now") in posted(b, TALK)

    await leading.start()
    a.post_envelope(ALICE, message(TALK, b"both again"), transaction="4")
    await world.settle()
    assert sorted(posted(b, TALK)) == sorted(set(posted(b, TALK)))
    assert len(posted(b, TALK)) == 4

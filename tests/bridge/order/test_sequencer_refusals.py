"""A room that takes nothing of what its sequencer posts: it is said, and posted again."""

from pathlib import Path

import pytest

from bridge.order.sealing import MAX_IN_FLIGHT
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import identity_of
from bridge.store import OutboxEntry
from tests.bridge.order.sequencers import (
    ALICE,
    BRIDGE,
    COMMIT,
    DAY,
    HOME,
    home,
    refuse,
    sealed,
    seals,
    sequencer,
    start,
)
from tests.bridge.relay.world import World, message, posted

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def test_a_seal_that_the_room_refused_for_good_is_posted_again(world: World, tmp_path: Path) -> None:
    room = home(world)
    process = await start(world, tmp_path)
    await world.settle()
    for number in range(MAX_IN_FLIGHT + 2):  # so many that it would stand still without them
        room.post_envelope(ALICE, message(COMMIT, b"%d" % number), transaction=f"{number}")
        await process.read(BRIDGE)
        await process.step(sequencer(process))
        world.clock.advance(100)
        await process.step(sequencer(process))
        await refuse(process)
    assert posted(room, EnvelopeKind.SEAL) == []
    assert "too large" in (sequencer(process).alarm or "")

    await world.settle()
    world.clock.advance(60_000)
    await world.settle()

    assert len(sealed(room)) == MAX_IN_FLIGHT + 2
    assert sequencer(process).alarm is None
    assert sequencer(process).next_wake() == seals(room)[-1].timestamp + 10 * DAY


async def test_a_hello_that_the_room_refused_for_good_is_posted_again(world: World, tmp_path: Path) -> None:
    room = home(world)
    process = await start(world, tmp_path)
    await refuse(process)
    room.post_envelope(ALICE, message(COMMIT, b"x"), transaction="1")
    await world.settle()
    assert posted(room, EnvelopeKind.HELLO, EnvelopeKind.SEAL) == []
    world.clock.advance(60_000)
    await world.settle()

    assert len(sealed(room)) == 1


async def test_a_seal_that_the_room_refused_for_good_is_posted_after_a_restart(world: World, tmp_path: Path) -> None:
    room = home(world)
    process = await start(world, tmp_path)
    await world.settle()
    room.post_envelope(ALICE, message(COMMIT, b"x"), transaction="1")
    await process.read(BRIDGE)
    await process.step(sequencer(process))
    async with process.store.transaction() as tx:
        (waiting,) = await tx.outbox.waiting(BRIDGE, HOME, 10)
        await tx.outbox.drop(waiting.id)
    assert seals(room) == []

    await process.restart()
    await world.settle()

    assert sealed(room) == [identity_of(message(COMMIT, b"x"))]


async def test_the_failure_of_somebody_elses_envelope_is_no_matter(world: World, tmp_path: Path) -> None:
    home(world)
    process = await start(world, tmp_path)
    await world.settle()
    entry = OutboxEntry(BRIDGE, HOME, message(COMMIT, b"a copy"), "copy-1", None, None, "copy", 0)
    sequencer(process).publishing_failed(entry, "too large")

    assert sequencer(process).alarm is None
    assert sequencer(process).next_wake() is None


async def test_a_room_that_has_ended_is_not_sealed_any_more(world: World, tmp_path: Path) -> None:
    room = home(world)
    process = await start(world, tmp_path)
    await world.settle()
    room.post_envelope(ALICE, message(COMMIT, b"before"), transaction="1")
    await world.settle()
    room.post_envelope(ALICE, message(COMMIT, b"unsealed"), transaction="2")
    room.end("it was upgraded")
    for consumer in process.consumers:
        await process.read(BRIDGE)
        await process.step(consumer)
        world.clock.advance(DAY)
        await process.step(consumer)

    assert sequencer(process).alarm == "it was upgraded"
    assert sequencer(process).next_wake() is None
    async with process.store.transaction() as tx:
        assert await tx.outbox.waiting(BRIDGE, HOME, 10) == []

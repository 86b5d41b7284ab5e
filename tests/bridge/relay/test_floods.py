"""More than a room takes: who floods it waits, and nobody else does."""

from pathlib import Path

import pytest

from bridge.order.lanes import ByteQuota
from bridge.protocol.envelope import open_envelope
from bridge.relay import RelaySettings
from tests.bridge.relay.relays import ALICE, EVE, TALK, A, B, relay, relaying, rooms, sides_of
from tests.bridge.relay.world import World, message, posted
from transports.memory import Rate, RoomKind, RoomRules

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def test_a_flood_waits_and_others_pass_it(world: World, tmp_path: Path) -> None:
    a, b = rooms(world, A, B)
    sides = sides_of("relay", A, B)
    settings = RelaySettings(link="tea", software="test", rooms=(A, B), quota=ByteQuota(per_minute=100_000))
    build = relaying(sides, settings=settings)
    process = await world.process(tmp_path / "relay.db", [(side.account, side.room) for side in sides], build)
    for number in range(100):
        a.post_envelope(EVE, message(TALK, b"junk %d" % number + bytes(10_000)), transaction=f"j{number}")
    a.post_envelope(ALICE, message(TALK, b"alice"), transaction="1")

    for _ in range(3):
        await process.work()
        world.clock.advance(20)

    passed = posted(b, TALK)
    assert message(TALK, b"alice") in passed
    assert 5 <= len(passed) <= 15
    await process.restart()
    for _ in range(12 * 60):
        world.clock.advance(1000)
        await process.work()
    assert len(posted(b, TALK)) == 101
    junk = [open_envelope(data).body for data in posted(b, TALK) if b"junk" in data]
    assert [int(body.split()[1].rstrip(b"\0")) for body in junk] == list(range(100))


async def test_where_a_server_is_slow_senders_take_turns(world: World, tmp_path: Path) -> None:
    (a,) = rooms(world, A)
    b = world.network.create_room(
        B, kind=RoomKind.MATRIX, rules=RoomRules(rate=Rate(per_second=1, burst=10)), members=(ALICE,)
    )
    process = await relay(world, tmp_path, "relay", A, B)
    for number in range(400):
        a.post_envelope(EVE, message(TALK, b"junk %d" % number), transaction=f"j{number}")
    for number in range(5):
        a.post_envelope(ALICE, message(TALK, b"alice %d" % number), transaction=f"a{number}")

    for _ in range(100):
        await process.work()
        world.clock.advance(1000)

    assert len([data for data in posted(b, TALK) if b"alice" in data]) == 5
    assert len(posted(b, TALK)) < 150

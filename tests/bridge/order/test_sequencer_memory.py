"""A sequencer whose memory, key or process is gone: what is sealed stays sealed once, or it stops."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.order.sealing import Stop
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import identity_of
from mls.crypto.signature import Ed25519, SignaturePrivateKey
from tests.bridge.order.sequencers import (
    ALICE,
    COMMIT,
    home,
    sealed,
    seals,
    sequencer,
    start,
)
from tests.bridge.relay.world import World, crashing, message, posted
from transports.memory import RoomKind

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def test_memory_that_is_gone_is_rebuilt_from_the_room(world: World, tmp_path: Path) -> None:
    room = home(world)
    key = SignaturePrivateKey(Ed25519(), bytes(32))
    first = await start(world, tmp_path, name="one", key=key)
    for number in range(6):
        room.post_envelope(ALICE, message(COMMIT, b"%d" % number), transaction=str(number))
        await world.settle()
    await first.stop()
    room.post_envelope(ALICE, message(COMMIT, b"meanwhile"), transaction="m")

    second = await start(world, tmp_path, name="two", key=key)
    await world.settle()

    assert sequencer(second).alarm is None
    assert len(sealed(room)) == 7
    assert len(seals(room)) == 7


async def test_a_lost_key_stops_it(world: World, tmp_path: Path) -> None:
    room = home(world)
    first = await start(world, tmp_path, name="one")
    room.post_envelope(ALICE, message(COMMIT, b"x"), transaction="1")
    await world.settle()
    await first.stop()
    room.post_envelope(ALICE, message(COMMIT, b"y"), transaction="2")

    second = await start(world, tmp_path, name="two")
    await world.settle()
    assert sequencer(second).alarm == Stop.OTHER_KEY
    await second.restart()
    await world.settle()

    assert sequencer(second).alarm == Stop.OTHER_KEY
    assert len(posted(room, EnvelopeKind.SEAL)) == 1


async def test_a_store_put_back_from_a_backup_stops_it(world: World, tmp_path: Path) -> None:
    room = home(world)
    process = await start(world, tmp_path)
    room.post_envelope(ALICE, message(COMMIT, b"1"), transaction="1")
    await world.settle()
    await process.stop()
    backup = process.path.read_bytes()
    await process.start()
    room.post_envelope(ALICE, message(COMMIT, b"2"), transaction="2")
    await world.settle()
    await process.stop()
    process.path.write_bytes(backup)
    process.events_per_step = 1  # it meets the second handshake before its own seal of it
    room.post_envelope(ALICE, message(COMMIT, b"3"), transaction="3")

    await process.start()
    await world.settle()

    assert sequencer(process).alarm == Stop.UNKNOWN_SEAL
    assert len(seals(room)) == 2


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 99),
    st.lists(st.tuples(st.integers(1, 5), st.one_of(st.none(), st.integers(1, 60))), min_size=1, max_size=8),
    st.sampled_from(RoomKind),
)
async def test_a_sequencer_that_crashes_anywhere_seals_everything_once(
    seed: int, run: list[tuple[int, int | None]], kind: RoomKind
) -> None:
    world = World(seed)
    room = home(world, kind=kind)
    sent: list[bytes] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            process = await start(world, Path(folder))
            for count, statement in run:
                for _ in range(count):
                    sent.append(message(COMMIT, b"%d" % len(sent)))
                    room.post_envelope(ALICE, sent[-1], transaction=str(len(sent)))
                if statement is None:
                    await process.work()
                elif await crashing(process, statement):
                    await process.start()
                world.clock.advance(10)
            await world.settle()
            assert sequencer(process).alarm is None
        finally:
            await world.close()

    assert sorted(sealed(room)) == sorted(map(identity_of, sent))

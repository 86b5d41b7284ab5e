"""What a sequencer seals of what stands in a room, and when: each hash once, in one chain."""

import random
from pathlib import Path

import pytest

from bridge.order.lanes import ByteQuota
from bridge.order.sealing import SealingSettings
from bridge.protocol.code_points import MAX_INLINE, MAX_SEAL_ENTRIES, SEALED_KINDS, EnvelopeKind
from bridge.protocol.envelope import envelope, identity_of, open_envelope
from bridge.protocol.seal import sign_seal
from mls.crypto.signature import Ed25519, SignaturePrivateKey
from tests.bridge.order.sequencers import (
    ALICE,
    BRIDGE,
    COMMIT,
    DAY,
    EVE,
    HOME,
    home,
    sealed,
    seals,
    sequencer,
    sequencing,
    start,
)
from tests.bridge.relay.world import GROUP, World, message, posted
from transports.memory import Rate, RoomKind, RoomRules
from transports.room import EnvelopeSeen

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def test_what_stands_in_the_room_is_sealed_in_its_order_and_inlined(world: World, tmp_path: Path) -> None:
    room = home(world)
    await start(world, tmp_path)
    sent = [message(kind, b"%d" % number) for number, kind in enumerate(sorted(SEALED_KINDS))]
    for number, data in enumerate(sent):
        room.post_envelope(ALICE, data, transaction=str(number))
    room.post_envelope(ALICE, message(EnvelopeKind.APPLICATION, b"x"), transaction="a")

    await world.settle()

    (content,) = seals(room)
    assert [entry.identity for entry in content.entries] == [identity_of(data) for data in sent]
    assert [entry.inlined for entry in content.entries] == sent
    assert content.timestamp <= world.now()


async def test_large_envelopes_are_named_and_not_inlined(world: World, tmp_path: Path) -> None:
    room = home(world, RoomRules(envelope_bytes=4000))
    await start(world, tmp_path, SealingSettings(max_event=4000))
    large = message(COMMIT, bytes(MAX_INLINE))
    room.post_envelope(ALICE, large, transaction="large")
    for number in range(10):
        room.post_envelope(ALICE, message(COMMIT, b"%d" % number + bytes(1000)), transaction=str(number))

    await world.settle()

    entries = [entry for content in seals(room) for entry in content.entries]
    assert len(entries) == 11
    assert entries[0].inlined == b""
    assert any(entry.inlined for entry in entries)
    assert posted(room, EnvelopeKind.FRAGMENT) == []


async def test_a_hash_is_sealed_once_however_often_it_comes(world: World, tmp_path: Path) -> None:
    room = home(world)
    process = await start(world, tmp_path)
    data = message(COMMIT, b"x")
    for number in range(3):
        room.post_envelope(ALICE, data, transaction=f"a{number}")
        room.post_envelope(EVE, data, transaction=f"e{number}")
        await world.settle()
        await process.restart()
    await world.settle()

    assert sealed(room) == [identity_of(data)]


async def test_what_comes_together_goes_into_one_seal_and_an_idle_sequencer_does_not_wait(
    world: World, tmp_path: Path
) -> None:
    room = home(world)
    process = await start(world, tmp_path)
    await world.settle()
    room.post_envelope(ALICE, message(COMMIT, b"first"), transaction="first")
    await process.work()
    assert len(seals(room)) == 1
    for number in range(5):
        room.post_envelope(ALICE, message(COMMIT, b"%d" % number), transaction=str(number))
        await process.work()
        world.clock.advance(3)
    assert len(seals(room)) == 1
    world.clock.advance(20)
    await process.work()

    assert [len(content.entries) for content in seals(room)] == [1, 5]
    for number in range(200):
        room.post_envelope(ALICE, message(COMMIT, b"many %d" % number), transaction=f"m{number}")
    await world.settle()
    assert max(len(content.entries) for content in seals(room)) == MAX_SEAL_ENTRIES
    assert len(sealed(room)) == 206


async def test_where_the_room_takes_few_events_seals_grow(world: World, tmp_path: Path) -> None:
    room = home(world, RoomRules(rate=Rate(per_second=0.2, burst=3)), RoomKind.MATRIX)
    room.lift_rate(ALICE)
    process = await start(world, tmp_path)
    for number in range(100):
        room.post_envelope(ALICE, message(COMMIT, b"%d" % number), transaction=str(number))
        await process.work()
        world.clock.advance(1000)
    for _ in range(60):
        await process.work()
        world.clock.advance(1000)

    assert len(sealed(room)) == 100
    assert len(seals(room)) < 30


async def test_one_senders_flood_does_not_keep_others_waiting(world: World, tmp_path: Path) -> None:
    room = home(world)
    await start(world, tmp_path, SealingSettings(quota=ByteQuota(per_minute=50_000)))
    for number in range(500):
        room.post_envelope(EVE, message(COMMIT, b"junk %d" % number + bytes(1000)), transaction=f"j{number}")
    mine = message(COMMIT, b"mine")
    room.post_envelope(ALICE, mine, transaction="mine")

    for _ in range(10):
        await world.processes[0].work()
        world.clock.advance(30)

    assert identity_of(mine) in sealed(room)
    assert len(sealed(room)) < 60
    for _ in range(200):
        world.clock.advance(5000)
        await world.processes[0].work()
    assert len(sealed(room)) == 501


async def test_only_the_first_group_is_sealed(world: World, tmp_path: Path) -> None:
    room = home(world)
    await start(world, tmp_path)
    await world.settle()
    room.post_envelope(EVE, message(EnvelopeKind.ACK, b"no handshake", b"early"), transaction="0")
    room.post_envelope(ALICE, message(COMMIT, b"ours"), transaction="1")
    room.post_envelope(EVE, message(COMMIT, b"other", b"another group"), transaction="2")
    room.post_envelope(EVE, message(COMMIT, b"none", b""), transaction="3")

    await world.settle()

    assert sealed(room) == [identity_of(message(COMMIT, b"ours"))]


async def test_a_quiet_log_gets_a_checkpoint(world: World, tmp_path: Path) -> None:
    room = home(world)
    await start(world, tmp_path)
    room.post_envelope(ALICE, message(COMMIT, b"x"), transaction="1")
    await world.settle()

    world.clock.advance(10 * DAY)
    await world.settle()

    assert [len(content.entries) for content in seals(room)] == [1, 0]


async def test_junk_in_the_room_changes_nothing(world: World, tmp_path: Path) -> None:
    room = home(world)
    process = await start(world, tmp_path)
    room.post_envelope(ALICE, message(COMMIT, b"x"), transaction="1")
    await world.settle()
    generate = random.Random(3)
    (content,) = seals(room)
    stranger = SignaturePrivateKey(Ed25519(), bytes(range(32)))
    forged = sign_seal(content.replace(seq=2), stranger)
    room.post_envelope(EVE, message(EnvelopeKind.SEAL, forged.encode()), transaction="f")
    room.post_envelope(EVE, posted(room, EnvelopeKind.SEAL)[0], transaction="replay")
    for number in range(50):
        kind = generate.choice(list(EnvelopeKind))
        group = b"" if kind in SEALED_KINDS else GROUP
        room.post_envelope(EVE, envelope(kind, group, generate.randbytes(100)).encode(), transaction=f"j{number}")
        room.post_envelope(EVE, generate.randbytes(60), transaction=f"k{number}")
    await world.settle()
    assert sequencer(process).alarm is None

    room.post_envelope(ALICE, message(COMMIT, b"y"), transaction="2")
    await world.settle()

    own = [
        event.envelope for event in room.events() if isinstance(event, EnvelopeSeen) and event.origin.sender == BRIDGE
    ]
    assert len([data for data in own if open_envelope(data).kind == EnvelopeKind.SEAL]) == 2


async def test_the_time_to_a_seal_is_told(world: World, tmp_path: Path) -> None:
    room = home(world)
    delays = list[int]()
    process = await world.process(tmp_path / "s.db", [(BRIDGE, HOME)], sequencing(on_shown=delays.append))
    await world.settle()
    room.post_envelope(ALICE, message(COMMIT, b"x"), transaction="1")
    await process.read(BRIDGE)
    await process.step(sequencer(process))
    world.clock.advance(700)
    await world.settle()

    assert len(sealed(room)) == 1
    assert len(delays) == 1
    assert 700 <= delays[0] <= 3_000

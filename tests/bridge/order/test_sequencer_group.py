"""A sequencer that is told which group is the room's: whoever is there first, it seals that one and no other."""

from pathlib import Path

import pytest

from bridge.order.sealing import SealingSettings, Stop
from bridge.order.sequencer import sealed_group
from bridge.protocol.bodies import open_body
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import identity_of, open_envelope
from bridge.protocol.seal import Seal, SealContent, check_seal, start_of_log
from mls.crypto.signature import Ed25519, SignaturePrivateKey
from tests.bridge.order.sequencers import ALICE, BRIDGE, COMMIT, EVE, HOME, home, sealed, sequencer, sequencing, start
from tests.bridge.relay.world import GROUP, Process, World, message, posted
from transports.memory import MemoryRoom

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

OTHER = b"another group"
KEY = SignaturePrivateKey(Ed25519(), bytes(range(32)))
TOLD, UNTOLD = SealingSettings(group_id=GROUP), SealingSettings()


def log_of(room: MemoryRoom, group_id: bytes) -> list[SealContent]:
    """The seals of one group in the room, each one once, checked: signature, and one chain from its start."""
    found = dict[bytes, SealContent]()
    for data in posted(room, EnvelopeKind.SEAL):
        seal = open_body(Seal, open_envelope(data))
        check_seal(seal, KEY.public_key)
        if seal.content.group_id == group_id:
            found.setdefault(seal.content.hash, seal.content)
    previous = start_of_log(group_id, KEY.public_key, 0).seal_hash
    for number, content in enumerate(found.values(), 1):
        assert (content.seq, content.previous) == (number, previous)
        previous = content.hash
    return list(found.values())


def identities(room: MemoryRoom, group_id: bytes) -> list[bytes]:
    return [entry.identity for content in log_of(room, group_id) for entry in content.entries]


async def tell(process: Process, settings: SealingSettings) -> None:
    """Start a process again under another configuration."""
    process._build = sequencing(settings, KEY)
    await process.restart()


async def test_a_group_that_was_not_named_is_not_sealed_even_if_it_is_there_first(world: World, tmp_path: Path) -> None:
    room = home(world)
    process = await start(world, tmp_path, TOLD)
    await world.settle()
    room.post_envelope(EVE, message(COMMIT, b"first", OTHER), transaction="1")
    await world.settle()
    assert posted(room, EnvelopeKind.SEAL) == []
    warning = sequencer(process).warning
    assert warning is not None
    assert OTHER.hex() in warning
    assert GROUP.hex() in warning

    room.post_envelope(ALICE, message(COMMIT, b"ours"), transaction="2")
    await world.settle()

    assert sealed(room) == [identity_of(message(COMMIT, b"ours"))]
    assert sequencer(process).alarm is None
    async with process.store.transaction() as tx:
        assert await sealed_group(tx, BRIDGE, HOME) == GROUP


async def test_another_group_that_was_there_before_the_first_start_is_told_of_too(world: World, tmp_path: Path) -> None:
    room = home(world)
    room.post_envelope(EVE, message(COMMIT, b"first", OTHER), transaction="1")
    process = await start(world, tmp_path, TOLD)
    await world.settle()

    assert posted(room, EnvelopeKind.SEAL) == []
    assert sequencer(process).warning is not None


async def test_without_another_group_there_is_nothing_to_warn_of(world: World, tmp_path: Path) -> None:
    room = home(world)
    process = await start(world, tmp_path, TOLD)
    room.post_envelope(ALICE, message(COMMIT, b"ours"), transaction="1")
    room.post_envelope(ALICE, message(COMMIT, b"of none", b""), transaction="2")
    await world.settle()

    assert sequencer(process).warning is None


async def test_it_turns_from_a_group_that_was_there_first_and_back_without_sealing_a_place_twice(
    world: World, tmp_path: Path
) -> None:
    room = home(world)
    process = await start(world, tmp_path, UNTOLD, key=KEY)
    await world.settle()
    room.post_envelope(EVE, message(COMMIT, b"eve", OTHER), transaction="1")
    await world.settle()
    room.post_envelope(EVE, message(COMMIT, b"under way", OTHER), transaction="2")
    await process.read(BRIDGE)
    world.clock.advance(100)
    await process.step(sequencer(process))  # its seal is in the outbox, and the room shows it after the turn

    await tell(process, TOLD)
    room.post_envelope(ALICE, message(COMMIT, b"alice"), transaction="3")
    room.post_envelope(EVE, message(COMMIT, b"eve again", OTHER), transaction="4")
    await world.settle()
    assert identities(room, GROUP) == [identity_of(message(COMMIT, b"alice"))]
    assert len(log_of(room, OTHER)) == 2
    assert sequencer(process).alarm is None
    assert sequencer(process).warning is not None

    await tell(process, SealingSettings(group_id=OTHER))
    room.post_envelope(EVE, message(COMMIT, b"and again", OTHER), transaction="5")
    await world.settle()

    assert len(log_of(room, OTHER)) == 3
    assert len(log_of(room, GROUP)) == 1
    assert sequencer(process).alarm is None


async def test_what_it_was_told_outlives_the_configuration_that_told_it(world: World, tmp_path: Path) -> None:
    room = home(world)
    process = await start(world, tmp_path, TOLD, key=KEY)
    room.post_envelope(ALICE, message(COMMIT, b"alice"), transaction="1")
    await world.settle()

    await tell(process, UNTOLD)
    room.post_envelope(EVE, message(COMMIT, b"eve", OTHER), transaction="2")
    room.post_envelope(ALICE, message(COMMIT, b"alice again"), transaction="3")
    await world.settle()

    assert len(identities(room, GROUP)) == 2
    assert log_of(room, OTHER) == []


@pytest.mark.parametrize("last", [TOLD, SealingSettings(group_id=OTHER)], ids=["the same", "the one left"])
async def test_a_memory_that_is_gone_is_rebuilt_of_the_named_group(
    world: World, tmp_path: Path, last: SealingSettings
) -> None:
    room = home(world)
    first = await start(world, tmp_path, UNTOLD, key=KEY)
    room.post_envelope(EVE, message(COMMIT, b"eve", OTHER), transaction="1")
    await world.settle()
    await tell(first, TOLD)
    room.post_envelope(ALICE, message(COMMIT, b"alice"), transaction="2")
    await world.settle()
    await first.stop()

    second = await start(world, tmp_path, TOLD, name="without a memory", key=KEY)
    await world.settle()
    assert sequencer(second).alarm is None
    await tell(second, last)
    room.post_envelope(ALICE, message(COMMIT, b"alice again"), transaction="3")
    room.post_envelope(EVE, message(COMMIT, b"eve again", OTHER), transaction="4")
    await world.settle()

    assert sequencer(second).alarm is None
    assert (len(log_of(room, GROUP)), len(log_of(room, OTHER))) == ((2, 1) if last is TOLD else (1, 2))


async def test_a_store_put_back_from_a_backup_stops_it_whatever_group_it_had_sealed(
    world: World, tmp_path: Path
) -> None:
    room = home(world)
    process = await start(world, tmp_path, UNTOLD, key=KEY)
    await world.settle()
    await process.stop()
    backup = process.path.read_bytes()
    await process.start()
    room.post_envelope(EVE, message(COMMIT, b"eve", OTHER), transaction="1")
    await world.settle()
    await process.stop()
    process.path.write_bytes(backup)
    process._build = sequencing(TOLD, KEY)

    await process.start()
    room.post_envelope(ALICE, message(COMMIT, b"alice"), transaction="2")
    await world.settle()

    assert sequencer(process).alarm == Stop.UNKNOWN_SEAL
    assert log_of(room, GROUP) == []

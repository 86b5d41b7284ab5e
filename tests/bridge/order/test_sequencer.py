"""A sequencer over a real store and a room in memory: each hash once, in one chain, whatever happens to the process."""

import random
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.order.lanes import ByteQuota
from bridge.order.sealing import MAX_IN_FLIGHT, SealingSettings, Stop
from bridge.order.sequencer import Sequencer, signing_key
from bridge.protocol.bodies import Hello, open_body
from bridge.protocol.code_points import MAX_INLINE, MAX_SEAL_ENTRIES, SEALED_KINDS, EnvelopeKind
from bridge.protocol.envelope import envelope, identity_of, open_envelope
from bridge.protocol.seal import Seal, SealContent, check_seal, sign_seal, start_of_log
from bridge.service.consumer import Consumer
from bridge.store import OutboxEntry, Transaction
from mls.crypto.signature import Ed25519, SignaturePrivateKey
from tests.bridge.relay.world import GROUP, Build, Process, World, crashing, message, posted
from transports.memory import MemoryRoom, Rate, RoomKind, RoomRules
from transports.room import Account, EnvelopeSeen, RoomAddress

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

HOME = RoomAddress("memory:home")
BRIDGE, ALICE, EVE = (Account(f"memory:{name}") for name in ("bridge", "alice", "eve"))
COMMIT = EnvelopeKind.HANDSHAKE
DAY = 86_400_000


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.close()


def home(world: World, rules: RoomRules | None = None, kind: RoomKind = RoomKind.MUC) -> MemoryRoom:
    return world.network.create_room(HOME, members=(ALICE, EVE), rules=rules, kind=kind)


def sequencing(
    sealing: SealingSettings | None = None,
    key: SignaturePrivateKey | None = None,
    on_shown: Callable[[int], None] = lambda _: None,
) -> Build:
    async def build(tx: Transaction, process: Process) -> Sequence[Consumer]:
        chosen = key or await signing_key(tx, HOME, random.Random(str(process.path)).randbytes)
        hello = Hello(b"test", (HOME.encode(),), chosen.public_key, 1 << 20)
        return [
            Sequencer(
                BRIDGE,
                HOME,
                key=chosen,
                hello=hello,
                settings=sealing or SealingSettings(),
                random=process.world.random.randbytes,
                on_shown=on_shown,
            )
        ]

    return build


async def start(
    world: World,
    folder: Path,
    sealing: SealingSettings | None = None,
    *,
    name: str = "s",
    key: SignaturePrivateKey | None = None,
) -> Process:
    return await world.process(folder / f"{name}.db", [(BRIDGE, HOME)], sequencing(sealing, key))


def sequencer(process: Process) -> Sequencer:
    (consumer,) = process.consumers
    assert isinstance(consumer, Sequencer)
    return consumer


def seals(room: MemoryRoom) -> list[SealContent]:
    """The seals in the room, each one once, checked: signature, chain, no hash twice."""
    found: dict[bytes, Seal] = {}
    for data in posted(room, EnvelopeKind.SEAL):
        seal = open_body(Seal, open_envelope(data))
        found.setdefault(seal.content.hash, seal)
    hellos = [open_body(Hello, open_envelope(data)) for data in posted(room, EnvelopeKind.HELLO)]
    (key,) = {hello.sequencer_key for hello in hellos}
    contents = [seal.content for seal in found.values()]
    for seal in found.values():
        check_seal(seal, key)
    if contents:
        previous = start_of_log(contents[0].group_id, key, 0).seal_hash
        for number, content in enumerate(contents, 1):
            assert (content.seq, content.previous) == (number, previous)
            previous = content.hash
    identities = [entry.identity for content in contents for entry in content.entries]
    assert len(identities) == len(set(identities))
    return contents


def sealed(room: MemoryRoom) -> list[bytes]:
    return [entry.identity for content in seals(room) for entry in content.entries]


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


async def refuse(process: Process) -> None:
    """Do as a publisher does whose room takes nothing of what waits for it, for good."""
    async with process.store.transaction() as tx:
        for waiting in await tx.outbox.waiting(BRIDGE, HOME, 100):
            await tx.outbox.drop(waiting.id)
            sequencer(process).publishing_failed(waiting.entry, "too large")


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

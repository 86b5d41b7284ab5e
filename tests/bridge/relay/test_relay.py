"""What a relay copies from one room to another, and what it says of itself and of who comes and goes."""

import random
from collections import Counter
from pathlib import Path

import pytest

from bridge.protocol.bodies import Hello, MembershipClaim, open_body
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import Envelope, open_envelope
from bridge.relay import Counted, RelaySettings
from tests.bridge.relay.relays import ALICE, BOB, EVE, TALK, A, B, C, relay, relaying, rooms, sides_of
from tests.bridge.relay.world import GROUP, World, message, posted
from transports.memory import RoomRules
from transports.room import Account, EnvelopeSeen, MembershipSeen, RoomAddress

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def test_an_envelope_is_copied_once_with_a_note_of_where_it_was_seen(world: World, tmp_path: Path) -> None:
    a, b = rooms(world, A, B)
    await relay(world, tmp_path, "relay", A, B)
    event_id = a.post_envelope(ALICE, message(TALK, b"hello"), transaction="1")

    await world.settle()

    (copy,) = [event for event in b.events() if isinstance(event, EnvelopeSeen) and event.note is not None]
    assert copy.envelope == message(TALK, b"hello")
    assert copy.note is not None
    assert (copy.note.room, copy.note.sender, copy.note.event_id) == (A, ALICE, event_id)
    assert posted(a, TALK) == posted(b, TALK) == [message(TALK, b"hello")]


async def test_both_ways_and_in_each_senders_order(world: World, tmp_path: Path) -> None:
    a, b = rooms(world, A, B)
    await relay(world, tmp_path, "relay", A, B)
    for number in range(150):
        a.post_envelope(ALICE, message(TALK, b"a%d" % number), transaction=f"a{number}")
        b.post_envelope(BOB, message(TALK, b"b%d" % number), transaction=f"b{number}")

    await world.settle()

    for room in (a, b):
        bodies = [open_envelope(data).body for data in posted(room, TALK)]
        assert [body for body in bodies if body[:1] == b"a"] == [b"a%d" % number for number in range(150)]
        assert [body for body in bodies if body[:1] == b"b"] == [b"b%d" % number for number in range(150)]
        assert len(bodies) == 300


async def test_kinds_of_the_future_are_copied(world: World, tmp_path: Path) -> None:
    a, b = rooms(world, A, B)
    await relay(world, tmp_path, "relay", A, B)
    data = Envelope(1, 200, GROUP, b"who knows").encode()
    a.post_envelope(ALICE, data, transaction="1")

    await world.settle()

    assert posted(b, 200) == [data]


async def test_large_envelopes_travel_between_rooms_of_other_limits(world: World, tmp_path: Path) -> None:
    (a,) = rooms(world, A, rules=RoomRules(envelope_bytes=120_000))
    (b,) = rooms(world, B, rules=RoomRules(envelope_bytes=20_000))
    process = await relay(world, tmp_path, "relay", A, B)
    data = message(EnvelopeKind.WELCOME, bytes(100_000))
    a.post_envelope(ALICE, data, transaction="1")

    await world.settle()

    assert len(posted(b, EnvelopeKind.FRAGMENT)) == 6
    async with process.store.transaction() as tx:
        stored = (await tx.events.after(process.consumers[1].account, B, 0, 100)).events
    assert data in [one.event.envelope for one in stored if isinstance(one.event, EnvelopeSeen)]


async def test_nothing_is_copied_to_a_room_that_has_not_been_read(world: World, tmp_path: Path) -> None:
    a, b = rooms(world, A, B)
    live = {A}
    sides = sides_of("relay", A, B)
    build = relaying(sides, is_live=lambda side: side.room in live)
    process = await world.process(tmp_path / "relay.db", [(side.account, side.room) for side in sides], build)
    a.post_envelope(ALICE, message(TALK, b"known there"), transaction="1")
    a.post_envelope(ALICE, message(TALK, b"new"), transaction="2")
    await process.work()
    b.post_envelope(EVE, message(TALK, b"known there"), transaction="1")
    await world.settle(limit=60)
    assert posted(b, TALK) == [message(TALK, b"known there")]

    live.add(B)
    await world.settle()

    assert posted(b, TALK) == [message(TALK, b"known there"), message(TALK, b"new")]


async def test_what_was_held_until_a_room_was_read_is_not_overtaken(world: World, tmp_path: Path) -> None:
    a, b = rooms(world, A, B)
    live = {A}
    sides = sides_of("relay", A, B)
    build = relaying(sides, is_live=lambda side: side.room in live)
    process = await world.process(tmp_path / "relay.db", [(side.account, side.room) for side in sides], build)
    a.post_envelope(ALICE, message(TALK, b"first"), transaction="1")
    await process.work()

    live.add(B)
    a.post_envelope(ALICE, message(TALK, b"second"), transaction="2")
    await world.settle()

    assert posted(b, TALK) == [message(TALK, b"first"), message(TALK, b"second")]


async def test_a_room_that_has_ended_gets_and_gives_nothing_more(world: World, tmp_path: Path) -> None:
    a, b, c = rooms(world, A, B, C)
    ended, counted = set[RoomAddress](), Counter[Counted]()
    sides = sides_of("relay", A, B, C)
    build = relaying(sides, counted=counted, has_ended=lambda side: side.room in ended)
    process = await world.process(tmp_path / "relay.db", [(side.account, side.room) for side in sides], build)
    await world.settle()
    a.post_envelope(ALICE, message(TALK, b"before"), transaction="1")
    a.end("it was upgraded")
    await process.read(sides[0].account)
    ended.add(A)
    await world.settle()
    b.post_envelope(BOB, message(TALK, b"after"), transaction="2")
    await world.settle()

    assert posted(a, TALK) == [message(TALK, b"before")]
    assert posted(b, TALK) == posted(c, TALK) == [message(TALK, b"before"), message(TALK, b"after")]
    assert counted[Counted.ROOM_ENDED] == 1
    async with process.store.transaction() as tx:
        assert await tx.outbox.waiting(sides[0].account, A, 10) == []


async def test_joins_and_leaves_are_claimed_on_the_other_side_and_not_echoed(world: World, tmp_path: Path) -> None:
    a, b = rooms(world, A, B)
    await relay(world, tmp_path, "relay", A, B)
    await world.settle()
    before = len(posted(b, EnvelopeKind.MEMBERSHIP))
    carol = Account("memory:carol")
    a.join(carol)
    a.ban(carol, by=ALICE)

    await world.settle()

    claims = [open_body(MembershipClaim, open_envelope(data)) for data in posted(b, EnvelopeKind.MEMBERSHIP)][before:]
    assert [(claim.room, claim.account, claim.membership, claim.by) for claim in claims] == [
        (A.encode(), carol.encode(), b"joined", carol.encode()),
        (A.encode(), carol.encode(), b"banned", ALICE.encode()),
    ]
    about_a = [open_body(MembershipClaim, open_envelope(data)).room for data in posted(a, EnvelopeKind.MEMBERSHIP)]
    assert A.encode() not in about_a
    for room in (a, b):
        accounts = [
            open_body(MembershipClaim, open_envelope(data)).account for data in posted(room, EnvelopeKind.MEMBERSHIP)
        ]
        assert b"memory:relay" not in accounts


async def test_plaintext_is_counted_and_not_copied(world: World, tmp_path: Path) -> None:
    a, b = rooms(world, A, B)
    counted: Counter[Counted] = Counter()
    sides = sides_of("relay", A, B)
    await world.process(
        tmp_path / "relay.db", [(side.account, side.room) for side in sides], relaying(sides, counted=counted)
    )
    a.post_plaintext(ALICE, "in clear")
    a.post_malformed(EVE, "broken base64")

    await world.settle()

    assert counted[Counted.PLAINTEXT] == counted[Counted.MALFORMED] == 1
    kinds = {open_envelope(event.envelope).kind for event in b.events() if isinstance(event, EnvelopeSeen)}
    assert kinds <= {EnvelopeKind.HELLO, EnvelopeKind.MEMBERSHIP}
    assert all(isinstance(event, EnvelopeSeen | MembershipSeen) for event in b.events())


async def test_bytes_that_are_no_envelope_and_ones_too_large_are_not_copied(world: World, tmp_path: Path) -> None:
    a, b = rooms(world, A, B)
    sides = sides_of("relay", A, B)
    counted: Counter[Counted] = Counter()
    settings = RelaySettings(link="tea", software="test", rooms=(A, B), max_envelope=1000)
    build = relaying(sides, settings=settings, counted=counted)
    await world.process(tmp_path / "relay.db", [(side.account, side.room) for side in sides], build)
    generate = random.Random(5)
    for number in range(30):
        a.post_envelope(EVE, generate.randbytes(generate.randint(0, 300)), transaction=f"junk{number}")
    a.post_envelope(EVE, message(TALK, bytes(1001)), transaction="large")
    a.post_envelope(EVE, message(EnvelopeKind.HELLO, b"\xff"), transaction="hello")
    a.post_envelope(EVE, message(EnvelopeKind.MEMBERSHIP, b"\xff"), transaction="claim")
    a.post_envelope(EVE, message(EnvelopeKind.FRAGMENT, b"\xff"), transaction="part")
    a.post_envelope(ALICE, message(TALK, b"fine"), transaction="1")

    await world.settle()

    assert posted(b, TALK) == [message(TALK, b"fine")]
    assert counted[Counted.TOO_LARGE] == 1
    assert counted[Counted.MALFORMED] == 31
    assert message(EnvelopeKind.HELLO, b"\xff") in posted(b, EnvelopeKind.HELLO)


async def test_a_hello_stands_in_each_room_and_is_repeated_after_a_week_or_a_change(
    world: World, tmp_path: Path
) -> None:
    a, b = rooms(world, A, B)
    process = await relay(world, tmp_path, "relay", A, B)
    await world.settle()
    for room in (a, b):
        (data,) = posted(room, EnvelopeKind.HELLO)
        hello = open_body(Hello, open_envelope(data))
        assert hello.rooms == (A.encode(), B.encode())
        assert len(hello.software) <= 64
        assert hello.sequencer_key == b""
    await process.restart()
    await world.settle()
    assert len(posted(a, EnvelopeKind.HELLO)) == 1

    world.clock.advance(7 * 86_400_000)
    await process.restart()
    await world.settle()
    first, second = posted(a, EnvelopeKind.HELLO)
    assert first == second

    await process.stop()
    sides = sides_of("relay", A, B)
    settings = RelaySettings(link="tea", software="test", rooms=(A, B), sequencer_key=bytes(32))
    process._build = relaying(sides, settings=settings)
    await process.start()
    await world.settle()
    assert open_body(Hello, open_envelope(posted(a, EnvelopeKind.HELLO)[-1])).sequencer_key == bytes(32)
    assert len(posted(a, EnvelopeKind.HELLO)) == 3

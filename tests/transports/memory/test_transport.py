"""What every transport promises, of the one in memory: rooms, rules, connections."""

import asyncio
import random

import pytest

from tests.transports.memory.reading import envelopes, read
from tests.transports.memory.scene import ALICE, BOB, EVE, TEA, enter, world
from transports.errors import (
    ConnectionLostError,
    ForbiddenError,
    LoginError,
    RateLimitedError,
    RoomNotFoundError,
    TooLargeError,
)
from transports.memory import (
    Delay,
    LoopClock,
    MemoryNetwork,
    Rate,
    RoomKind,
    RoomRules,
    VirtualClock,
)
from transports.room import (
    ConnectionState,
    EnvelopeSeen,
    Member,
    Membership,
    Network,
    PlaintextSeen,
    RelayNote,
    RoomAddress,
    Transport,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(20)]


async def test_an_account_is_on_the_network_that_its_uri_names() -> None:
    network, _ = world()
    transports: list[Transport] = [network.transport(account) for account in (ALICE, BOB, EVE)]

    assert [transport.network for transport in transports] == [Network.MEMORY, Network.XMPP, Network.MATRIX]
    assert [transport.account for transport in transports] == [ALICE, BOB, EVE]


async def test_own_envelopes_come_back_with_their_transaction_and_others_have_none() -> None:
    network, _ = world()
    alice, bob = await enter(network, ALICE), await enter(network, BOB)
    note = RelayNote(RoomAddress("xmpp:tea@muc"), EVE, "id", 5)

    await alice.publish(TEA, b"one", transaction="t-1", note=note)

    (own,) = [event for event in (await read(alice))[0] if isinstance(event, EnvelopeSeen)]
    (others,) = [event for event in (await read(bob))[0] if isinstance(event, EnvelopeSeen)]
    assert (own.transaction, others.transaction) == ("t-1", None)
    assert own.origin == others.origin
    assert own.origin.sender == ALICE
    assert own.note == others.note == note


@pytest.mark.parametrize("kind, times", [(RoomKind.MUC, 2), (RoomKind.MATRIX, 1)])
async def test_a_repeated_transaction_is_dropped_on_matrix_and_doubled_on_xmpp(kind: RoomKind, times: int) -> None:
    network, _ = world(kind=kind)
    alice = await enter(network, ALICE)

    for _ in range(2):
        await alice.publish(TEA, b"one", transaction="t")

    assert envelopes((await read(alice))[0]) == [b"one"] * times


async def test_a_stream_waits_for_what_comes_next_and_ends_with_close() -> None:
    network, room = world()
    alice = await enter(network, ALICE)
    seen: list[bytes] = []

    async def follow() -> None:
        async for batch in alice.batches(None):
            seen.extend(envelopes(batch.events))

    following = asyncio.ensure_future(follow())
    for number in range(3):
        room.post_envelope(ALICE, b"%d" % number, transaction=str(number))
        for _ in range(5):
            await asyncio.sleep(0)
        assert seen[-1] == b"%d" % number
    await alice.close()
    await alice.close()
    await following

    assert seen == [b"0", b"1", b"2"]
    with pytest.raises(ConnectionLostError):
        await alice.publish(TEA, b"late", transaction="t")


async def test_a_stream_is_read_by_one_reader() -> None:
    network, _ = world()
    alice = await enter(network, ALICE)
    batches = alice.batches(None)
    await anext(batches)

    with pytest.raises(RuntimeError):
        await anext(alice.batches(None))
    await batches.aclose()  # type: ignore[attr-defined]


async def test_a_lost_connection_comes_back_with_what_was_missed() -> None:
    network, room = world()
    alice = await enter(network, ALICE)
    states: list[ConnectionState] = []
    alice.on_state = states.append
    batches = alice.batches(None)
    await anext(batches)

    network.disconnect(ALICE)
    room.join(BOB)
    room.post_envelope(BOB, b"missed", transaction="1")
    waiting = asyncio.ensure_future(anext(batches))
    await asyncio.sleep(0)
    assert not waiting.done()
    with pytest.raises(ConnectionLostError):
        await alice.publish(TEA, b"x", transaction="2")
    network.reconnect(ALICE)

    assert envelopes((await waiting).events) == [b"missed"]
    assert states == [
        ConnectionState.LIVE,
        ConnectionState.LOST,
        ConnectionState.CONNECTING,
        ConnectionState.LIVE,
    ]
    await batches.aclose()  # type: ignore[attr-defined]


async def test_an_answer_can_be_lost_on_the_way_although_the_envelope_arrived() -> None:
    network, _ = world()
    alice = await enter(network, ALICE)
    network.lose_answers(ALICE)

    with pytest.raises(ConnectionLostError):
        await alice.publish(TEA, b"one", transaction="1")

    assert envelopes((await read(alice))[0]) == [b"one"]


async def test_a_revoked_account_is_told_so_everywhere() -> None:
    network, _ = world()
    alice = await enter(network, ALICE)
    batches = alice.batches(None)
    await anext(batches)
    waiting = asyncio.ensure_future(anext(batches))
    await asyncio.sleep(0)

    network.revoke(ALICE)

    with pytest.raises(LoginError):
        await waiting
    with pytest.raises(LoginError):
        await alice.publish(TEA, b"x", transaction="1")
    with pytest.raises(LoginError):
        await network.transport(ALICE).start()


async def test_rules_of_a_room_are_enforced() -> None:
    network, room = world(RoomRules(envelope_bytes=10, rate=Rate(per_second=0.2, burst=2), is_open=False))
    clock = network.clock
    assert isinstance(clock, VirtualClock)
    outsider = network.transport(EVE)
    await outsider.start()
    with pytest.raises(ForbiddenError):
        await outsider.join(TEA)
    with pytest.raises(ForbiddenError):
        await outsider.members(TEA)
    with pytest.raises(RoomNotFoundError):
        await outsider.join("memory:nowhere")
    room.invite(ALICE, by=ALICE)
    alice = await enter(network, ALICE)

    with pytest.raises(TooLargeError) as too_large:
        await alice.publish(TEA, bytes(11), transaction="1")
    for number in range(2):
        await alice.publish(TEA, bytes(10), transaction=f"a{number}")
    with pytest.raises(RateLimitedError) as too_fast:
        await alice.publish(TEA, bytes(10), transaction="b")
    clock.advance(5000)
    await alice.publish(TEA, bytes(10), transaction="b")
    room.lift_rate(ALICE)
    for number in range(20):
        await alice.publish(TEA, bytes(10), transaction=f"c{number}")

    assert too_large.value.limit == 10
    assert too_fast.value.after == pytest.approx(5)


async def test_power_is_needed_where_the_room_says_so() -> None:
    network, room = world(RoomRules(power_to_post=50))
    alice = await enter(network, ALICE)
    with pytest.raises(ForbiddenError):
        await alice.publish(TEA, b"x", transaction="1")

    room.set_power(ALICE, 50)
    await alice.publish(TEA, b"x", transaction="1")

    assert await alice.members(TEA) == (Member(ALICE, Membership.JOINED, "alice", 50),)


async def test_what_is_posted_takes_the_time_that_the_room_says() -> None:
    network, room = world(RoomRules(posting=Delay(100, 100)))
    clock = network.clock
    assert isinstance(clock, VirtualClock)
    alice = await enter(network, ALICE)
    posting = asyncio.ensure_future(alice.publish(TEA, b"x", transaction="1"))
    await asyncio.sleep(0)
    clock.advance(99)
    await asyncio.sleep(0)
    assert not posting.done()
    clock.advance(1)
    await posting
    assert envelopes(room.events()) == [b"x"]

    lost = asyncio.ensure_future(alice.publish(TEA, b"y", transaction="2"))
    await asyncio.sleep(0)
    network.disconnect(ALICE)
    network.reconnect(ALICE)
    with pytest.raises(ConnectionLostError):
        await lost
    assert envelopes(room.events()) == [b"x"]


async def test_the_event_loops_time_serves_as_well() -> None:
    network = MemoryNetwork(clock=LoopClock(), random=random.Random(1))
    room = network.create_room(TEA, name="Tea", rules=RoomRules(posting=Delay(5, 10)))
    alice = await enter(network, ALICE)

    await asyncio.gather(*(alice.publish(TEA, b"x", transaction=str(number)) for number in range(5)))

    assert len(envelopes(room.events())) == 5


async def test_notices_are_plain_text_for_everybody() -> None:
    network, _ = world()
    alice, bob = await enter(network, ALICE), await enter(network, BOB)

    await alice.post_notice(TEA, "x" * 70_000, transaction="n")

    (seen,) = [event for event in (await read(bob))[0] if isinstance(event, PlaintextSeen)]
    assert len(seen.body) == 65_536


@pytest.mark.parametrize("transaction", ["", "a" * 65, "a b", "ä"])
async def test_a_transaction_is_short_and_plain(transaction: str) -> None:
    network, _ = world()
    alice = await enter(network, ALICE)

    with pytest.raises(ValueError, match="transaction"):
        await alice.publish(TEA, b"x", transaction=transaction)


async def test_sleepers_wake_when_their_time_has_come() -> None:
    clock = VirtualClock()
    woken: list[int] = []

    async def sleep(milliseconds: int) -> None:
        await clock.sleep_until(clock.now() + milliseconds)
        woken.append(milliseconds)

    sleepers = [asyncio.ensure_future(sleep(milliseconds)) for milliseconds in (300, 100, 0)]
    await asyncio.sleep(0)
    assert woken == [0]
    assert clock.next_due() == clock.now() + 100
    clock.advance(300)
    await asyncio.gather(*sleepers)

    assert sorted(woken) == [0, 100, 300]
    real = LoopClock()
    until = real.now() + 5
    await real.sleep_until(until)
    assert real.now() >= until

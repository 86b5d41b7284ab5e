"""What networks do to a room: membership, and whose order it has."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transports.memory.reading import envelopes, read
from transports.errors import ForbiddenError
from transports.memory import Delay, MemoryNetwork, MemoryRoom, RoomKind, RoomRules, VirtualClock
from transports.room import Account, MalformedSeen, Membership, MembershipSeen, RoomAddress

ALICE, BOB = Account("matrix:u/alice:one"), Account("matrix:u/bob:two")
TEA = RoomAddress("matrix:roomid/tea")


def two_servers(seed: int = 1, rules: RoomRules | None = None) -> tuple[MemoryNetwork, MemoryRoom, VirtualClock]:
    clock = VirtualClock()
    network = MemoryNetwork(clock=clock, random=random.Random(seed))
    network.add_account(ALICE, server="one")
    network.add_account(BOB, server="two")
    room = network.create_room(
        TEA, kind=RoomKind.MATRIX, servers=("one", "two"), rules=rules or RoomRules(), members=(ALICE, BOB)
    )
    clock.advance(1000)
    return network, room, clock


def memberships(room: MemoryRoom, server: str | None = None) -> list[tuple[Account, Membership]]:
    return [(event.account, event.membership) for event in room.events(server) if isinstance(event, MembershipSeen)]


def test_homeservers_order_simultaneous_envelopes_differently() -> None:
    _, room, clock = two_servers()

    room.post_envelope(ALICE, b"a", transaction="1")
    room.post_envelope(BOB, b"b", transaction="1")
    clock.advance(1000)

    assert envelopes(room.events("one")) == [b"a", b"b"]
    assert envelopes(room.events("two")) == [b"b", b"a"]


@given(st.integers(0, 1000), st.lists(st.tuples(st.booleans(), st.integers(0, 200)), max_size=30))
def test_every_server_gets_every_envelope_once_and_each_senders_in_order(
    seed: int, posts: list[tuple[bool, int]]
) -> None:
    _, room, clock = two_servers(seed)
    for number, (by_bob, pause) in enumerate(posts):
        room.post_envelope(BOB if by_bob else ALICE, b"%d %d" % (by_bob, number), transaction=str(number))
        clock.advance(pause)
    clock.advance(1000)

    one, two = envelopes(room.events("one")), envelopes(room.events("two"))

    assert sorted(one) == sorted(two)
    assert len(one) == len(posts)
    for sender in (b"0", b"1"):
        assert [data for data in one if data[:1] == sender] == [data for data in two if data[:1] == sender]


def test_the_same_seed_gives_the_same_run() -> None:
    def run(seed: int) -> list[bytes]:
        _, room, clock = two_servers(seed)
        for number in range(40):
            room.post_envelope(BOB if number % 2 else ALICE, b"%d" % number, transaction=str(number))
            clock.advance(17)
        clock.advance(1000)
        return envelopes(room.events("two"))

    assert run(4) == run(4)
    assert len({tuple(run(seed)) for seed in range(8)}) > 1


def test_parted_servers_go_on_and_meet_again() -> None:
    _, room, clock = two_servers()
    room.post_envelope(ALICE, b"on the way", transaction="0")
    room.cut("one", "two")
    room.post_envelope(ALICE, b"a", transaction="1")
    room.post_envelope(BOB, b"b", transaction="1")
    clock.advance(60_000)
    assert envelopes(room.events("two")) == [b"b"]

    room.heal("one", "two")
    clock.advance(1000)

    assert envelopes(room.events("one")) == [b"on the way", b"a", b"b"]
    assert envelopes(room.events("two")) == [b"b", b"on the way", b"a"]


@pytest.mark.asyncio
async def test_an_archive_on_matrix_has_another_order_than_the_stream() -> None:
    network, room, clock = two_servers(rules=RoomRules(gap_events=4, federation=Delay(10, 10)))
    alice = network.transport(ALICE)
    await alice.start()
    await alice.join(TEA)
    _, cursor = await read(alice)
    room.cut("one", "two")
    for number in range(3):
        room.post_envelope(ALICE, b"a%d" % number, transaction=str(number))
        room.post_envelope(BOB, b"b%d" % number, transaction=str(number))
    room.heal("one", "two")
    clock.advance(1000)

    events, cursor = await read(alice, cursor)

    assert envelopes(room.events("one")) == [b"a0", b"a1", b"a2", b"b0", b"b1", b"b2"]
    assert envelopes(events) == [b"a0", b"b0", b"a1", b"b1", b"a2", b"b2"]
    assert (await read(alice, cursor))[0] == []


def test_a_muc_stands_on_one_server() -> None:
    network = MemoryNetwork(clock=VirtualClock(), random=random.Random(1))
    with pytest.raises(ValueError, match="one server"):
        network.create_room(TEA, kind=RoomKind.MUC, servers=("one", "two"))
    network.create_room(TEA)
    with pytest.raises(ValueError, match="exists"):
        network.create_room(TEA)


@pytest.mark.parametrize("kind, stays", [(RoomKind.MUC, True), (RoomKind.MATRIX, False)])
def test_a_kick_ends_the_membership_on_matrix_alone(kind: RoomKind, stays: bool) -> None:  # noqa: FBT001
    network = MemoryNetwork(clock=VirtualClock(), random=random.Random(1))
    room = network.create_room(TEA, kind=kind, members=(ALICE, BOB), rules=RoomRules(is_open=False))

    room.kick(BOB, by=ALICE)

    assert memberships(room)[-1] == (BOB, Membership.KICKED)
    assert (BOB in [member.account for member in room.members()]) is stays
    with pytest.raises(ForbiddenError):
        room.post_plaintext(BOB, "still here?")
    if stays:
        room.join(BOB)
    else:
        with pytest.raises(ForbiddenError):
            room.join(BOB)
        room.invite(BOB, by=ALICE)
        room.join(BOB)
    room.post_plaintext(BOB, "back")


def test_who_is_banned_stays_out() -> None:
    network = MemoryNetwork(clock=VirtualClock(), random=random.Random(1))
    room = network.create_room(TEA, members=(ALICE,))

    room.ban(BOB, by=ALICE)

    with pytest.raises(ForbiddenError):
        room.join(BOB)
    room.invite(BOB, by=ALICE)
    room.join(BOB)
    assert room.is_in(BOB)


@pytest.mark.asyncio
async def test_who_is_put_out_sees_that_and_nothing_after_until_it_is_back() -> None:
    network, room, clock = two_servers()
    bob = network.transport(BOB)
    await bob.start()
    await bob.join(TEA)
    _, cursor = await read(bob)

    room.kick(BOB, by=ALICE)
    clock.advance(1000)
    room.post_envelope(ALICE, b"without bob", transaction="1")
    clock.advance(1000)
    events, cursor = await read(bob, cursor)
    assert [event.membership for event in events if isinstance(event, MembershipSeen)] == [Membership.KICKED]
    assert envelopes(events) == []

    room.invite(BOB, by=ALICE)
    await bob.join(TEA)
    events, _ = await read(bob, cursor)
    assert envelopes(events) == [b"without bob"]
    await bob.leave(TEA)
    await bob.leave(TEA)
    assert memberships(room, "two")[-1] == (BOB, Membership.LEFT)


@pytest.mark.asyncio
async def test_malformed_events_are_told() -> None:
    network, room, _ = two_servers()
    alice = network.transport(ALICE)
    await alice.start()
    await alice.join(TEA)

    room.post_malformed(ALICE, "broken base64")

    assert isinstance((await read(alice))[0][-1], MalformedSeen)

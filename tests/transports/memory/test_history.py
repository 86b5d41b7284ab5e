"""What every transport promises of the past, of the one in memory: archives, cursors, and what is lost."""

import pytest

from tests.transports.memory.reading import envelopes, next_batch, read
from tests.transports.memory.scene import ALICE, BOB, TEA, enter, world
from transports.errors import (
    PermanentError,
)
from transports.memory import (
    RoomRules,
    VirtualClock,
)
from transports.room import (
    HistoryLost,
    MembershipSeen,
    PlaintextSeen,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(20)]


async def test_batches_resume_behind_the_cursor_that_was_stored() -> None:
    network, room = world()
    alice = await enter(network, ALICE)
    room.post_envelope(ALICE, b"before", transaction="1")
    _, cursor = await read(alice)
    await alice.close()

    for number in range(2500):
        room.post_envelope(ALICE, b"%d" % number, transaction=f"n{number}")
    again = await enter(network, ALICE)
    first = await next_batch(again, cursor)
    assert len(first.events) == 1000
    assert not first.is_live
    repeated = await next_batch(again, cursor)
    assert repeated == first
    rest, _ = await read(again, first.cursor)

    assert envelopes([*first.events, *rest]) == [b"%d" % number for number in range(2500)]


async def test_a_newcomer_is_told_envelopes_since_the_time_that_it_asks_for() -> None:
    network, room = world()
    room.join(ALICE)
    clock = network.clock
    assert isinstance(clock, VirtualClock)
    for number in range(4):
        room.post_envelope(ALICE, b"%d" % number, transaction=str(number))
        room.post_plaintext(ALICE, "in clear, before bob")
        clock.advance(1000)
    since = clock.now() - 2000
    bob = network.transport(BOB)
    await bob.start()

    await bob.join(TEA, history_since=since)
    room.post_plaintext(ALICE, "in clear, with bob")
    events, _ = await read(bob)

    assert envelopes(events) == [b"2", b"3"]
    assert [event.body for event in events if isinstance(event, PlaintextSeen)] == ["in clear, with bob"]
    assert [event.account for event in events if isinstance(event, MembershipSeen)] == [BOB]


async def test_an_archive_that_is_too_short_says_that_history_is_lost() -> None:
    network, room = world(RoomRules(archive_events=10))
    alice = await enter(network, ALICE)
    _, cursor = await read(alice)
    network.disconnect(ALICE)
    room.join(BOB)
    for number in range(30):
        room.post_envelope(BOB, b"%d" % number, transaction=str(number))
    network.reconnect(ALICE)

    events, cursor = await read(alice, cursor)

    assert isinstance(events[0], HistoryLost)
    assert envelopes(events) == [b"%d" % number for number in range(20, 30)]
    assert (await read(alice, cursor))[0] == []


async def test_an_archive_forgets_what_is_too_old() -> None:
    network, room = world(RoomRules(archive_milliseconds=60_000))
    clock = network.clock
    assert isinstance(clock, VirtualClock)
    alice = await enter(network, ALICE)
    _, cursor = await read(alice)
    await alice.close()
    room.post_envelope(ALICE, b"old", transaction="1")
    clock.advance(60_001)
    room.post_envelope(ALICE, b"new", transaction="2")

    events, _ = await read(await enter(network, ALICE), cursor)

    assert isinstance(events[0], HistoryLost)
    assert envelopes(events) == [b"new"]


async def test_without_an_archive_a_connected_account_misses_nothing() -> None:
    network, room = world(RoomRules(archive_events=0))
    alice = await enter(network, ALICE)
    _, cursor = await read(alice)
    for number in range(300):
        room.post_envelope(ALICE, b"%d" % number, transaction=str(number))

    events, _ = await read(alice, cursor)

    assert envelopes(events) == [b"%d" % number for number in range(300)]


@pytest.mark.parametrize("cursor", [b"", b"[]", b"\xff", b'{"memory:tea": 4}', b'{"memory:tea": [1]}'])
async def test_a_cursor_of_something_else_is_refused(cursor: bytes) -> None:
    network, _ = world()
    alice = await enter(network, ALICE)

    with pytest.raises(PermanentError, match="cursor"):
        await read(alice, cursor)


async def test_a_cursor_of_another_world_loses_history_and_says_so() -> None:
    network, _ = world()
    alice = await enter(network, ALICE)

    events, _ = await read(alice, b'{"memory:tea": [50, 50, 0, 0]}')

    assert isinstance(events[0], HistoryLost)

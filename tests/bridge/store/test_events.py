"""What happened in rooms: stored once, in order, and read back as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.store import Transaction
from bridge.store.errors import CorruptStoreError
from bridge.store.event_encoding import BadEventError, decode_event, decode_note, encode_event, encode_note
from bridge.store.member import MemberStore
from transports.room import (
    Account,
    EnvelopeSeen,
    HistoryLost,
    MalformedSeen,
    Membership,
    MembershipSeen,
    Origin,
    PlaintextSeen,
    RelayNote,
    RoomAddress,
    RoomEnded,
    RoomEvent,
)

ROOM = RoomAddress("xmpp:tea@muc.example.org")
OTHER = RoomAddress("xmpp:cake@muc.example.org")
ALICE = Account("xmpp:alice@example.org")

# Surrogates included: JSON can hold them, and so can what a hostile server sends.
text = st.text(st.characters(exclude_categories=()))
times = st.integers(-(1 << 70), 1 << 70)
senders = st.none() | text.map(Account)
origins = st.builds(Origin, text.map(RoomAddress), text, senders, times)
notes = st.builds(RelayNote, text.map(RoomAddress), senders, text, times)
events = st.one_of(
    st.builds(EnvelopeSeen, origins, st.binary(), st.none() | text, st.none() | notes),
    st.builds(PlaintextSeen, origins, text),
    st.builds(MembershipSeen, origins, text.map(Account), st.sampled_from(Membership)),
    st.builds(MalformedSeen, origins, text),
    st.builds(HistoryLost, text.map(RoomAddress), text),
    st.builds(RoomEnded, text.map(RoomAddress), text, st.none() | text.map(RoomAddress)),
)


def seen(number: int, *, room: RoomAddress = ROOM, at: int = 1000) -> EnvelopeSeen:
    return EnvelopeSeen(Origin(room, f"id{number}", ALICE, at), b"envelope %d" % number)


@given(events)
def test_an_event_comes_back_as_it_was(event: RoomEvent) -> None:
    assert decode_event(encode_event(event)) == event


@given(notes)
def test_a_note_comes_back_as_it_was(note: RelayNote) -> None:
    assert decode_note(encode_note(note)) == note


@given(st.binary() | events.map(encode_event), st.integers(0), st.integers(1, 255))
def test_damaged_bytes_are_an_event_or_an_error_and_nothing_else(data: bytes, place: int, mask: int) -> None:
    damaged = bytearray(data or b"\0")
    damaged[place % len(damaged)] ^= mask
    for decode in (decode_event, decode_note):
        try:
            decode(bytes(damaged))
        except BadEventError:
            continue


_ORIGIN = [b"room", b"id", None, 5]


@pytest.mark.parametrize(
    "items",
    [
        [2, 3, _ORIGIN, b"text"],
        [1],
        [1, 9, _ORIGIN],
        [1, 2.0, _ORIGIN, b"text"],
        [1, 2, _ORIGIN],
        [1, 2, _ORIGIN, b"text", b"more"],
        [1, 2, _ORIGIN, "text"],
        [1, 2, _ORIGIN, b"\xff"],
        [1, 2, [b"room", b"id", None], b"text"],
        [1, 2, [b"room", b"id", None, True], b"text"],
        [1, 2, [b"room", b"id", None, b"5"], b"text"],
        [1, 2, {b"room": b"id"}, b"text"],
        [1, 3, _ORIGIN, b"account", b"promoted"],
        {1: 2},
        7,
    ],
)
def test_what_is_no_event_is_refused(items: object) -> None:
    with pytest.raises(BadEventError):
        decode_event(cbor2.dumps(items))


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(BadEventError):
        decode_event(encode_event(HistoryLost(ROOM, "gone")) + b"\0")


async def added(tx: Transaction, account: str, events: Sequence[RoomEvent]) -> int:
    """Append events; return how many of them were new."""

    async def count() -> int:
        return sum([len((await tx.events.after(account, room, 0, 1_000)).events) for room in (ROOM, OTHER)])

    before = await count()
    await tx.events.append(account, events)
    return await count() - before


@pytest.mark.asyncio
async def test_events_are_stored_once_and_read_in_order(store: MemberStore) -> None:
    async with store.transaction() as tx:
        assert await added(tx, "a", [seen(1), seen(2), seen(1)]) == 2
        assert await added(tx, "a", [seen(2), seen(3), seen(1, room=OTHER)]) == 2
        assert await added(tx, "b", [seen(1)]) == 1, "another account's room is another stream"
        assert await added(tx, "a", []) == 0
    async with store.transaction() as tx:
        stored = (await tx.events.after("a", ROOM, 0, 10)).events
        assert [item.event for item in stored] == [seen(1), seen(2), seen(3)]
        assert (await tx.events.after("a", ROOM, 0, 2)).events == stored[:2]
        assert (await tx.events.after("a", ROOM, stored[0].position, 10)).events == stored[1:]
        assert await tx.events.last_position("a", ROOM) == stored[-1].position
        assert [item.event for item in (await tx.events.after("a", OTHER, 0, 10)).events] == [seen(1, room=OTHER)]
        assert (await tx.events.after("c", ROOM, 0, 10)).events == []
        assert await tx.events.last_position("c", ROOM) == 0


@pytest.mark.asyncio
async def test_events_are_read_in_pieces(store: MemberStore) -> None:
    sizes = [100, 100, 5000, 100, 100]
    events = [replace(seen(number), envelope=bytes(size)) for number, size in enumerate(sizes)]
    async with store.transaction() as tx:
        await tx.events.append("a", events)
    read = list[list[int]]()
    async with store.transaction() as tx:
        position = 0
        while found := (await tx.events.after("a", ROOM, position, 10, max_bytes=500)).events:
            position = found[-1].position
            read.append([len(one.event.envelope) for one in found if isinstance(one.event, EnvelopeSeen)])
    assert read == [[100, 100], [5000], [100, 100]]


@pytest.mark.asyncio
async def test_lost_history_has_no_id_and_is_always_new(store: MemberStore) -> None:
    lost = HistoryLost(ROOM, "the archive ends here")
    async with store.transaction() as tx:
        assert await added(tx, "a", [lost, lost]) == 2
        assert await added(tx, "a", [lost]) == 1
        assert [item.event for item in (await tx.events.after("a", ROOM, 0, 10)).events] == [lost] * 3


@pytest.mark.asyncio
async def test_forgotten_events_are_still_known(store: MemberStore) -> None:
    async with store.transaction() as tx:
        await tx.events.append("a", [seen(1), HistoryLost(ROOM, "gone"), seen(2), seen(3)])
        first, lost, second, third = (await tx.events.after("a", ROOM, 0, 10)).events
        await tx.events.forget("a", ROOM, second.position)
        assert (await tx.events.after("a", ROOM, 0, 10)).events == [third]
        assert await added(tx, "a", [first.event, second.event]) == 0
        assert await added(tx, "a", [lost.event]) == 1
        assert await tx.events.last_position("a", ROOM) > third.position


@pytest.mark.asyncio
async def test_pruning_spares_what_was_not_forgotten(store: MemberStore) -> None:
    async with store.transaction() as tx:
        await tx.events.append("a", [seen(1, at=10), seen(2, at=20), seen(3, at=10)])
        first, second, third = (await tx.events.after("a", ROOM, 0, 10)).events
        await tx.events.forget("a", ROOM, second.position)
        await tx.events.prune(20)
        assert (await tx.events.after("a", ROOM, 0, 10)).events == [third]
        assert await added(tx, "a", [second.event]) == 0, "its id is young enough to be known"
        assert await added(tx, "a", [first.event]) == 1, "its id was dropped"
        assert await tx.events.last_position("a", ROOM) > third.position


@pytest.mark.asyncio
async def test_text_and_times_that_no_server_should_send_are_stored(store: MemberStore) -> None:
    strange = [
        PlaintextSeen(Origin(ROOM, "\ud800\0id", None, 1 << 80), "half a character: \udfff"),
        PlaintextSeen(Origin(ROOM, "", None, -5), ""),
    ]
    async with store.transaction() as tx:
        assert await added(tx, "a", strange) == 2
        assert await added(tx, "a", strange) == 0
        assert [item.event for item in (await tx.events.after("a", ROOM, 0, 10)).events] == strange


@pytest.mark.asyncio
async def test_a_damaged_event_is_a_clear_error(store: MemberStore) -> None:
    async with store.transaction() as tx:
        await tx.events.append("a", [seen(1)])
    async with store._statements() as statements:
        await statements.rows("UPDATE events SET body = x'ff'")
    async with store.transaction() as tx:
        with pytest.raises(CorruptStoreError, match="a stored event is damaged"):
            await tx.events.after("a", ROOM, 0, 10)

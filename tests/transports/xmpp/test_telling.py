"""The queue of what a room told, the place behind what was told, and the numbers in between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.errors import PermanentError
from transports.room import (
    Account,
    EnvelopeSeen,
    Membership,
    MembershipSeen,
    Origin,
    RoomAddress,
)
from transports.xmpp.cursor import Cursor, Place
from transports.xmpp.events import Heard
from transports.xmpp.feed import MOST_BYTES, MOST_ITEMS, Feed
from transports.xmpp.occupants import AffiliationTold, Kicked
from transports.xmpp.pace import Pace
from transports.xmpp.telling import changes_since, tell

ROOM = RoomAddress("xmpp:tea@muc.example.org")
ALICE, BOB = Account("xmpp:alice@example.org"), Account("xmpp:bob@example.org")


def heard(archive_id: str | None, size: int = 1) -> Heard:
    return Heard(archive_id, EnvelopeSeen(Origin(ROOM, archive_id or "?", ALICE, 0), bytes(size)))


def changes(place: Place, *items: AffiliationTold | Kicked) -> list[tuple[str, Account, Membership]]:
    events = tell(items, address=ROOM, place=place, now=lambda: 7)
    return [
        (event.origin.event_id, event.account, event.membership)
        for event in events
        if isinstance(event, MembershipSeen)
    ]


def test_what_the_archive_brings_is_not_told_twice() -> None:
    feed = Feed()
    for each in ("3", "4", "5"):
        feed.put(heard(each))
    feed.drop(["1", "2", "3", "4"])
    feed.put(heard("4"))
    feed.put(heard("6"))
    assert feed.take(10) == ([heard("5"), heard("6")], False)
    assert len(feed) == 0


@pytest.mark.parametrize("count, size", [(MOST_ITEMS, 1), (130, MOST_BYTES // 129)], ids=["items", "bytes"])
def test_a_queue_that_is_full_is_emptied_and_says_so(count: int, size: int) -> None:
    feed = Feed()
    for number in range(count):
        feed.put(heard(str(number), size))
    if not feed.has_overflown:
        feed.put(heard("one more", size))
    assert feed.has_overflown
    assert len(feed) < count
    assert feed.take(MOST_ITEMS)[0][-1:] != []


def test_a_gap_stands_where_it_was_noted() -> None:
    feed = Feed()
    feed.put(heard("1"))
    feed.put_gap()
    feed.put(heard("3"))
    assert feed.take(10) == ([heard("1")], True)
    assert feed.take(10) == ([heard("3")], False)
    feed.put(heard("4"))
    feed.put(heard("5"))
    assert feed.take(1) == ([heard("4")], False)


def test_what_was_true_before_comes_first() -> None:
    feed = Feed()
    feed.put(heard("1"))
    feed.put_first([AffiliationTold(ALICE, "owner"), AffiliationTold(BOB, "member")])
    assert feed.take(10)[0] == [AffiliationTold(ALICE, "owner"), AffiliationTold(BOB, "member"), heard("1")]


def test_only_news_is_told() -> None:
    place = Place()
    assert changes(place, AffiliationTold(ALICE, "owner"), AffiliationTold(BOB, "member")) == [
        ("affiliation-1", ALICE, Membership.JOINED),
        ("affiliation-2", BOB, Membership.JOINED),
    ]
    assert changes(place, AffiliationTold(BOB, "admin"), AffiliationTold(ALICE, "owner")) == []
    assert changes(place, AffiliationTold(BOB, "none"), AffiliationTold(BOB, "none")) == [
        ("affiliation-3", BOB, Membership.LEFT)
    ]
    assert changes(place, AffiliationTold(BOB, "outcast")) == []
    assert changes(place, AffiliationTold(ALICE, "outcast"), Kicked(ALICE, BOB)) == [
        ("affiliation-4", ALICE, Membership.BANNED),
        ("affiliation-5", ALICE, Membership.KICKED),
    ]


def test_a_batch_that_is_told_again_has_the_same_ids() -> None:
    items: list[AffiliationTold | Kicked] = [
        AffiliationTold(ALICE, "owner"),
        AffiliationTold(BOB, "member"),
        Kicked(BOB, None),
    ]
    stored = Cursor({ROOM: Place()}).to_bytes()
    once, again = (changes(Cursor.from_bytes(stored).places[ROOM], *items) for _ in "ab")
    assert once == again
    assert len(once) == 3


@given(
    st.dictionaries(st.sampled_from([ALICE, BOB]), st.sampled_from(["owner", "member"])),
    st.dictionaries(st.sampled_from([ALICE, BOB]), st.sampled_from(["owner", "member"])),
)
def test_a_list_of_members_becomes_the_changes_that_led_to_it(
    before: dict[Account, str], after: dict[Account, str]
) -> None:
    place = Place(members=dict(before))
    told = changes(place, *changes_since(place, after))
    assert place.members == after
    assert {account for _, account, membership in told if membership is Membership.LEFT} == before.keys() - after.keys()
    assert {
        account for _, account, membership in told if membership is Membership.JOINED
    } == after.keys() - before.keys()


def test_a_place_moves_with_every_archived_message() -> None:
    place = Place(since=5)
    tell([heard("1"), Heard("2", None), heard(None)], address=ROOM, place=place, now=lambda: 0)
    assert place.last == "2"


def test_a_cursor_comes_back_as_it_was() -> None:
    cursor = Cursor({ROOM: Place("id", 5, 2, {ALICE: "owner"}), RoomAddress("xmpp:b@c"): Place()})
    assert Cursor.from_bytes(cursor.to_bytes()) == cursor
    assert Cursor.from_bytes(None) == Cursor()
    # What version 1 wrote.
    stored = b'{"rooms":{"xmpp:tea@muc.example.org":{"last":"id","members":null,"since":5,"told":2}},"v":1}'
    assert Cursor.from_bytes(stored) == Cursor({ROOM: Place("id", 5, 2, None)})
    assert Cursor({ROOM: Place("id", 5, 2, None)}).to_bytes() == stored


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"v":2,"rooms":{}}',
        b'{"v":1,"rooms":[]}',
        b'{"v":1,"rooms":{"r":{}}}',
        b'{"v":1,"rooms":{"r":{"last":1,"since":0,"told":0,"members":null}}}',
        b'{"v":1,"rooms":{"r":{"last":null,"since":"","told":0,"members":null}}}',
        b'{"v":1,"rooms":{"r":{"last":null,"since":0,"told":0,"members":[]}}}',
    ],
)
def test_a_cursor_that_is_damaged_is_refused(stored: bytes) -> None:
    with pytest.raises(PermanentError, match="the XMPP cursor"):
        Cursor.from_bytes(stored)


def test_pauses_grow_to_a_minute() -> None:
    pace = Pace()
    assert [pace.reconnect_after(attempt, 0) for attempt in (0, 1, 2, 5, 6, 7, 1000)] == [1, 2, 4, 32, 60, 60, 60]
    assert pace.reconnect_after(3, 1) == 4
    assert pace.receipt_within(160_000) == 220

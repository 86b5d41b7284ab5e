"""What events of any shape say, and what comes back of what we write."""

import base64
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transports.carriers import MATRIX_EVENT_TYPE, MATRIX_MAX_ENVELOPE
from transports.matrix.events import Entry, envelope_content, notice_content, read_event
from transports.room import (
    Account,
    EnvelopeSeen,
    MalformedSeen,
    Membership,
    MembershipSeen,
    PlaintextSeen,
    RelayNote,
    RoomAddress,
    RoomEnded,
    RoomEvent,
)

ROOM = RoomAddress("matrix:roomid/tea")
ALICE, BOB = "@alice:a.org", "@bob:a.org"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(categories=None), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def event(kind: str, content: object, **fields: object) -> dict[str, object]:
    return {"event_id": "$1", "type": kind, "sender": BOB, "origin_server_ts": 5, "content": content, **fields}


def told(raw: object) -> RoomEvent | None:
    entry = read_event(raw, ROOM, ALICE)
    assert entry is not None
    return entry.event


def member(membership: str, *, sender: str = BOB, before: str | None = None) -> RoomEvent | None:
    unsigned = {} if before is None else {"prev_content": {"membership": before}}
    return told(
        event("m.room.member", {"membership": membership}, state_key=ALICE, sender=sender, unsigned=unsigned),
    )


@given(
    st.binary(max_size=200),
    st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    st.none()
    | st.builds(
        RelayNote,
        room=st.just(RoomAddress("xmpp:tea@muc.example.org")),
        sender=st.none() | st.just(Account("xmpp:carol@example.org")),
        event_id=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=60),
        at=st.integers(0, 2**63 - 1),
    ),
)
def test_an_envelope_comes_back(envelope: bytes, transaction: str, note: RelayNote | None) -> None:
    content = json.loads(json.dumps(envelope_content(envelope, transaction, note)))
    seen = told(event(MATRIX_EVENT_TYPE, content, sender=ALICE))
    assert isinstance(seen, EnvelopeSeen)
    assert (seen.envelope, seen.transaction, seen.note) == (envelope, transaction, note)
    assert (seen.origin.room, seen.origin.event_id, seen.origin.at) == (ROOM, "$1", 5)
    assert seen.origin.sender == "matrix:u/alice:a.org"


def test_another_senders_transaction_is_not_believed() -> None:
    seen = told(event(MATRIX_EVENT_TYPE, envelope_content(b"x", "mine", None), unsigned={"transaction_id": "mine"}))
    assert isinstance(seen, EnvelopeSeen)
    assert seen.transaction is None


@pytest.mark.parametrize(
    "content,reason",
    [
        ({}, "empty: it was redacted"),
        ([], "empty: it was redacted"),
        ({"v": 2, "data": "eA"}, "not version 1"),
        ({"v": True, "data": "eA"}, "not version 1"),
        ({"data": "eA"}, "not version 1"),
        ({"v": 1}, "data is missing or no text"),
        ({"v": 1, "data": 5}, "data is missing or no text"),
        ({"v": 1, "data": "eA=="}, "data is not unpadded base64"),
        ({"v": 1, "data": "eB"}, "data is not unpadded base64"),  # bits are set where there should be none
        ({"v": 1, "data": "e_-A"}, "data is not unpadded base64"),
        ({"v": 1, "data": "e A\n"}, "data is not unpadded base64"),
        ({"v": 1, "data": "ä"}, "data is not unpadded base64"),
        ({"v": 1, "data": "\ud800"}, "data is not unpadded base64"),
        ({"v": 1, "data": "A" * 60_001}, "larger than 45000 bytes"),
    ],
)
def test_a_malformed_envelope_is_told_with_its_reason(content: object, reason: str) -> None:
    seen = told(event(MATRIX_EVENT_TYPE, content))
    assert isinstance(seen, MalformedSeen)
    assert seen.reason == reason


def test_the_largest_envelope_is_read() -> None:
    data = base64.b64encode(bytes(MATRIX_MAX_ENVELOPE)).decode().rstrip("=")
    seen = told(event(MATRIX_EVENT_TYPE, {"v": 1, "data": data}))
    assert isinstance(seen, EnvelopeSeen)


@pytest.mark.parametrize(
    "note",
    [
        "x",
        {},
        {"room": "r", "event_id": "e", "at": 5},
        {"room": "r", "event_id": "e", "at": "-5"},
        {"room": "r", "event_id": "e", "at": "5" * 5000},
        {"room": "r", "event_id": "e", "at": "9" * 19},
        {"room": "r", "event_id": "e", "at": "\u0665"},
        {"room": "", "event_id": "e", "at": "5"},
        {"room": "r\n", "event_id": "e", "at": "5"},
        {"room": "r", "event_id": ["e"], "at": "5"},
        {"room": "r" * 5000, "event_id": "e", "at": "5"},
        {"room": "r", "event_id": "e", "at": "5", "sender": 1},
    ],
)
def test_an_envelope_stands_without_its_malformed_note(note: object) -> None:
    seen = told(event(MATRIX_EVENT_TYPE, {"v": 1, "data": "eA", "note": note}))
    assert isinstance(seen, EnvelopeSeen)
    assert seen.note is None


def test_plaintext_is_cut_at_64_kib() -> None:
    seen = told(event("m.room.message", {"msgtype": "m.text", "body": "ä" * 65_536}))
    assert isinstance(seen, PlaintextSeen)
    assert seen.body == "ä" * 32_768
    notice = told(event("m.room.message", notice_content("hello\ud800", "t")))
    assert isinstance(notice, PlaintextSeen)
    assert notice.body == "hello?"


@pytest.mark.parametrize("content", [{}, {"body": 1}, [], None])
def test_a_message_without_text_is_not_told(content: object) -> None:
    assert told(event("m.room.message", content)) is None


@pytest.mark.parametrize(
    "membership,sender,before,expected",
    [
        ("join", ALICE, "invite", Membership.JOINED),
        ("join", ALICE, None, Membership.JOINED),
        ("invite", BOB, None, Membership.INVITED),
        ("leave", ALICE, "join", Membership.LEFT),
        ("leave", BOB, "join", Membership.KICKED),
        ("leave", BOB, "invite", Membership.LEFT),
        ("leave", BOB, "ban", Membership.LEFT),
        ("ban", BOB, "join", Membership.BANNED),
    ],
)
def test_who_came_and_went_is_told(membership: str, sender: str, before: str | None, expected: Membership) -> None:
    seen = member(membership, sender=sender, before=before)
    assert isinstance(seen, MembershipSeen)
    assert (seen.account, seen.membership) == ("matrix:u/alice:a.org", expected)


def test_a_new_display_name_and_a_knock_are_not_told() -> None:
    assert member("join", sender=ALICE, before="join") is None
    assert member("knock", sender=ALICE) is None
    assert told(event("m.room.member", {"membership": "join"}, state_key="alice")) is None


def test_state_events_of_a_message_type_are_not_told() -> None:
    assert told(event(MATRIX_EVENT_TYPE, {"v": 1, "data": "eA"}, state_key="")) is None
    assert told(event("m.room.message", {"body": "x"}, state_key="")) is None
    assert told(event("m.room.member", {"membership": "join"})) is None


def test_only_the_rooms_creation_begins_history() -> None:
    created = read_event(event("m.room.create", {}, state_key=""), ROOM, ALICE)
    other = read_event(event("m.room.create", {}), ROOM, ALICE)
    assert created is not None
    assert created.begins_history
    assert other is not None
    assert not other.begins_history


@given(JSON)
@example({"event_id": "$\ud800", "type": MATRIX_EVENT_TYPE, "sender": BOB})
def test_any_json_gives_a_value(raw: Any) -> None:  # noqa: ANN401 - any JSON is what comes
    entry = read_event(raw, ROOM, ALICE)
    assert entry is None or isinstance(entry, Entry)


@given(
    kind=st.sampled_from([MATRIX_EVENT_TYPE, "m.room.message", "m.room.member", "m.room.create"]),
    content=JSON
    | st.fixed_dictionaries(
        {},
        optional={key: JSON for key in ("v", "data", "txn", "note", "body", "membership")},  # noqa: C420 - fresh ones
    ),
    fields=st.fixed_dictionaries(
        {},
        optional={
            "sender": JSON | st.just(ALICE),
            "origin_server_ts": JSON,
            "state_key": JSON | st.just(ALICE),
            "unsigned": JSON | st.fixed_dictionaries({"prev_content": JSON}),
        },
    ),
)
def test_an_event_of_any_content_gives_a_value(kind: str, content: object, fields: dict[str, object]) -> None:
    entry = read_event({**event(kind, content), **fields}, ROOM, ALICE)
    if entry is not None:
        assert entry.size < 200_000
        assert 0 <= entry.at < 2**63


@pytest.mark.parametrize(
    "replacement,successor",
    [("!next:a.org", "matrix:roomid/next:a.org"), ("!next", "matrix:roomid/next"), ("next", None), (None, None)],
)
def test_an_upgrade_ends_the_room_and_names_its_successor(replacement: object, successor: str | None) -> None:
    ended = told(event("m.room.tombstone", {"body": "moved", "replacement_room": replacement}, state_key=""))
    assert isinstance(ended, RoomEnded)
    assert (ended.room, ended.successor) == (ROOM, successor)
    assert "upgraded" in ended.reason


def test_encryption_that_is_switched_on_ends_the_room() -> None:
    ended = told(event("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}, state_key=""))
    assert isinstance(ended, RoomEnded)
    assert "encryption" in ended.reason


@pytest.mark.parametrize("kind", ["m.room.encryption", "m.room.tombstone"])
@pytest.mark.parametrize("fields", [{}, {"state_key": "x"}, {"state_key": None}])
def test_what_is_not_the_rooms_state_ends_nothing(kind: str, fields: dict[str, object]) -> None:
    assert told(event(kind, {}, **fields)) is None

"""Stanzas as events, hostile ones too."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.carriers import XMPP_MAX_ENVELOPE, XMPP_NAMESPACE
from transports.room import (
    Account,
    EnvelopeSeen,
    MalformedSeen,
    Origin,
    PlaintextSeen,
    RelayNote,
    RoomAddress,
)
from transports.xmpp.elements import (
    CLIENT,
    DELAY,
    FORWARD,
    MAM,
    MUC_ADMIN,
    MUC_USER,
    STANZA_IDS,
    Element,
    clean,
    element,
    error_of,
    moment,
    serialised,
    stamp,
)
from transports.xmpp.events import archive_id_of, event_of, hear_archived, read_archived, sender_in_archive
from transports.xmpp.occupants import Occupants
from transports.xmpp.plugin import envelope_message
from transports.xmpp.setup import RoomSetup

ROOM = "tea@muc.example.org"
ADDRESS = RoomAddress(f"xmpp:{ROOM}")
ALICE, BOB = Account("xmpp:alice@example.org"), Account("xmpp:bob@example.org")
ORIGIN = Origin(ADDRESS, "1", BOB, 5)
NOTE = RelayNote(RoomAddress("matrix:roomid/x"), Account("matrix:u/c"), "$1", 5)


def carrier(*content: Element | str, **attributes: str) -> Element:
    return element(CLIENT, "message", element(XMPP_NAMESPACE, "envelope", *content, **attributes), type="groupchat")


def archived(*content: Element, archive_id: str = "id", query: str = "q", sender: str = f"{ROOM}/bob") -> Element:
    message = element(CLIENT, "message", *content, **{"type": "groupchat", "from": sender})
    delay = element(DELAY, "delay", stamp="2026-11-23T18:00:00.123456Z")
    result = element(MAM, "result", element(FORWARD, "forwarded", delay, message), id=archive_id, queryid=query)
    return element(CLIENT, "message", result, **{"from": ROOM})


def note_by(*items: Element) -> Element:
    return element(MUC_USER, "x", *items)


def item(jid: str | None = "bob@example.org/phone", **attributes: str) -> Element:
    return element(MUC_USER, "item", jid=jid, **attributes)


@given(st.binary(min_size=1, max_size=300), st.sampled_from([None, NOTE]))
def test_what_was_put_in_comes_out(envelope: bytes, note: RelayNote | None) -> None:
    message = envelope_message(ROOM, envelope, transaction="t", note=note, body=None)
    assert event_of(message, origin=ORIGIN, own=ALICE) == EnvelopeSeen(ORIGIN, envelope, None, note)
    assert event_of(message, origin=ORIGIN, own=BOB) == EnvelopeSeen(ORIGIN, envelope, "t", note)


@pytest.mark.parametrize(
    "message, said",
    [
        (carrier("AAAA"), "version"),
        (carrier("AAAA", v="2"), "version"),
        (carrier(v="1"), "empty"),
        (carrier(" \n ", v="1"), "empty"),
        (carrier("AAA", v="1"), "base64"),
        (carrier("AAA=AAAA", v="1"), "base64"),
        (carrier("AA\u00e9A", v="1"), "base64"),
        (carrier("AA-_", v="1"), "base64"),
        (carrier(base64.b64encode(bytes(XMPP_MAX_ENVELOPE + 3)).decode(), v="1"), "more than"),
        (
            element(CLIENT, "message", *(element(XMPP_NAMESPACE, "envelope", "AAAA", v="1") for _ in "ab")),
            "2 envelopes",
        ),
    ],
)
def test_what_only_says_that_it_is_an_envelope_is_malformed(message: Element, said: str) -> None:
    event = event_of(message, origin=ORIGIN, own=ALICE)
    assert isinstance(event, MalformedSeen)
    assert said in event.reason


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"room": "r", "event-id": "e"},
        {"room": "r", "event-id": "e", "at": "-1"},
        {"room": "r", "event-id": "e", "at": "\u0664"},
        {"room": "r", "event-id": "e", "at": "9" * 17},
        {"room": "r" * 4000, "event-id": "e", "at": "1"},
        {"room": "r", "event-id": "e", "at": str(1 << 60)},
    ],
)
def test_a_note_that_is_broken_is_no_note(attributes: dict[str, str]) -> None:
    message = carrier("AAAA", element(XMPP_NAMESPACE, "note", **attributes), v="1")
    assert event_of(message, origin=ORIGIN, own=ALICE) == EnvelopeSeen(ORIGIN, b"\0\0\0", None, None)


def test_a_body_is_plaintext_unless_there_is_an_envelope() -> None:
    said = element(CLIENT, "message", element(CLIENT, "body", "hello"))
    assert event_of(said, origin=ORIGIN, own=ALICE) == PlaintextSeen(ORIGIN, "hello")
    assert event_of(element(CLIENT, "message", element(CLIENT, "subject", "tea")), origin=ORIGIN, own=ALICE) is None
    long = event_of(element(CLIENT, "message", element(CLIENT, "body", "€" * 100_000)), origin=ORIGIN, own=ALICE)
    assert isinstance(long, PlaintextSeen)
    assert long.body == "€" * 21_845


def test_an_id_counts_if_the_room_gave_it() -> None:
    def message(*ids: tuple[str, str]) -> Element:
        return element(CLIENT, "message", *(element(STANZA_IDS, "stanza-id", by=by, id=each) for by, each in ids))

    assert archive_id_of(message((ROOM, "1"), ("alice@example.org", "2")), ROOM) == "1"
    assert archive_id_of(message(("alice@example.org", "2")), ROOM) is None
    assert archive_id_of(message((ROOM, "1"), (ROOM, "2")), ROOM) is None
    assert archive_id_of(message((ROOM, "x" * 2000)), ROOM) is None


@pytest.mark.parametrize(
    "content, sender",
    [
        ([note_by(item())], BOB),
        ([], None),
        ([note_by()], None),
        ([note_by(item(None))], None),
        ([note_by(item("no jid @@"))], None),
        # Prosody keeps what a client wrote, and adds its own.
        ([note_by(item("alice@example.org")), note_by(item())], None),
        ([note_by(item("alice@example.org"), item())], None),
        ([note_by(item()), note_by()], None),
    ],
)
def test_a_sender_in_the_archive_is_believed_if_there_is_no_doubt(
    content: list[Element], sender: Account | None
) -> None:
    read = read_archived(archived(*content, element(CLIENT, "body", "x")))
    assert read is not None
    assert read.message is not None
    assert sender_in_archive(read.message) == sender
    for is_open in (True, False):
        heard = hear_archived(read, room=ROOM, address=ADDRESS, own=ALICE, is_open=is_open)
        assert heard.event == PlaintextSeen(Origin(ADDRESS, "id", sender if is_open else None, 1795456800123), "x")


def test_a_message_of_another_kind_moves_the_place_alone() -> None:
    for odd in (
        archived(element(CLIENT, "body", "x"), sender="other@muc.example.org/bob"),
        archived(element(CLIENT, "body", "x"), sender=ROOM),
        archived(element(CLIENT, "subject", "x")),
    ):
        read = read_archived(odd)
        assert read is not None
        assert hear_archived(read, room=ROOM, address=ADDRESS, own=ALICE, is_open=True).event is None
    assert read_archived(element(CLIENT, "message")) is None
    assert read_archived(archived(archive_id="")) is None
    assert read_archived(archived(query="")) is None


def test_times_are_read_and_written() -> None:
    assert moment("2026-11-23T18:00:00Z") == 1795456800000
    assert moment("2026-11-23T18:00:00.5+01:00") == 1795453200500
    assert stamp(1795456800999) == "2026-11-23T18:00:00Z"
    for odd in (None, "", "yesterday", "2026-11-23", "2026-11-23T18:00:00", "0001-01-01T00:00:00Z"):
        assert moment(odd) is None
    assert stamp(1 << 62)


@given(st.text())
def test_any_text_can_be_sent(text: str) -> None:
    sent = serialised(element(CLIENT, "message", element(CLIENT, "body", text), id="x"))
    sent.encode()
    assert clean(clean(text)) == clean(text)


NAMES = st.sampled_from(
    [
        (CLIENT, "body"),
        (CLIENT, "error"),
        (XMPP_NAMESPACE, "envelope"),
        (XMPP_NAMESPACE, "note"),
        (MUC_USER, "x"),
        (MUC_USER, "item"),
        (MUC_USER, "status"),
        (MUC_USER, "destroy"),
        (MUC_USER, "actor"),
        (MUC_ADMIN, "query"),
        (MAM, "result"),
        (FORWARD, "forwarded"),
        (DELAY, "delay"),
        (CLIENT, "message"),
        (STANZA_IDS, "stanza-id"),
        ("", ""),
    ]
)
VALUES = st.sampled_from(
    ["", "1", "110", "201", "301", "303", "307", "member", "none", "outcast", ROOM, f"{ROOM}/bob", "bob@example.org"]
) | st.text(max_size=8)
KEYS = st.sampled_from(
    ["jid", "affiliation", "code", "id", "by", "v", "stamp", "queryid", "nick", "type", "from", "at"]
)


def _made(parts: list[Element | str]) -> Callable[[tuple[str, str], dict[str, str]], Element]:
    return lambda name, attributes: element(*name, *parts, **attributes)


LEAVES = st.builds(lambda name, attributes: element(*name, **attributes), NAMES, st.dictionaries(KEYS, VALUES))
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda name, attributes, parts: _made(parts)(name, attributes),
        NAMES,
        st.dictionaries(KEYS, VALUES),
        st.lists(inner | VALUES, max_size=4),
    ),
    max_leaves=12,
)


@given(st.lists(TREES, max_size=4), st.dictionaries(KEYS, VALUES))
def test_no_stanza_of_any_shape_is_an_exception(parts: list[Element], attributes: dict[str, str]) -> None:
    stanza = element(CLIENT, "message", *parts, **attributes)
    event_of(stanza, origin=ORIGIN, own=BOB)
    archive_id_of(stanza, ROOM)
    sender_in_archive(stanza)
    error_of(stanza)
    RoomSetup.read(stanza)
    read = read_archived(stanza)
    if read is not None:
        hear_archived(read, room=ROOM, address=ADDRESS, own=BOB, is_open=True)
    occupants = Occupants("bob")
    for _ in range(2):
        occupants.on_presence(stanza)
        occupants.on_affiliation(stanza)

"""Whatever text a server sends, in whatever place: it is stored, or refused at the edge, and nothing deeper fails."""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope, open_envelope
from bridge.protocol.fragments import split
from bridge.service.ingest import ingest
from tests.bridge.service.worlds import application, open_store
from transports.carriers import MATRIX_EVENT_TYPE
from transports.matrix.events import read_event
from transports.matrix.uris import room_uri
from transports.room import Account, Batch, MalformedSeen, Origin, RoomAddress, RoomEvent
from transports.xmpp.elements import CLIENT, element
from transports.xmpp.events import event_of
from transports.xmpp.uris import account_of

pytestmark = pytest.mark.timeout(120)

OWN = "@alice:a.org"
ROOM = room_uri("!tea:a.org")

anything = st.text(st.characters(exclude_categories=()), max_size=40)
"""Halves of surrogate pairs, control characters, and NUL included."""

PARTS = split(open_envelope(application("x" * 4000)), 1500)
ENVELOPES = [application("one"), envelope(EnvelopeKind.KEY_PACKAGE, b"", b"junk").encode(), b"no envelope", *PARTS]

numbers = st.integers() | st.floats() | anything
ids = anything | st.integers(1, 99).map("${}".format)
users = anything | anything.map("@{}:a.org".format) | st.sampled_from([OWN, "@bob:a.org"])
payloads = st.sampled_from(ENVELOPES).map(lambda data: base64.b64encode(data).rstrip(b"=").decode()) | anything
notes = st.none() | st.fixed_dictionaries(dict.fromkeys(("room", "sender", "event_id", "at"), anything))
contents = st.one_of(
    st.fixed_dictionaries({"v": st.just(1), "data": payloads, "txn": anything, "note": notes}),
    st.fixed_dictionaries({"msgtype": st.just("m.text"), "body": anything}),
    st.fixed_dictionaries({"membership": st.sampled_from(["join", "leave", "ban"]) | anything}),
    st.fixed_dictionaries({"replacement_room": anything | anything.map("!{}".format)}),
)
kinds = st.sampled_from([MATRIX_EVENT_TYPE, "m.room.message", "m.room.member", "m.room.tombstone", "m.room.encryption"])
matrix_events = st.fixed_dictionaries(
    {"event_id": ids, "type": kinds, "sender": users, "origin_server_ts": numbers, "content": contents},
    optional={"state_key": st.just("") | users},
)


async def taken_in(account: Account, events: Sequence[RoomEvent]) -> int:
    """Take events in as the service does, and return how many are read back."""
    with tempfile.TemporaryDirectory() as folder:
        async with await open_store(Path(folder)) as store:
            async with store.transaction() as tx:
                await ingest(tx, account, Batch(tuple(events), b"cursor", is_live=True), now=1)
            async with store.transaction() as tx:
                rooms = {ROOM, RoomAddress("xmpp:tea@muc.a.org")}
                return sum([len((await tx.events.after(account, room, 0, 1000)).events) for room in rooms])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(matrix_events, min_size=1, max_size=12))
def test_whatever_a_homeserver_says(raw: list[dict[str, object]]) -> None:
    entries = [read_event(one, ROOM, OWN) for one in raw]
    events = [entry.event for entry in entries if entry is not None and entry.event is not None]
    for event in events:
        for text in texts_of(event):
            text.encode()  # as all that stores and sends it does
    assert asyncio.run(taken_in(Account("matrix:u/alice:a.org"), events)) <= len(events)


xml_text = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(xml_text, xml_text, xml_text, payloads, xml_text), min_size=1, max_size=12))
def test_whatever_a_chat_room_says(said: list[tuple[str, str, str, str, str]]) -> None:
    own = Account("xmpp:alice@a.org")
    events = []
    for identifier, jid, room, data, body in said:
        note = element("mls-bridge:envelope:1", "note", room=room, sender=jid, **{"event-id": identifier, "at": "1"})
        carried = element("mls-bridge:envelope:1", "envelope", data, note, v="1")
        message = element(CLIENT, "message", carried, element(CLIENT, "body", body), id=identifier)
        parsed = ET.fromstring(ET.tostring(message))  # noqa: S314 - our own
        origin = Origin(RoomAddress("xmpp:tea@muc.a.org"), identifier or "1", account_of(jid), 1)
        event = event_of(parsed, origin=origin, own=own)
        assert event is not None
        events.append(event)
    assert asyncio.run(taken_in(own, events)) <= len(events)


@given(anything)
def test_an_event_without_an_id_that_can_be_kept_is_no_event(event_id: str) -> None:
    content = json.loads(json.dumps({"v": 1, "data": "AA", "txn": "t"}))
    raw = {"event_id": event_id, "type": MATRIX_EVENT_TYPE, "sender": OWN, "origin_server_ts": 1, "content": content}
    entry = read_event(raw, ROOM, OWN)
    assert entry is None or entry.event_id.isprintable()


def texts_of(value: object) -> list[str]:
    """All texts in an event."""
    if isinstance(value, str):
        return [value]
    names = getattr(type(value), "__slots__", ())
    return [text for name in names for text in texts_of(getattr(value, name))]


def test_texts_are_found_wherever_they_stand() -> None:
    assert set(texts_of(MalformedSeen(Origin(ROOM, "$1", Account("x"), 1), "why"))) == {ROOM, "$1", "x", "why"}

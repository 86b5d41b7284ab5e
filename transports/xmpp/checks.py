"""What `mls-bridge check` looks at on XMPP: how a room is set up, and what it does with what is posted in it.

Envelopes with nothing in them are posted. People without MLS do not see them, unless the archive turns out to keep
nothing without a body: then they see one.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final, TypeAlias

from transports.carriers import XMPP_MAX_ENVELOPE
from transports.errors import PermanentError, TransportError
from transports.findings import Finding, Level
from transports.room import Account
from transports.xmpp.archive import read_page
from transports.xmpp.connection import Connection
from transports.xmpp.elements import Element, bare_and_resource
from transports.xmpp.login import Login
from transports.xmpp.muc import Room, read_setup
from transports.xmpp.pace import Pace
from transports.xmpp.plugin import ARCHIVED_BODY, envelope_message
from transports.xmpp.sending import Receipt
from transports.xmpp.setup import RoomSetup, unsuitable_settings
from transports.xmpp.uris import account_of, room_given

__all__ = ["Probe", "check"]

Probe: TypeAlias = Callable[[int], bytes]
"""Makes an envelope of so many bytes that receivers know for a probe, and drop."""

_BURST: Final = 20
_SIZES: Final = (1_000, 10_000, 30_000, XMPP_MAX_ENVELOPE)
_SLOW: Final = 2.0
"""Seconds for one message after which larger ones are not tried."""


async def check(
    login: Login, room: str, *, probe: Probe = secrets.token_bytes, pace: Pace | None = None
) -> list[Finding]:
    """What stands in the way of a group in a room, and how well the room would carry one.

    If the room is set up for it, the account enters it, and leaves it at the end. Raises what `XmppTransport.start` and
    `join` raise, apart from `UnsuitableRoomError`.
    """
    pace, jid = pace or Pace(), room_given(room)
    rooms: list[Room] = []
    connection = Connection(login, resource=f"check-{secrets.token_hex(4)}", pace=pace, on_stanza=_to_room(rooms, jid))
    await connection.open()
    try:
        findings = _read_settings(await read_setup(connection, jid))
        if any(finding.level is Level.PROBLEM for finding in findings):
            return findings
        account = account_of(connection.bare_jid) or Account("")
        nickname = f"check-{secrets.token_hex(2)}"
        inside = Room(jid, nickname=nickname, account=account, history_since=0, pace=pace)
        rooms.append(inside)
        await inside.enter(connection)
        post = _Poster(connection, inside, probe)
        findings += [await _check_archive(post), await _check_sizes(post), await _check_speed(post)]
        if inside.setup.has_archive:
            findings.append(await _check_order(post))
        inside.exit(connection, PermanentError("checked", where=jid))
        return findings
    finally:
        await connection.close()


def _to_room(rooms: list[Room], jid: str) -> Callable[[Element], None]:
    def on_stanza(stanza: Element) -> None:
        for room in rooms:
            if bare_and_resource(stanza.get("from"))[0] == jid:
                room.on_stanza(stanza, at=0)

    return on_stanza


def _read_settings(setup: RoomSetup) -> list[Finding]:
    wrong = unsuitable_settings(setup)
    findings = [Finding(Level.PROBLEM, "room settings", *each.split(": ", 1)) for each in wrong]
    if not findings:
        findings = [Finding(Level.OK, "room settings", "members only, and everybody sees who speaks")]
    if not setup.has_archive:
        advice = "turn it on: muc_mam in Prosody; mod_mam, and mam in the room's options, in ejabberd (XEP-0313)"
        findings.append(
            Finding(Level.WARNING, "history", "there is no archive: who is offline misses messages", advice)
        )
    return findings


class _Poster:
    """Posts envelopes of no meaning, and notes in which order they came back."""

    def __init__(self, connection: Connection, room: Room, probe: Probe) -> None:
        self.connection = connection
        self.room = room
        self.probe = probe
        self.reflected: list[str] = []

    async def post(self, size: int, body: str | None = None) -> Receipt:
        transaction = f"check-{secrets.token_hex(8)}"
        message = envelope_message(self.room.jid, self.probe(size), transaction=transaction, note=None, body=body)
        receipt = await self.room.deliver(self.connection, message)
        if receipt.archive_id is not None:
            self.reflected.append(receipt.archive_id)
        return receipt


async def _check_archive(post: _Poster) -> Finding:
    bare = await post.post(16)
    if bare.archive_id is not None:
        return Finding(Level.OK, "history", "the room's archive keeps what we send")
    with_body = await post.post(16, ARCHIVED_BODY)
    if with_body.archive_id is not None:
        advice = "nothing need be changed: a body that says so is sent along; people without MLS see it each time"
        return Finding(Level.WARNING, "history", "the room's archive keeps only messages with a text", advice)
    advice = "turn the room's archive on (XEP-0313): who is offline misses messages"
    return Finding(Level.WARNING, "history", "the room's archive does not keep what we send", advice)


async def _check_sizes(post: _Poster) -> Finding:
    passed = 0
    for size in _SIZES:
        began = time.monotonic()
        try:
            await post.post(size)
        except TransportError as error:
            advice = "raise the server's limit for stanzas to 262144 bytes (c2s_stanza_size_limit, max_stanza_size)"
            return Finding(Level.WARNING, "envelope size", f"{passed} bytes pass, {size} do not: {error.what}", advice)
        passed = size
        if (took := time.monotonic() - began) > _SLOW:
            what = f"{size} bytes take {took:.0f} s; larger ones were not tried"
            return Finding(Level.WARNING, "envelope size", what, _FASTER)
    return Finding(Level.OK, "envelope size", f"{passed} bytes pass, the most that one message carries")


_FASTER: Final = (
    "the server slows this account down: log in as a component (XEP-0114), or lift its limit "
    "(Prosody: unlimited_jids; ejabberd: a shaper rule)"
)


async def _check_speed(post: _Poster) -> Finding:
    began = time.monotonic()
    for _ in range(_BURST):
        await post.post(400)
    rate = _BURST / max(time.monotonic() - began, 0.001)
    if rate < 5:
        return Finding(Level.WARNING, "speed", f"{rate:.1f} messages a second", _FASTER)
    return Finding(Level.OK, "speed", f"{rate:.0f} messages a second, one after the other")


async def _check_order(post: _Poster) -> Finding:
    try:
        page = await read_page(post.connection, post.room.jid, before="", limit=50)
    except TransportError as error:
        return Finding(Level.PROBLEM, "order", f"the archive cannot be read: {error.what}")
    wanted = set(post.reflected)
    archived = [each.archive_id for each in page.messages if each.archive_id in wanted]
    if archived == post.reflected[-len(archived) :] and archived:
        return Finding(Level.OK, "order", "the archive has the order in which messages came")
    advice = "do not use the order mode `room` here: `sealed` needs no order from the server"
    return Finding(Level.PROBLEM, "order", "the archive has another order than messages came in", advice)

"""The element that carries an envelope, and the message around it.

    <message type='groupchat' to='tea@muc.example.org' id='{transaction}'>
      <envelope xmlns='mls-bridge:envelope:1' v='1'>{base64}
        <note room='matrix:…' sender='matrix:…' event-id='$…' at='1790000000000'/>
      </envelope>
      <encryption xmlns='urn:xmpp:eme:0' namespace='mls-bridge:envelope:1' name='MLS'/>
      <store xmlns='urn:xmpp:hints'/>
      <origin-id xmlns='urn:xmpp:sid:0' id='{transaction}'/>
      <body>{only where somebody asked for one}</body>
    </message>

The note is there where a relay copied the envelope: where it saw it, as it says.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from slixmpp.xmlstream import ElementBase

from transports.carriers import EME_NAME, XMPP_MAX_ENVELOPE, XMPP_NAMESPACE
from transports.room import Account, RelayNote, RoomAddress
from transports.xmpp.elements import CLIENT, STANZA_IDS, Element, children, element

__all__ = [
    "ARCHIVED_BODY",
    "CarriedEnvelope",
    "Envelope",
    "MalformedEnvelopeError",
    "envelope_message",
    "read_envelope",
]

ARCHIVED_BODY: Final = "This message is encrypted with MLS."
"""The body for archives that keep nothing without one, where the sender asked for no other."""

_EME: Final = "urn:xmpp:eme:0"
_HINTS: Final = "urn:xmpp:hints"
_VERSION: Final = "1"
_LONGEST_BASE64: Final = 4 * ((XMPP_MAX_ENVELOPE + 2) // 3)
_LONGEST_NAME: Final = 3100
_LARGEST_AT: Final = 1 << 53


class Envelope(ElementBase):
    """The element as slixmpp's stanza interface shows it: `message["mls_bridge_envelope"]["data"]`."""

    name = "envelope"
    namespace = XMPP_NAMESPACE
    plugin_attrib = "mls_bridge_envelope"
    interfaces = {"v", "data"}  # noqa: RUF012 - what slixmpp asks of a stanza class

    def get_data(self) -> bytes:
        """The envelope. Raises `MalformedEnvelopeError`."""
        return _read(self.xml).envelope


class MalformedEnvelopeError(ValueError):
    """An element that says that it carries an envelope, and does not."""


@dataclass(frozen=True, slots=True)
class CarriedEnvelope:
    """What an element carried."""

    envelope: bytes
    note: RelayNote | None


def envelope_message(
    to: str, envelope: bytes, *, transaction: str, note: RelayNote | None, body: str | None, kind: str = "groupchat"
) -> Element:
    """The whole message."""
    return element(
        CLIENT,
        "message",
        element(XMPP_NAMESPACE, "envelope", base64.b64encode(envelope).decode(), _note(note), v=_VERSION),
        element(_EME, "encryption", namespace=XMPP_NAMESPACE, name=EME_NAME),
        element(_HINTS, "store"),
        element(STANZA_IDS, "origin-id", id=transaction),
        None if body is None else element(CLIENT, "body", body),
        type=kind,
        to=to,
        id=transaction,
    )


def read_envelope(message: Element) -> CarriedEnvelope | None:
    """What a message carries, `None` where it does not say that it carries one. Raises `MalformedEnvelopeError`."""
    match list(children(message, XMPP_NAMESPACE, "envelope")):
        case []:
            return None
        case [only]:
            return _read(only)
        case more:
            raise MalformedEnvelopeError(f"{len(more)} envelopes in one message")


def _read(carrier: Element) -> CarriedEnvelope:
    if (version := carrier.get("v")) != _VERSION:
        raise MalformedEnvelopeError(f"its version is {version and version[:20]!r}, not {_VERSION!r}")
    encoded = "".join((carrier.text or "").split())
    if not encoded:
        raise MalformedEnvelopeError("it is empty")
    if len(encoded) > _LONGEST_BASE64:
        raise MalformedEnvelopeError(f"it has more than {XMPP_MAX_ENVELOPE} bytes")
    try:
        envelope = binascii.a2b_base64(encoded, strict_mode=True)
    except ValueError as error:
        raise MalformedEnvelopeError("it is not base64") from error
    return CarriedEnvelope(envelope, _read_note(carrier))


def _note(note: RelayNote | None) -> Element | None:
    if note is None:
        return None
    attributes = {"room": note.room, "sender": note.sender, "event-id": note.event_id, "at": str(note.at)}
    return element(XMPP_NAMESPACE, "note", **attributes)


def _read_note(carrier: Element) -> RelayNote | None:
    """The note, `None` where it is absent or broken: a claim that cannot be shown is not worth an envelope."""
    notes = list(children(carrier, XMPP_NAMESPACE, "note"))
    if len(notes) != 1:
        return None
    room, sender, event_id, at = (notes[0].get(key) for key in ("room", "sender", "event-id", "at"))
    if not room or not event_id or not at or not at.isascii() or not at.isdecimal() or len(at) > 16:
        return None
    if max(len(room), len(event_id), len(sender or "")) > _LONGEST_NAME or int(at) > _LARGEST_AT:
        return None
    return RelayNote(RoomAddress(room), Account(sender) if sender else None, event_id, int(at))

"""Messages of a room, live or from its archive, as events. Pure, and never an exception: hostile content is a value.

What is believed, and from whom:

* who spoke: live, from the room's presence for that nickname (see `occupants`); in the archive, from the `<item jid=…>`
  that the room itself adds. A client can write the same element into its message. Prosody keeps that one and adds its
  own, ejabberd replaces it: so of several none is believed, and only in a room that is set up to show addresses.
* where it stands: `<stanza-id>` if it is `by` the room, which removes others that claim that (XEP-0359, section 5).
* when: the archive's `<delay>` around a message, never one inside it; live, one's own clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from transports.room import (
    Account,
    EnvelopeSeen,
    MalformedSeen,
    Origin,
    PlaintextSeen,
    RoomAddress,
    RoomEvent,
)
from transports.xmpp.elements import (
    CLIENT,
    DELAY,
    FORWARD,
    MAM,
    MUC_USER,
    STANZA_IDS,
    Element,
    bare_and_resource,
    child,
    children,
    moment,
    text_of,
)
from transports.xmpp.plugin import MalformedEnvelopeError, read_envelope
from transports.xmpp.uris import account_of

__all__ = [
    "ArchivedMessage",
    "Heard",
    "archive_id_of",
    "event_of",
    "hear_archived",
    "read_archived",
    "sender_in_archive",
]

_LONGEST_BODY: Final = 64 * 1024
_LONGEST_ID: Final = 1024


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of the room."""

    archive_id: str | None
    """Its place in the archive; `None` where it has none."""
    event: RoomEvent | None
    """`None` for what does not concern us, such as a subject or a chat marker."""

    @property
    def size(self) -> int:
        """Roughly the bytes that it holds in memory."""
        match self.event:
            case EnvelopeSeen(envelope=envelope):
                return 500 + len(envelope)
            case PlaintextSeen(body=body):
                return 500 + len(body)
            case _:
                return 500


@dataclass(frozen=True, slots=True)
class ArchivedMessage:
    """One result of a query to an archive (XEP-0313, section 4.2)."""

    query: str
    archive_id: str
    at: int
    message: Element | None
    """What was archived; `None` for anything but a message, as Prosody can archive presence too."""


def event_of(message: Element, *, origin: Origin, own: Account) -> RoomEvent | None:
    """What a message of type `groupchat` says; `None` where it does not concern us."""
    try:
        carried = read_envelope(message)
    except MalformedEnvelopeError as error:
        return MalformedSeen(origin, str(error))
    if carried is not None:
        transaction = message.get("id") if origin.sender == own else None
        return EnvelopeSeen(origin, carried.envelope, transaction, carried.note)
    body = text_of(child(message, CLIENT, "body"))
    return PlaintextSeen(origin, _cut(body)) if body else None


def archive_id_of(message: Element, room: str) -> str | None:
    """The id under which the room archived a live message."""
    claimed = [each.get("id") for each in children(message, STANZA_IDS, "stanza-id") if each.get("by") == room]
    return claimed[0] if len(claimed) == 1 and claimed[0] and len(claimed[0]) <= _LONGEST_ID else None


def read_archived(message: Element) -> ArchivedMessage | None:
    """The result that a message from an archive holds; `None` where it holds none."""
    result = child(message, MAM, "result")
    forwarded = child(result, FORWARD, "forwarded")
    if result is None or forwarded is None:
        return None
    archive_id, query = result.get("id"), result.get("queryid")
    if not archive_id or not query or len(archive_id) > _LONGEST_ID:
        return None
    delay = child(forwarded, DELAY, "delay")
    at = moment(None if delay is None else delay.get("stamp")) or 0
    return ArchivedMessage(query, archive_id, at, child(forwarded, CLIENT, "message"))


def sender_in_archive(message: Element) -> Account | None:
    """The account that the room noted with an archived message, `None` where that is in doubt."""
    notes = list(children(message, MUC_USER, "x"))
    items = [item for note in notes for item in children(note, MUC_USER, "item")]
    return account_of(items[0].get("jid")) if len(notes) == len(items) == 1 and items[0].get("jid") else None


def hear_archived(archived: ArchivedMessage, *, room: str, address: RoomAddress, own: Account, is_open: bool) -> Heard:
    """An archived message as an event. `is_open` says that the room shows its occupants' addresses."""
    message = archived.message
    if message is None or message.get("type") != "groupchat":
        return Heard(archived.archive_id, None)
    bare, nickname = bare_and_resource(message.get("from"))
    if bare != room or not nickname:
        return Heard(archived.archive_id, None)
    sender = sender_in_archive(message) if is_open else None
    origin = Origin(address, archived.archive_id, sender, archived.at)
    return Heard(archived.archive_id, event_of(message, origin=origin, own=own))


def _cut(body: str) -> str:
    """The body's first 64 KiB in UTF-8."""
    if len(body) <= _LONGEST_BODY // 4:
        return body
    return body.encode(errors="replace")[:_LONGEST_BODY].decode(errors="ignore")

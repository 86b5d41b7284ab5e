"""What a Matrix event says to us, and what we write into one: pure functions between JSON and the types of a room.

The content of an envelope's event, of type `transports.carriers.MATRIX_EVENT_TYPE`:

==========  =========================================================================================================
`v`         1
`data`      the envelope in standard base64 without padding (RFC 4648, section 4)
`txn`       what the sender published it with: by this a sender knows its own event, on any device and after any
            restart. Means something to the sender's own account alone. (`unsigned.transaction_id` would tell only
            who holds the very access token that sent it.)
`note`      a relay's claim where it saw the envelope: `{"room", "sender", "event_id", "at"}`. `at` is a string of
            digits, for numbers in Matrix's JSON end at 2^53; `sender` may be absent
==========  =========================================================================================================

There is no fallback text: clients show nothing of a type that they do not know, so nobody would read it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeGuard

from transports.carriers import MATRIX_EVENT_TYPE, MATRIX_MAX_ENVELOPE
from transports.matrix.uris import BadIdentifierError, account_uri, room_uri
from transports.room import (
    Account,
    EnvelopeSeen,
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

__all__ = ["TOLD_TYPES", "Entry", "envelope_content", "notice_content", "read_event"]

CREATE: Final = "m.room.create"
ENCRYPTION: Final = "m.room.encryption"
MEMBER: Final = "m.room.member"
MESSAGE: Final = "m.room.message"
TOMBSTONE: Final = "m.room.tombstone"

TOLD_TYPES: Final = (MATRIX_EVENT_TYPE, MESSAGE, MEMBER, CREATE, ENCRYPTION, TOMBSTONE)
"""What a server is asked for. Of `m.room.create` nothing is told: it marks where a room's history begins."""

_VERSION: Final = 1
_MAX_BODY: Final = 65_536
_MAX_NOTE_FIELD: Final = 4096
_MAX_TIME: Final = 2**63 - 1
_MAX_EVENT_ID: Final = 255
_TRANSACTION: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DIGITS: Final = re.compile(r"[0-9]{1,19}")


_OVERHEAD: Final = 1000
"""Bytes of an event's objects besides its payload, generously."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a room's history, read."""

    event_id: str
    at: int
    """By its sender's server's clock."""
    event: RoomEvent | None
    """`None` where there is nothing to tell."""
    begins_history: bool
    """Nothing is older: it created the room."""

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory."""
        match self.event:
            case EnvelopeSeen(envelope=envelope):
                return len(envelope) + _OVERHEAD
            case PlaintextSeen(body=body):
                return len(body) + _OVERHEAD
            case _:
                return _OVERHEAD


def read_event(raw: object, room: RoomAddress, own_user_id: str) -> Entry | None:
    """Read one event of a server's answer. Of any JSON whatsoever, this returns; `None` if it is no event at all."""
    if not isinstance(raw, Mapping):
        return None
    event_id, kind, sender, content = (raw.get(key) for key in ("event_id", "type", "sender", "content"))
    if not (_is_clean(event_id, _MAX_EVENT_ID) and isinstance(kind, str) and isinstance(sender, str)):
        return None
    origin = Origin(room, event_id, _account(sender), _time(raw.get("origin_server_ts")))
    content = content if isinstance(content, Mapping) else {}
    is_state = "state_key" in raw
    event: RoomEvent | None = None
    if kind == MATRIX_EVENT_TYPE and not is_state:
        event = _envelope(origin, content, is_own=sender == own_user_id)
    elif kind == MESSAGE and not is_state:
        event = _plaintext(origin, content)
    elif kind == MEMBER and is_state:
        event = _membership(origin, raw, sender, content)
    elif raw.get("state_key") == "" and kind in {ENCRYPTION, TOMBSTONE}:
        event = _end(room, kind, content)
    begins_history = kind == CREATE and raw.get("state_key") == ""
    return Entry(event_id, origin.at, event, begins_history)


def envelope_content(envelope: bytes, transaction: str, note: RelayNote | None) -> dict[str, object]:
    """Return the content of the event that carries an envelope."""
    content: dict[str, object] = {"v": _VERSION, "data": _encoded(envelope), "txn": transaction}
    if note is not None:
        claim = {"room": note.room, "event_id": note.event_id, "at": str(note.at)}
        content["note"] = claim if note.sender is None else {**claim, "sender": note.sender}
    return content


def notice_content(text: str, transaction: str) -> dict[str, object]:
    """Return the content of a plain text that everybody can read."""
    return {"msgtype": "m.notice", "body": text, "txn": transaction}


def _envelope(origin: Origin, content: Mapping[str, object], *, is_own: bool) -> RoomEvent:
    if not content:
        return MalformedSeen(origin, "empty: it was redacted")
    if content.get("v") != _VERSION or isinstance(content.get("v"), bool):
        return MalformedSeen(origin, "not version 1")
    data = content.get("data")
    if not isinstance(data, str):
        return MalformedSeen(origin, "data is missing or no text")
    if len(data) > len(_encoded(bytes(MATRIX_MAX_ENVELOPE))):
        return MalformedSeen(origin, f"larger than {MATRIX_MAX_ENVELOPE} bytes")
    envelope = _decoded(data)
    if envelope is None:
        return MalformedSeen(origin, "data is not unpadded base64")
    transaction = content.get("txn") if is_own else None
    if not (isinstance(transaction, str) and _TRANSACTION.fullmatch(transaction)):
        transaction = None
    return EnvelopeSeen(origin, envelope, transaction, _note(content.get("note")))


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes | None:
    """Return the bytes, `None` unless the text is exactly what `_encoded` makes of them."""
    try:
        data = binascii.a2b_base64(text.encode("ascii") + b"=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        return None
    return data if _encoded(data) == text else None


def _note(claim: object) -> RelayNote | None:
    """Return a relay's note; `None` for a malformed one, for the envelope stands without it."""
    if not isinstance(claim, Mapping):
        return None
    room, sender, event_id, at = (claim.get(key) for key in ("room", "sender", "event_id", "at"))
    if not (_is_clean(room, _MAX_NOTE_FIELD) and _is_clean(event_id, _MAX_NOTE_FIELD)):
        return None
    if not (sender is None or _is_clean(sender, _MAX_NOTE_FIELD)):
        return None
    if not (isinstance(at, str) and _DIGITS.fullmatch(at) and int(at) <= _MAX_TIME):
        return None
    return RelayNote(RoomAddress(room), None if sender is None else Account(sender), event_id, int(at))


def _plaintext(origin: Origin, content: Mapping[str, object]) -> PlaintextSeen | None:
    body = content.get("body")
    if not isinstance(body, str):
        return None  # redacted, or nothing that a client would show
    cut = body[:_MAX_BODY].encode(errors="replace")[:_MAX_BODY]
    return PlaintextSeen(origin, cut.decode(errors="ignore"))


def _membership(
    origin: Origin, raw: Mapping[str, object], sender: str, content: Mapping[str, object]
) -> MembershipSeen | None:
    user_id = raw.get("state_key")
    account = _account(user_id)
    if account is None:
        return None
    unsigned = raw.get("unsigned")
    previous = unsigned.get("prev_content") if isinstance(unsigned, Mapping) else None
    before = previous.get("membership") if isinstance(previous, Mapping) else None
    now = content.get("membership")
    if before == now:
        return None  # a new display name or picture
    match now:
        case "join":
            membership = Membership.JOINED
        case "invite":
            membership = Membership.INVITED
        case "ban":
            membership = Membership.BANNED
        case "leave":
            # By somebody else it is a kick, unless it takes back an invitation or a ban.
            is_kick = sender != user_id and before not in {"invite", "ban", "knock"}
            membership = Membership.KICKED if is_kick else Membership.LEFT
        case _:
            return None
    return MembershipSeen(origin, account, membership)


def _end(room: RoomAddress, kind: str, content: Mapping[str, object]) -> RoomEnded | None:
    """Return what ends a room. Neither can be taken back; of redacted ones the server keeps the effect, too."""
    if kind == ENCRYPTION:
        return RoomEnded(room, "Matrix's own encryption was switched on in it, and cannot be switched off", None)
    return RoomEnded(room, "it was upgraded, and its people have moved on", _room(content.get("replacement_room")))


def _room(room_id: object) -> RoomAddress | None:
    if not isinstance(room_id, str):
        return None
    try:
        return room_uri(room_id)
    except BadIdentifierError:
        return None


def _account(user_id: object) -> Account | None:
    if not isinstance(user_id, str):
        return None
    try:
        return account_uri(user_id)
    except BadIdentifierError:
        return None


def _is_clean(text: object, longest: int) -> TypeGuard[str]:
    """Whether it is a text without control characters and lone surrogates, and not too long."""
    return isinstance(text, str) and 0 < len(text) <= longest and text.isprintable()


def _time(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_TIME else 0

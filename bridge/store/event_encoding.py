"""What happened in a room, as bytes: CBOR, `[version, kind, field, ...]`.

Text is stored as bytes, with surrogates let pass: a server's JSON can hold what UTF-8 cannot.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar, assert_never

import cbor2

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

__all__ = ["BadEventError", "decode_event", "decode_note", "encode_event", "encode_note", "encode_text"]

VERSION: Final = 1

_ENVELOPE, _PLAINTEXT, _MEMBERSHIP, _MALFORMED, _HISTORY_LOST, _ROOM_ENDED = range(1, 7)

Item: TypeAlias = "int | bytes | list[Item] | None"
"""What the encoding is made of."""

Value = TypeVar("Value")


class BadEventError(Exception):
    """The bytes are not what was stored. Never leaves the package."""


def encode_event(event: RoomEvent) -> bytes:
    """Return an event as bytes."""
    return cbor2.dumps([VERSION, *_event_items(event)])


def decode_event(data: bytes) -> RoomEvent:
    """Return the event that was encoded. Raises `BadEventError`."""
    return _decode(data, _event)


def encode_note(note: RelayNote) -> bytes:
    """Return a relay's note as bytes."""
    return cbor2.dumps([VERSION, _note_items(note)])


def decode_note(data: bytes) -> RelayNote:
    """Return the note that was encoded. Raises `BadEventError`."""
    return _decode(data, lambda items: _note(_only(items)))


def encode_text(text: str) -> bytes:
    """Return any `str` as bytes."""
    return text.encode("utf-8", "surrogatepass")


def _event_items(event: RoomEvent) -> list[Item]:
    match event:
        case EnvelopeSeen(origin, envelope, transaction, note):
            sent = None if transaction is None else encode_text(transaction)
            return [_ENVELOPE, _origin_items(origin), envelope, sent, None if note is None else _note_items(note)]
        case PlaintextSeen(origin, body):
            return [_PLAINTEXT, _origin_items(origin), encode_text(body)]
        case MembershipSeen(origin, account, membership):
            return [_MEMBERSHIP, _origin_items(origin), encode_text(account), encode_text(membership.value)]
        case MalformedSeen(origin, reason):
            return [_MALFORMED, _origin_items(origin), encode_text(reason)]
        case HistoryLost(room, reason):
            return [_HISTORY_LOST, encode_text(room), encode_text(reason)]
        case RoomEnded(room, reason, successor):
            return [
                _ROOM_ENDED,
                encode_text(room),
                encode_text(reason),
                None if successor is None else encode_text(successor),
            ]
        case _:
            assert_never(event)


def _origin_items(origin: Origin | RelayNote) -> list[Item]:
    sender = None if origin.sender is None else encode_text(origin.sender)
    return [encode_text(origin.room), encode_text(origin.event_id), sender, origin.at]


_note_items = _origin_items
"""A relay says of an event what a network does."""


def _decode(data: bytes, build: Callable[[list[Item]], Value]) -> Value:
    stream = io.BytesIO(data)
    try:
        version, *items = _list(cbor2.load(stream))
        if version != VERSION or stream.tell() != len(data):
            raise BadEventError
        return build(items)
    except (cbor2.CBORError, ValueError, RecursionError, MemoryError):
        # UnicodeDecodeError is a ValueError, as are lists of another length and memberships that do not exist.
        raise BadEventError from None


def _event(items: list[Item]) -> RoomEvent:
    kind, *fields = items
    match kind, fields:
        case int(), [origin, envelope, transaction, note] if kind == _ENVELOPE:
            return EnvelopeSeen(
                _origin(origin), _bytes(envelope), _optional(_text, transaction), _optional(_note, note)
            )
        case int(), [origin, body] if kind == _PLAINTEXT:
            return PlaintextSeen(_origin(origin), _text(body))
        case int(), [origin, account, membership] if kind == _MEMBERSHIP:
            return MembershipSeen(_origin(origin), Account(_text(account)), Membership(_text(membership)))
        case int(), [origin, reason] if kind == _MALFORMED:
            return MalformedSeen(_origin(origin), _text(reason))
        case int(), [room, reason] if kind == _HISTORY_LOST:
            return HistoryLost(RoomAddress(_text(room)), _text(reason))
        case int(), [room, reason, successor] if kind == _ROOM_ENDED:
            return RoomEnded(RoomAddress(_text(room)), _text(reason), _optional(_address, successor))
        case _:
            raise BadEventError


def _origin(item: Item) -> Origin:
    return Origin(*_place_and_time(item))


def _note(item: Item) -> RelayNote:
    room, event_id, sender, at = _place_and_time(item)
    return RelayNote(room, sender, event_id, at)


def _place_and_time(item: Item) -> tuple[RoomAddress, str, Account | None, int]:
    room, event_id, sender, at = _list(item)
    if not isinstance(at, int) or isinstance(at, bool):
        raise BadEventError
    return RoomAddress(_text(room)), _text(event_id), _optional(_account, sender), at


def _account(item: Item) -> Account:
    return Account(_text(item))


def _address(item: Item) -> RoomAddress:
    return RoomAddress(_text(item))


def _optional(read: Callable[[Item], Value], item: Item) -> Value | None:
    return None if item is None else read(item)


def _only(items: list[Item]) -> Item:
    (item,) = items
    return item


def _text(item: Item) -> str:
    return _bytes(item).decode("utf-8", "surrogatepass")


def _bytes(item: Item) -> bytes:
    if not isinstance(item, bytes):
        raise BadEventError
    return item


def _list(item: Item) -> list[Item]:
    if not isinstance(item, list):
        raise BadEventError
    return item

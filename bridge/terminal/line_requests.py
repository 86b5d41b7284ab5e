"""What a program asks for, one JSON object a line, as requests. Strict: a field that is not known is an error."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from bridge.content import MAX_TEXT, MESSAGE_ID_SIZE, MessageId, harmless_line
from bridge.conversation import Add, Confirm, Join, Leave, Members, Quit, Remove, Request, Resync, Say, Status, Verify

__all__ = ["Acknowledge", "Asking", "LineError", "RequestId", "read_request"]

MAX_ACCOUNT: Final = 3000
MAX_ID: Final = 200
MAX_NUMBER: Final = (1 << 53) - 1
"""What every JSON library keeps exactly."""

RequestId: TypeAlias = str | int | None


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Everything up to `position` was taken in."""

    position: int


@dataclass(frozen=True, slots=True)
class Asking:
    """A request, and the id by which its answer is found."""

    id: RequestId
    request: Request | Acknowledge | Quit


class LineError(Exception):
    """A line is no request; says what is wrong with it. `request` is its id, where that much could be read."""

    def __init__(self, what: str, *, request: RequestId = None) -> None:
        self.what = what
        self.request = request
        super().__init__(what)


def read_request(line: bytes) -> Asking:
    """Return what `line` asks for. Raises `LineError`, and nothing else."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LineError("the line is not JSON in UTF-8") from error
    if not isinstance(fields, dict):
        raise LineError("the line is not a JSON object")
    id_ = _id(fields.pop("id", None))
    try:
        return Asking(id_, _request(fields))
    except LineError as error:
        raise LineError(error.what, request=id_) from error


def _id(value: object) -> RequestId:
    match value:
        case None:
            return None
        case str() if len(value) <= MAX_ID:
            return _unicode(value, "id")
        case int() if not isinstance(value, bool) and abs(value) <= MAX_NUMBER:
            return value
        case _:
            raise LineError(f"id: neither text of at most {MAX_ID} characters nor a number of at most 53 bits")


def _request(fields: dict[str, object]) -> Request | Acknowledge | Quit:
    kind = fields.pop("type", None)
    if not isinstance(kind, str) or kind not in READERS:
        raise LineError(f"type: not one of {', '.join(READERS)}")
    read, known = READERS[kind]
    for name in fields:
        if name not in known:
            raise LineError(f"{harmless_line(name, limit=40)}: {kind} has no such field")
    return read(fields)


def _say(fields: Mapping[str, object]) -> Say:
    return Say(_text(fields, "text", MAX_TEXT), _flag(fields, "markdown"), _message_id(fields, "reply_to"))


def _confirm(fields: Mapping[str, object]) -> Confirm:
    return Confirm(_text(fields, "account", MAX_ACCOUNT), _text(fields, "digits", MAX_ACCOUNT))


def _acknowledge(fields: Mapping[str, object]) -> Acknowledge:
    position = fields.get("position")
    if not isinstance(position, int) or isinstance(position, bool) or not 0 <= position <= MAX_NUMBER:
        raise LineError("position: not a number from 0 to 2^53 - 1")
    return Acknowledge(position)


def _with_account(make: Callable[[str], Request]) -> Callable[[Mapping[str, object]], Request]:
    return lambda fields: make(_text(fields, "account", MAX_ACCOUNT))


Reader: TypeAlias = Callable[[Mapping[str, object]], Request | Acknowledge | Quit]

READERS: Final[Mapping[str, tuple[Reader, tuple[str, ...]]]] = {
    "say": (_say, ("text", "markdown", "reply_to")),
    "add": (_with_account(Add), ("account",)),
    "remove": (_with_account(Remove), ("account",)),
    "verify": (_with_account(Verify), ("account",)),
    "confirm": (_confirm, ("account", "digits")),
    "members": (lambda _: Members(), ()),
    "status": (lambda _: Status(), ()),
    "ack": (_acknowledge, ("position",)),
    "join": (lambda _: Join(), ()),
    "resync": (lambda _: Resync(), ()),
    "leave": (lambda _: Leave(), ()),
    "quit": (lambda _: Quit(), ()),
}


def _text(fields: Mapping[str, object], name: str, limit: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= limit:
        raise LineError(f"{name}: not text of 1 to {limit:,} characters")
    return _unicode(value, name)


def _flag(fields: Mapping[str, object], name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise LineError(f"{name}: neither true nor false")
    return value


def _message_id(fields: Mapping[str, object], name: str) -> MessageId | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) != 2 * MESSAGE_ID_SIZE:
        raise LineError(f"{name}: not a message id of {2 * MESSAGE_ID_SIZE} hexadecimal digits")
    try:
        return MessageId(bytes.fromhex(value))
    except ValueError as error:
        raise LineError(f"{name}: not a message id in hexadecimal digits") from error


def _unicode(value: str, name: str) -> str:
    """Return `value`, which JSON can fill with halves of characters."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise LineError(f"{name}: half a character, which is no Unicode text") from error
    return value

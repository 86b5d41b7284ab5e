"""Happenings and answers as JSON objects. `lines.schema.json` describes them, `docs/json-lines.md` explains them."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Final, TypeAlias, assert_never

from bridge.content import MessageId
from bridge.conversation import (
    Alarm,
    Answer,
    Asked,
    ConnectionShown,
    DeliveryChanged,
    Done,
    EpochChanged,
    Happening,
    Joined,
    MemberCame,
    MembersListed,
    MemberWent,
    MessageArrived,
    Notice,
    NumbersShown,
    PlaintextShown,
    Removed,
    RequestRefusedError,
    RoomShown,
    Said,
    StatusShown,
    Told,
)
from bridge.terminal.layout import local_time
from bridge.terminal.line_requests import LineError, RequestId
from bridge.terminal.transcript import Authorship

__all__ = [
    "VERSION",
    "answer_object",
    "error_object",
    "happening_object",
    "hello_object",
    "to_line",
]

VERSION: Final = 1
"""Of the format. Fields may be added to what is written; anything else makes a new version."""

Object: TypeAlias = dict[str, object]


def to_line(fields: Object) -> bytes:
    """Return a JSON object on one line, in ASCII: whoever prints it prints nothing else."""
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


# --- What is written --------------------------------------------------------------------------------------------------


def hello_object(shown: RoomShown) -> Object:
    """Return the first line: the version of the format, the room, and who one is in it."""
    return {
        "type": "hello",
        "version": VERSION,
        "room": shown.room,
        "room_name": shown.name,
        "account": shown.account,
        "name": shown.own_name,
    }


def happening_object(told: Told, authorship: Authorship) -> Object:
    """Return a happening. `authorship` says of an edit or a deletion whether it is its author's."""
    return {**_fields(told.what, authorship), "position": told.position}


def answer_object(id_: RequestId, answer: Answer) -> Object:
    """Return the answer to a request that was done."""
    return {"type": "ok", "request": id_, **_result(answer)}


def error_object(error: LineError | RequestRefusedError, *, line: int, id_: RequestId) -> Object:
    """Return the answer to a request that was not done, or could not be read. `line` is its number, from 1."""
    next_step = error.next_step if isinstance(error, RequestRefusedError) else ""
    return {"type": "error", "request": id_, "line": line, "what": error.what, "next_step": next_step}


def _fields(what: Happening, authorship: Authorship) -> Object:
    match what:
        case MessageArrived():
            return _message(what, authorship)
        case DeliveryChanged(id=id_, state=state, reason=reason):
            return {"type": "delivery", "id": id_.hex(), "state": state.value, "reason": reason}
        case PlaintextShown(account=account, text=text, at_ms=at_ms):
            return {"type": "plaintext", "at": _time(at_ms), "account": account, "text": text}
        case MemberCame() | MemberWent() | Asked() | Joined() | Removed():
            return _membership(what)
        case EpochChanged(epoch=epoch, members=members, digits=digits):
            return {"type": "epoch", "epoch": epoch, "members": members, "digits": digits}
        case Alarm() | Notice() | ConnectionShown():
            return _program(what)
        case _:
            assert_never(what)


def _message(what: MessageArrived, authorship: Authorship) -> Object:
    return {
        "type": "message",
        "id": what.id.hex(),
        "at": _time(what.at_ms),
        "account": what.sender_account,
        "name": what.sender_name,
        "kind": what.kind.value,
        "text": what.text,
        "markdown": what.markdown,
        "reply_to": _hex(what.reply_to),
        "replaces": _hex(what.replaces),
        "by_author": None if what.replaces is None else authorship.value,
        "own": what.is_own,
        "verified": what.verified.value,
        "late": what.late,
    }


def _membership(what: MemberCame | MemberWent | Asked | Joined | Removed) -> Object:
    match what:
        case MemberCame() | MemberWent():
            return {
                "type": "member_came" if isinstance(what, MemberCame) else "member_went",
                "at": _time(what.at_ms),
                "account": what.account,
                "name": what.name,
                "by": what.by,
                "why": what.why,
            }
        case Asked():
            return {
                "type": "asked",
                "account": what.account,
                "name": what.name,
                "network": what.network,
                "digits": what.digits,
                "by_relay": what.by_relay,
            }
        case Joined():
            return {"type": "joined", "epoch": what.epoch, "members": what.members, "by": what.by}
        case Removed():
            return {"type": "removed", "at": _time(what.at_ms), "by": what.by, "why": what.why}
        case _:
            assert_never(what)


def _program(what: Alarm | Notice | ConnectionShown) -> Object:
    match what:
        case Alarm():
            return {"type": "alarm", "what": what.what, "next_step": what.next_step}
        case Notice():
            return {"type": "notice", "text": what.text}
        case ConnectionShown():
            return {"type": "connection", **_connection(what)}
        case _:
            assert_never(what)


def _result(answer: Answer) -> Object:
    match answer:
        case Done():
            return {}
        case Said(id=id_):
            return {"id": id_.hex()}
        case NumbersShown():
            return {"account": answer.account, "name": answer.name, "digits": answer.digits}
        case MembersListed():
            return {
                "members": [
                    {
                        "account": member.account,
                        "name": member.name,
                        "device": member.device,
                        "verified": member.verified.value,
                        "own": member.is_self,
                        "rights": list(member.rights),
                    }
                    for member in answer.members
                ]
            }
        case StatusShown():
            return {
                "epoch": answer.epoch,
                "members": answer.members,
                "verified": answer.verified.value,
                "waiting": answer.waiting,
                "digits": answer.digits,
                "connections": [_connection(link) for link in answer.connections],
                "held": answer.held,
            }
        case _:
            assert_never(answer)


def _connection(link: ConnectionShown) -> Object:
    return {"network": link.network, "state": link.state.value}


def _time(at_ms: int) -> str:
    """Return a time as RFC 3339 has it, in UTC, to the millisecond."""
    return local_time(at_ms, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _hex(id_: MessageId | None) -> str | None:
    return None if id_ is None else id_.hex()

"""What is asked of a process over its control socket, and the answers (docs/control.md).

A question is a line of `mls-bridge chat --json` with the name of a room in it; a few more are about the process itself,
or about what is kept.
"""

from __future__ import annotations

import json
import shlex
from functools import partial
from typing import Final, Protocol

import structlog

from bridge.config import Config
from bridge.content import harmless_line
from bridge.conversation import Answer, Quit, Request, RequestRefusedError
from bridge.service.control import Object
from bridge.store import StoreError
from bridge.terminal.line_format import answer_object, error_object
from bridge.terminal.line_requests import Acknowledge, LineError, read_request

__all__ = ["MAX_PAGE", "Asked", "answer", "as_line", "require_member"]

log = structlog.get_logger("service")

MAX_PAGE: Final = 200
"""Kept messages in one answer, at most."""

LATEST: Final = (1 << 53) - 1
"""Behind all positions."""


class Asked(Protocol):
    """Who is asked: a service that runs, or the database of one that is stopped.

    All raise `StoreError`, and `RequestRefusedError`, also where the room is not there, or has no member.
    """

    async def report(self) -> Object:
        """Return how everything stands."""
        ...

    async def do(self, room: str, request: Request) -> Answer:
        """Do what a person asks of a room's member."""
        ...

    async def history(self, room: str, limit: int, before: int) -> list[Object]:
        """Return the last messages that were kept before a position, oldest first."""
        ...

    async def forget(self, room: str) -> None:
        """Delete the messages that were kept."""
        ...


def require_member(config: Config, name: str) -> str:
    """Return which account is the member in a room of the configuration. Raises `RequestRefusedError`."""
    room = config.rooms.get(name)
    if room is None:
        raise RequestRefusedError(f"There is no room {harmless_line(name, limit=40)} in the configuration.")
    if room.member is None:
        raise RequestRefusedError(f"rooms.{name} has no part `member`: this program is no member there.")
    return room.member.account


def as_line(question: Object) -> bytes:
    """Return a question as a line."""
    return json.dumps(question).encode("ascii")


async def answer(asked: Asked, line: bytes | None) -> Object:
    """Return the answer to a line; `None` stands for one that did not come whole."""
    fields: Object = {}
    try:
        fields = _fields(line)
        return {"type": "ok", "request": None, **await _answer(asked, fields)}
    except LineError as error:
        refused: LineError | RequestRefusedError = error
    except RequestRefusedError as error:
        refused = RequestRefusedError(error.what, next_step=error.advice(partial(_at_a_shell, fields.get("room"))))
    except StoreError as error:
        refused = LineError(str(error))
    except Exception:  # whoever asks must not end the service
        log.exception("a request failed unexpectedly")
        refused = LineError("it failed unexpectedly; the log has the reason")
    return error_object(refused, line=1, id_=None)


def _at_a_shell(room: object, command: str) -> str:
    """Return how a command is written there: whoever asks over a socket is no prompt that knows its room."""
    return f"mls-bridge {command} --room {shlex.quote(str(room))}"


async def _answer(asked: Asked, fields: Object) -> Object:
    if "room" not in fields:
        if fields.get("type") != "status":
            raise LineError("room: missing")
        _refuse_others(fields, "type")
        return {"service": await asked.report()}
    room = fields["room"]
    if not isinstance(room, str):
        raise LineError("room: not text")
    match fields.get("type"):
        case "history":
            _refuse_others(fields, "type", "room", "limit", "before")
            limit, before = _number(fields, "limit", MAX_PAGE), _number(fields, "before", LATEST)
            return {"messages": await asked.history(room, limit, before)}
        case "forget":
            _refuse_others(fields, "type", "room")
            await asked.forget(room)
            return {}
        case _:
            pass
    request = read_request(as_line({name: value for name, value in fields.items() if name != "room"})).request
    if isinstance(request, Acknowledge | Quit):
        raise LineError("type: this is for who listens to a conversation: `mls-bridge chat --json`")
    return answer_object(None, await asked.do(room, request))


def _fields(line: bytes | None) -> Object:
    if line is None:
        raise LineError("the line is too long, or did not end in time")
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LineError("the line is not JSON in UTF-8") from error
    if not isinstance(fields, dict):
        raise LineError("the line is not a JSON object")
    return fields


def _refuse_others(fields: Object, *known: str) -> None:
    for name in fields:
        if name not in known:
            raise LineError(f"{harmless_line(name, limit=40)}: there is no such field here")


def _number(fields: Object, name: str, highest: int) -> int:
    """Return a number from 1 to `highest`, which is also what is taken where there is none."""
    value = fields.get(name, highest)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= highest:
        raise LineError(f"{name}: not a number from 1 to {highest:,}")
    return value

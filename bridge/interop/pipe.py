"""The services as JSON lines: one call a line, one answer a line, in order.

The messages are protobuf's in its JSON mapping, with the field names of the .proto files; bytes are base64. `ns`
is the time from the request to the answer, without the JSON of either.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import IO, Final

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message

from bridge.interop.errors import CallError, Code, invalid
from bridge.interop.service import CALLS, MAX_MESSAGE, Service

__all__ = ["answer_lines"]

MAX_LINE: Final = 2 * MAX_MESSAGE
"""In bytes. Base64 makes a message a third longer."""


def answer_lines(source: IO[bytes], sink: IO[bytes], service: Service) -> None:
    """Answer each line of `source` with one on `sink`, until `source` ends."""
    while line := source.readline(MAX_LINE):
        answer = _too_long(source) if len(line) == MAX_LINE and not line.endswith(b"\n") else _answer(service, line)
        sink.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
        sink.flush()


def _too_long(source: IO[bytes]) -> dict[str, object]:
    """Pass over the rest of a line that is too long."""
    while (rest := source.readline(MAX_LINE)) and not rest.endswith(b"\n"):
        pass
    return _failed(None, invalid(f"a line has more than {MAX_LINE} bytes"))


def _answer(service: Service, line: bytes) -> dict[str, object]:
    try:
        call = json.loads(line)
    except (ValueError, RecursionError) as error:
        return _failed(None, invalid(f"the line is not JSON: {error}"))
    if not isinstance(call, dict):
        return _failed(None, invalid("the line is not a JSON object"))
    number = call.get("id")
    if not isinstance(number, int | str | None):
        return _failed(None, invalid("id: neither a number nor a string"))
    try:
        make = _prepare(service, call.get("rpc"), call.get("request"))
        start = time.perf_counter_ns()
        response = make()
        elapsed = time.perf_counter_ns() - start
    except CallError as error:
        return _failed(number, error)
    return {"id": number, "response": MessageToDict(response, preserving_proto_field_name=True), "ns": elapsed}


def _prepare(service: Service, name: object, fields: object) -> Callable[[], Message]:
    """Return what makes a call. Raises `CallError` where there is no such call, or the request is malformed."""
    if not isinstance(name, str) or name not in CALLS:
        raise CallError(Code.UNIMPLEMENTED, f"rpc: there is no call {name!r}")
    if not isinstance(fields, dict | None):
        raise invalid("request: not a JSON object")
    try:
        return service.prepare(name, lambda message: ParseDict(fields or {}, message))
    except ParseError as error:
        raise invalid(f"request: {error}") from error


def _failed(number: int | str | None, error: CallError) -> dict[str, object]:
    return {"id": number, "error": {"code": str(error.code), "message": error.reason}, "ns": 0}

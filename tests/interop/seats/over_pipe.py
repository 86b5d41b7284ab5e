"""A seat whose program speaks JSON lines: one request, one answer, on its standard input and output.

    {"id": 7, "rpc": "CreateGroup", "request": {...}}
    {"id": 7, "response": {...}, "ns": 123456}
    {"id": 7, "error": {"code": "UNIMPLEMENTED", "message": "why"}, "ns": 0}

Messages are in protobuf's JSON mapping, with the field names of the `.proto` files; `ns` is how many nanoseconds the
library itself took.
"""

from __future__ import annotations

import json
import os
import selectors
import time
from typing import TYPE_CHECKING, Self, TypeVar

from google.protobuf import json_format

from tests.interop.seats.program import Program
from tests.interop.seats.seat import MAX_ANSWER, STATUSES, Code, SeatError, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from google.protobuf.message import Message

__all__ = ["PipeSeat"]

CHUNK = 1 << 20
"""In bytes: how much is written or read at once."""

M = TypeVar("M", bound="Message")


class PipeSeat:
    """A program that answers on its standard output what it is asked on its standard input."""

    def __init__(self, name: str, program: Program, *, seconds: float) -> None:
        self.name = name
        self.last_ns = 0
        """How long the library took for the last answer, by its own account."""
        self._program = program
        self._seconds = seconds
        self._calls = 0
        self._unread = b""
        self._broken: SeatError | None = None
        for stream in (program.input, program.output):
            os.set_blocking(stream.fileno(), False)

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        seconds: float = 30,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> Self:
        """Start a program; each call may take `seconds`. Raises `SeatError`."""
        program = Program(command, piped=True, environment=environment, directory=directory)
        return cls(name, program, seconds=seconds)

    def call(self, rpc: str, request: Message, answer: type[M]) -> M:
        if self._broken is not None:
            raise SeatError(Code.DIED, f"given up after {self._broken}")
        self._calls += 1
        fields = json_format.MessageToDict(request, preserving_proto_field_name=True)
        line = json.dumps({"id": self._calls, "rpc": rpc, "request": fields}).encode() + b"\n"
        try:
            (told,) = self._exchange(line)
            return self._read(told, answer())
        except SeatError as error:
            if error.code not in STATUSES:
                # An answer that comes now would be taken for that of the next call.
                self._broken = error
                self._program.end()
            raise

    @property
    def pid(self) -> int:
        """The program's process."""
        return self._program.pid

    def close(self) -> None:
        self._program.end()
        self._broken = self._broken or SeatError(Code.DIED, "closed")

    def _exchange(self, data: bytes, count: int = 1) -> list[bytes]:
        """Write one line or several, and return the next `count` ones, without their ends."""
        deadline = time.monotonic() + self._seconds
        unwritten = memoryview(data)
        unread = bytearray(self._unread)
        lines: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            selector.register(self._program.output, selectors.EVENT_READ)
            # It may answer, or fill its output, before it has read everything: both directions at once.
            selector.register(self._program.input, selectors.EVENT_WRITE)
            while not _take_lines(unread, lines, count):
                if len(unread) > MAX_ANSWER:
                    raise SeatError(Code.NONSENSE, f"a line of more than {MAX_ANSWER} bytes: {_beginning(unread)}")
                ready = selector.select(max(0, deadline - time.monotonic()))
                if not ready:
                    raise SeatError(Code.TIMEOUT, f"no answer within {self._seconds:g} s")
                for key, _ in ready:
                    if key.fileobj is self._program.input:
                        unwritten = unwritten[self._write(unwritten) :]
                        if not unwritten:
                            selector.unregister(self._program.input)
                    elif not (chunk := self._program.output.read(CHUNK)):
                        raise SeatError(Code.DIED, self._program.obituary())
                    else:
                        unread += chunk
        if unwritten:
            raise SeatError(Code.NONSENSE, f"an answer before the end of the request: {_beginning(lines[-1])}")
        self._unread = bytes(unread)
        return lines

    def _write(self, data: memoryview) -> int:
        try:
            return self._program.input.write(data[:CHUNK]) or 0
        except BrokenPipeError:
            raise SeatError(Code.DIED, self._program.obituary()) from None

    def _read(self, line: bytes, response: M) -> M:
        """Read an answer into `response`, strictly. Raises `SeatError`: what it says, or `NONSENSE`."""
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SeatError(Code.NONSENSE, f"not JSON ({error}): {_beginning(line)}") from None
        match answer:
            case {"id": int(number)} if number != self._calls or isinstance(number, bool):
                raise SeatError(Code.NONSENSE, f"an answer to request {number} instead of {self._calls}")
            case {"id": int(), "response": dict(fields), "ns": int(ns), **rest} if not rest and _is_time(ns):
                self.last_ns = ns
                return _parse(fields, response)
            case {"id": int(), "error": {"code": str(code), "message": str(message)}, **rest} if (
                code in STATUSES and rest.keys() <= {"ns"}
            ):
                raise SeatError(Code(code), message)
            case _:
                raise SeatError(Code.NONSENSE, f"neither a response nor an error: {_beginning(line)}")


def _take_lines(unread: bytearray, lines: list[bytes], count: int) -> bool:
    """Move whole lines from `unread` to `lines` until these are `count`; return whether they are."""
    while len(lines) < count:
        # What came before the last chunk has been looked through already.
        end = unread.find(b"\n", 0 if lines else max(0, len(unread) - CHUNK))
        if end < 0:
            return False
        lines.append(bytes(unread[:end]))
        del unread[: end + 1]
    return True


def _is_time(ns: int) -> bool:
    return not isinstance(ns, bool) and ns >= 0


def _parse(fields: dict[str, object], response: M) -> M:
    try:
        return json_format.ParseDict(fields, response)
    except (json_format.ParseError, RecursionError) as error:
        reason = f"not a {response.DESCRIPTOR.name}: {error}"
        raise SeatError(Code.NONSENSE, reason) from None


def _beginning(line: bytes | bytearray) -> str:
    return shortened(line[:200].decode("utf-8", "backslashreplace"))

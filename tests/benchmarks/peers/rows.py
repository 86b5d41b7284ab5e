"""A seat that is asked several things at once, so that its program does not fall asleep between them.

A program that waits for its next request finds, when it wakes up, the processor's caches full of what others have left
there: a message then takes two or three times as long. What is measured is the library, so every row of requests
begins with some work that does not count, and the next request is there before the last one is answered.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from google.protobuf import json_format

from tests.interop.seats import Code, PipeSeat, SeatError
from tests.interop.seats.seat import STATUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

__all__ = ["Call", "RowSeat", "Timed"]

M = TypeVar("M", bound="Message")


class Call(NamedTuple):
    """One request, and the type of its answer."""

    rpc: str
    request: Message
    answer: type[Message]


class Timed(NamedTuple, Generic[M]):
    """An answer, and the nanoseconds that the library took for it."""

    answer: M
    ns: int


class RowSeat(PipeSeat):
    """A program that answers in order, whenever it was asked."""

    warm_up: Sequence[Call] = ()
    """What each row begins with, and does not count."""
    makes_any_path = True
    """Whether it makes a path that is not needed, if it is told to: found out by telling it."""

    def call_row(
        self, rpc: str, requests: Sequence[Message], answer: type[M], *, after_each: Call | None = None
    ) -> list[Timed[M]]:
        """Return the answers to all requests. Raises `SeatError` if one of them was refused, or there is no answer."""
        if self._broken is not None:
            raise SeatError(Code.DIED, f"given up after {self._broken}")
        calls = list(self.warm_up)
        for request in requests:
            calls += [Call(rpc, request, answer), *([after_each] if after_each else [])]
        first = self._calls + 1
        self._calls += len(calls)
        try:
            row = b"".join(_line(number, call) for number, call in enumerate(calls, first))
            lines = self._exchange(row, len(calls))
            timed = []
            for self._calls, line, call in zip(range(first, first + len(calls)), lines, calls, strict=True):
                timed.append(Timed(self._read(line, call.answer()), self.last_ns))
        except SeatError as error:
            self._calls = first + len(calls) - 1
            if error.code not in STATUSES:
                self._broken = error
                self._program.end()
            raise
        counted = timed[len(self.warm_up) :]
        return [Timed(response, ns) for response, ns in counted if isinstance(response, answer)]


def _line(number: int, call: Call) -> bytes:
    fields = json_format.MessageToDict(call.request, preserving_proto_field_name=True)
    return json.dumps({"id": number, "rpc": call.rpc, "request": fields}).encode() + b"\n"

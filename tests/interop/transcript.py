"""What was asked and answered while a script ran: kept within bounds, for whoever has to find out what went wrong."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message import Message

from tests.interop.seats.seat import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.interop.seats import SeatError

__all__ = ["Call", "Transcript"]

MAX_CALLS = 300
"""How many calls are kept, counted from the last one. All scripts but `deep_random` have fewer."""

MAX_ELEMENTS = 50
"""How many elements of a repeated field are shown."""

MAX_BYTES = 48
"""How many bytes of a field are shown in full."""


@dataclass(frozen=True)
class Call:
    """A call, ready to be written down as JSON: bytes are in hex, long ones as length, SHA-256 and beginning."""

    number: int
    """Counted from 0, from the beginning of the script."""
    step: int
    actor: str
    seat: str
    rpc: str
    request: dict[str, object]
    response: dict[str, object] | None
    """`None` if there was none: then `error` says why."""
    error: str | None
    seconds: float


class Transcript:
    """The calls so far. They are kept as they are, and put into words only if somebody asks."""

    def __init__(self) -> None:
        self.count = 0
        self._last: deque[tuple[int, int, str, str, str, Message, Message | SeatError, float]] = deque(maxlen=MAX_CALLS)

    def note(
        self,
        step: int,
        actor: str,
        seat: str,
        rpc: str,
        request: Message,
        outcome: Message | SeatError,
        seconds: float,
    ) -> None:
        """Note a call, and what came of it."""
        self._last.append((self.count, step, actor, seat, rpc, request, outcome, seconds))
        self.count += 1

    def calls(self) -> list[Call]:
        """The last calls, in order."""
        return [
            Call(
                number,
                step,
                actor,
                seat,
                rpc,
                _fields(request),
                _fields(outcome) if isinstance(outcome, Message) else None,
                None if isinstance(outcome, Message) else str(outcome),
                round(seconds, 6),
            )
            for number, step, actor, seat, rpc, request, outcome, seconds in self._last
        ]


def _fields(message: Message) -> dict[str, object]:
    return {field.name: _value(value) for field, value in message.ListFields()}


def _value(value: object) -> object:
    match value:
        case bytes():
            return _bytes(value)
        case Message():
            return _fields(value)
        case str():
            return shortened(value)
        case int():
            return value
        case _:
            return _array(value)  # type: ignore[arg-type]  # a repeated field, whose class protobuf does not show


def _array(values: Sequence[object]) -> list[object]:
    shown = [_value(value) for value in values[:MAX_ELEMENTS]]
    more = len(values) - len(shown)
    return [*shown, f"{more} more"] if more else shown


def _bytes(value: bytes) -> str:
    if len(value) <= MAX_BYTES:
        return value.hex()
    return f"{len(value)} bytes, SHA-256 {hashlib.sha256(value).hexdigest()}: {value[:16].hex()}..."

"""What a seat is: somebody who answers the calls of the interoperability interface (`bridge/interop/*.proto`)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["BROKEN", "MAX_ANSWER", "MAX_REASON", "STATUSES", "Code", "Seat", "SeatError", "shortened"]

MAX_ANSWER = 1 << 26
"""In bytes: 64 MiB. The tree of 1,000 members takes one or two, in any encoding."""

MAX_REASON = 4000
"""In characters: how much of somebody else's reason is kept."""

M = TypeVar("M", bound="Message")


class Code(StrEnum):
    """Why there is no answer: the names of gRPC statuses, and three that no seat says of itself."""

    UNIMPLEMENTED = "UNIMPLEMENTED"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    INTERNAL = "INTERNAL"

    DIED = "DIED"
    TIMEOUT = "TIMEOUT"
    NONSENSE = "NONSENSE"


BROKEN = frozenset({Code.DIED, Code.TIMEOUT, Code.NONSENSE})
"""After one of these a seat is of no use any more: close it, and start another."""

STATUSES = frozenset(Code) - BROKEN
"""What a seat may say itself."""


class SeatError(Exception):
    """A seat gave no answer."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = shortened(message)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Seat(Protocol):
    """One implementation, ready to answer."""

    name: str
    """What the casting calls it: `ours`, `openmls`, ..."""

    def call(self, rpc: str, request: Message, answer: type[M]) -> M:
        """Return the answer to one call. Raises `SeatError`, within the seat's time limit for a call."""

    def close(self) -> None:
        """End the program behind it, whatever state that is in. More than once does no harm."""


def shortened(text: str) -> str:
    """Return text that somebody else wrote, or its beginning and its end."""
    if len(text) <= MAX_REASON:
        return text
    half = MAX_REASON // 2
    return f"{text[:half]} [... {len(text) - 2 * half} characters ...] {text[-half:]}"

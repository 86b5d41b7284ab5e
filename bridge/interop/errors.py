"""What a call that fails answers: the name of a gRPC status, and a reason that a person can act on.

=======================  ==========================================================================
`INVALID_ARGUMENT`       the request is malformed, or what it carries does not decode
`NOT_FOUND`              an id stands for nothing here, or for something of another kind
`UNIMPLEMENTED`          a cipher suite that the engine does not have
`FAILED_PRECONDITION`    the engine refused: a rule of the RFC, a wrong key, a state that cannot do this
`RESOURCE_EXHAUSTED`     a limit of this program
`INTERNAL`               a bug of ours
=======================  ==========================================================================
"""

from __future__ import annotations

import sys
import traceback
from enum import StrEnum
from typing import Final

from mls import DecodeError, InternalError, MlsError

__all__ = ["CallError", "Code", "explain", "invalid"]

MAX_REASON: Final = 1000
"""In characters. A reason can quote what came in, and gRPC carries it in a header, which has a limit of 8 KiB."""


class Code(StrEnum):
    """The statuses that calls fail with, by their gRPC names."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    INTERNAL = "INTERNAL"


class CallError(Exception):
    """A call cannot be answered. Says why."""

    def __init__(self, code: Code, reason: str) -> None:
        self.code = code
        self.reason = reason if len(reason) <= MAX_REASON else f"{reason[:MAX_REASON]}..."
        super().__init__(f"{code}: {self.reason}")


def invalid(reason: str) -> CallError:
    """Return the error for a malformed request."""
    return CallError(Code.INVALID_ARGUMENT, reason)


def explain(error: Exception, *, where: str = "") -> CallError:
    """Return what to answer where `error` stopped a call; `where` says at which part of the request.

    An error of the engine names its kind, and the rule with its section where one is broken.
    """
    if isinstance(error, CallError):
        return CallError(error.code, where + error.reason) if where else error
    reason = f"{where}{type(error).__name__}: {error}"
    if isinstance(error, DecodeError):
        return invalid(reason)
    if isinstance(error, MlsError) and not isinstance(error, InternalError):
        return CallError(Code.FAILED_PRECONDITION, reason)
    traceback.print_exception(error, file=sys.stderr)
    return CallError(Code.INTERNAL, f"a bug of mls-bridge: {reason}")

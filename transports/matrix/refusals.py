"""What homeservers answer instead of doing what they are asked, as this package's errors.

Matrix names the reason by a code (`errcode`); where the code says nothing, the HTTP status has to. What follows for an
envelope that was to be posted:

===========================================================  ==========================================================
`RateLimitedError`, `RetryableError`                         it is tried again
`LoginError`                                                 the account stops, and the envelope waits
`ForbiddenError`, `RoomNotFoundError`,                       the envelope waits, and is tried again and again: people
`UnsuitableRoomError`                                        can mend that
`TooLargeError`, `RefusedError` with `blames_request`        the envelope is given up: it will never be taken
===========================================================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from transports.errors import (
    ForbiddenError,
    LoginError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    RoomNotFoundError,
    TooLargeError,
    TransportError,
    UnsuitableRoomError,
)

__all__ = ["MEANINGS", "RefusedError", "refusal"]


class RefusedError(PermanentError):
    """The server refuses for a reason that none of the others tells. `code` is Matrix's `errcode`, or empty."""

    def __init__(self, what: str, *, where: str, code: str) -> None:
        self.code = code
        super().__init__(what, where=where)

    @property
    def blames_request(self) -> bool:
        """Whether what was sent is at fault, and not who sent it, where to, or how the server is set up."""
        return MEANINGS.get(self.code) is RefusedError


MEANINGS: Final[Mapping[str, type[TransportError]]] = {
    "M_LIMIT_EXCEEDED": RateLimitedError,
    # Who we are.
    "M_UNKNOWN_TOKEN": LoginError,
    "M_MISSING_TOKEN": LoginError,
    "M_USER_DEACTIVATED": LoginError,
    "M_USER_LOCKED": LoginError,
    "M_USER_SUSPENDED": LoginError,
    "M_EXCLUSIVE": LoginError,
    # What the room, or the server, lets us do. Its people can change that.
    "M_FORBIDDEN": ForbiddenError,
    "M_GUEST_ACCESS_FORBIDDEN": ForbiddenError,
    "M_CONSENT_NOT_GIVEN": ForbiddenError,
    "M_TERMS_NOT_SIGNED": ForbiddenError,
    "M_RESOURCE_LIMIT_EXCEEDED": ForbiddenError,
    "M_UNABLE_TO_AUTHORISE_JOIN": ForbiddenError,
    "M_UNABLE_TO_GRANT_JOIN": ForbiddenError,
    # Where to.
    "M_NOT_FOUND": RoomNotFoundError,
    "M_UNSUPPORTED_ROOM_VERSION": UnsuitableRoomError,
    "M_INCOMPATIBLE_ROOM_VERSION": UnsuitableRoomError,
    # What was sent.
    "M_TOO_LARGE": TooLargeError,
    "M_BAD_JSON": RefusedError,
    "M_NOT_JSON": RefusedError,
    "M_INVALID_PARAM": RefusedError,
    "M_MISSING_PARAM": RefusedError,
}
"""The codes that say what is meant. `M_UNKNOWN` and `M_UNRECOGNIZED` do not: the one stands for anything, the other
comes from whatever has taken the homeserver's place."""

_BY_STATUS: Final[Mapping[int, type[TransportError]]] = {
    401: LoginError,
    403: ForbiddenError,
    404: RoomNotFoundError,
    413: TooLargeError,
    429: RateLimitedError,
}
_WORDS: Final[Mapping[type[TransportError], str]] = {
    LoginError: "the server does not let this account in",
    ForbiddenError: "not allowed",
    RoomNotFoundError: "not found",
    UnsuitableRoomError: "the server cannot use this room",
    TooLargeError: "more than the server takes",
    RetryableError: "the server is in trouble",
}
_MAX_WHAT: Final = 300
_MAX_PAUSE: Final = 60 * 60.0


def refusal(status: int, answer: Mapping[str, object], where: str) -> TransportError:
    """What an answer means that is no success; `answer` is empty where it was no JSON object."""
    given, said = answer.get("errcode"), answer.get("error")
    code = given if isinstance(given, str) else ""
    what = f"{said if isinstance(said, str) else 'no reason given'} ({code or status})"
    what = "".join(char if char.isprintable() else "?" for char in what[:_MAX_WHAT])
    kind = _kind(status, code)
    if kind is RateLimitedError:
        return RateLimitedError("the server asks for patience", where=where, after=_pause(answer))
    if kind is RefusedError:
        return RefusedError(f"the server refuses: {what}", where=where, code=code)
    return kind(f"{_WORDS[kind]}: {what}", where=where)


def _kind(status: int, code: str) -> type[TransportError]:
    if code in MEANINGS and not status >= 500:
        return MEANINGS[code]
    if status == 408 or status >= 500 or 200 <= status < 300:
        return RetryableError
    if code == "M_UNRECOGNIZED":
        return RefusedError
    return _BY_STATUS.get(status, RefusedError)


def _pause(answer: Mapping[str, object]) -> float:
    """Return the seconds that the server asks for, and one second where it does not say."""
    after = answer.get("retry_after_ms")
    if isinstance(after, int | float) and 0 <= after <= _MAX_PAUSE * 1000:
        return max(after / 1000, 0.001)
    return 1.0

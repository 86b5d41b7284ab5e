"""What can go wrong between this program and a chat server.

==========================  =======================================================================================
`TransportError`            the root; says what, and where
`RetryableError`            it may work later; `after` says when to try again
`ConnectionLostError`       the connection is gone, or could not be made
`RateLimitedError`          the server asks for patience
`PermanentError`            trying the same again is of no use; says what to change
`LoginError`                the server refuses the account: wrong password, expired or revoked token
`RoomNotFoundError`         there is no such room
`RoomEndedError`            there was one, and it is no more; `successor` is where to go on, if that is named
`ForbiddenError`            the account may not do that in this room
`TooLargeError`             the server refuses the size; `limit` says what it takes, where that is known
`UntrustedServerError`      TLS: the certificate is for another name, expired, or signed by nobody we know
`UnsuitableRoomError`       the room cannot carry a group as it is set up; names the setting
==========================  =======================================================================================

Whatever a client library raises is translated into one of these at the edge of its package.
"""

from __future__ import annotations

from transports.room import RoomAddress

__all__ = [
    "ConnectionLostError",
    "ForbiddenError",
    "LoginError",
    "PermanentError",
    "RateLimitedError",
    "RetryableError",
    "RoomEndedError",
    "RoomNotFoundError",
    "TooLargeError",
    "TransportError",
    "UnsuitableRoomError",
    "UntrustedServerError",
]


class TransportError(Exception):
    """The root of what this package raises on purpose. `where` is the server, the account or the room."""

    def __init__(self, what: str, *, where: str) -> None:
        self.what = what
        self.where = where
        super().__init__(f"{where}: {what}")


class RetryableError(TransportError):
    """It may work later. `after` is in seconds; `None` leaves the pause to the caller."""

    def __init__(self, what: str, *, where: str, after: float | None = None) -> None:
        self.after = after
        super().__init__(what, where=where)


class ConnectionLostError(RetryableError):
    """The connection is gone, or could not be made."""


class RateLimitedError(RetryableError):
    """The server asks to wait for `after` seconds."""


class PermanentError(TransportError):
    """Trying the same again is of no use. The message says what to change."""


class LoginError(PermanentError):
    """The server does not let this account in: the password is wrong, or the token expired or was revoked."""


class RoomNotFoundError(PermanentError):
    """There is no such room, or the server does not say so."""


class RoomEndedError(RoomNotFoundError):
    """The room is no more, for good, by the server's word. `successor` is the room that is named instead."""

    def __init__(self, what: str, *, where: str, successor: RoomAddress | None = None) -> None:
        self.successor = successor
        super().__init__(what, where=where)


class ForbiddenError(PermanentError):
    """The account lacks the right: to join, to send, to see the members."""


class TooLargeError(PermanentError):
    """More than the server takes. `limit` is in bytes of an envelope, `None` where the server does not tell."""

    def __init__(self, what: str, *, where: str, limit: int | None = None) -> None:
        self.limit = limit
        super().__init__(what, where=where)


class UntrustedServerError(PermanentError):
    """The server's certificate is not to be trusted; says which check failed."""


class UnsuitableRoomError(PermanentError):
    """The room is set up in a way that a group cannot work in; names the setting and what it should be."""

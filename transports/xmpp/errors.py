"""What XMPP servers answer, as this package's errors."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

from transports.errors import (
    ConnectionLostError,
    ForbiddenError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    RoomEndedError,
    RoomNotFoundError,
    TransportError,
    UntrustedServerError,
)
from transports.xmpp.uris import room_named

__all__ = ["StanzaRefusedError", "refusal", "untrusted"]


class StanzaRefusedError(PermanentError):
    """The server answered a stanza with an error; `condition` is RFC 6120's name for it.

    `instead` is the address that it names in place of the one that was asked for; empty where it names none.
    """

    def __init__(self, condition: str, text: str, instead: str = "", *, where: str) -> None:
        self.condition = condition
        self.instead = instead
        super().__init__(f"the server answers {condition}" + (f" ({text})" if text else ""), where=where)


_ABSENT: Final = (RoomNotFoundError, "there is no such room")
_LATER: Final = (RetryableError, "the room does not work at the moment")
_MEANINGS: Final[Mapping[str, tuple[type[TransportError], str]]] = {
    "forbidden": (
        ForbiddenError,
        "the account is banned from the room, or may not speak in it: ask an admin of the room",
    ),
    "not-allowed": (ForbiddenError, "the room does not allow this to the account: ask an admin of the room"),
    "not-authorized": (
        ForbiddenError,
        "the room asks for a password, which is not supported: take the password off the room",
    ),
    "registration-required": (ForbiddenError, "the account is not a member of the room: ask an admin to add it"),
    "policy-violation": (ForbiddenError, "the server's policy does not let this message through"),
    "payment-required": (ForbiddenError, "the server's policy does not let this message through"),
    "item-not-found": _ABSENT,
    "jid-malformed": _ABSENT,
    "remote-server-not-found": _ABSENT,
    "subscription-required": _ABSENT,
    "resource-constraint": (RateLimitedError, "the server is over its limits"),
    # What a room answers to those who are not in it, or no longer: the way back in is ours to find.
    "not-acceptable": (ConnectionLostError, "the account is not in the room"),
    "internal-server-error": _LATER,
    "recipient-unavailable": _LATER,
    "remote-server-timeout": _LATER,
    "service-unavailable": _LATER,
    "undefined-condition": _LATER,
}
_OTHER: Final = (ForbiddenError, "the room does not take it")


def refusal(error: StanzaRefusedError) -> TransportError:
    """What a room's refusal of a presence, a message or a query about it means for the caller."""
    if error.condition == "bad-request":
        return error  # what was sent is at fault
    if error.condition == "gone":
        # What Prosody answers, for a month, of a room that was destroyed. ejabberd does not remember such rooms.
        return RoomEndedError("the room was destroyed", where=error.where, successor=room_named(error.instead))
    kind, meaning = _MEANINGS.get(error.condition, _OTHER)
    return kind(f"{meaning} ({error.what})", where=error.where)


_CHECKS: Final = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is signed by itself alone; if that is meant to be, name it as the CA file",
    19: "the certificate is signed by a CA that is not known here; if it is yours, name its CA file",
    20: "the certificate is signed by a CA that is not known here; if it is yours, name its CA file",
    21: "the certificate is signed by a CA that is not known here; if it is yours, name its CA file",
    62: "the certificate is for another name",
}
"""OpenSSL's verification codes (`X509_V_ERR_...`) in words."""


def untrusted(error: ssl.SSLError, *, where: str) -> TransportError:
    """The error for a TLS handshake that failed."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return ConnectionLostError(f"TLS does not come up: {error.reason or 'handshake failed'}", where=where)
    check = _CHECKS.get(error.verify_code, "the certificate does not verify")
    return UntrustedServerError(f"{check} (OpenSSL: {error.verify_message})", where=where)

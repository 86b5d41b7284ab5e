"""What XMPP servers answer, as this package's errors."""

from __future__ import annotations

import ssl
from typing import Final

from transports.errors import (
    ConnectionLostError,
    ForbiddenError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    RoomNotFoundError,
    TransportError,
    UntrustedServerError,
)

__all__ = ["StanzaRefusedError", "refusal", "untrusted"]


class StanzaRefusedError(PermanentError):
    """The server answered a stanza with an error; `condition` is RFC 6120's name for it."""

    def __init__(self, condition: str, text: str, *, where: str) -> None:
        self.condition = condition
        super().__init__(f"the server answers {condition}" + (f" ({text})" if text else ""), where=where)


_FORBIDDEN: Final = {
    "forbidden": "the account is banned from the room, or may not speak in it: ask an admin of the room",
    "not-allowed": "the room does not allow this to the account: ask an admin of the room",
    "not-authorized": "the room asks for a password, which is not supported: take the password off the room",
    "registration-required": "the account is not a member of the room: ask an admin to add it",
    "policy-violation": "the server's policy does not let this message through",
    "payment-required": "the server's policy does not let this message through",
}
_ABSENT: Final = frozenset(
    {"gone", "item-not-found", "jid-malformed", "remote-server-not-found", "subscription-required"}
)
_LATER: Final = frozenset({
    "internal-server-error",
    "recipient-unavailable",
    "remote-server-timeout",
    "service-unavailable",
    "undefined-condition",
})  # fmt: skip


def refusal(error: StanzaRefusedError) -> TransportError:
    """What a room's refusal of a presence, a message or a query about it means for the caller."""
    match error.condition:
        case condition if condition in _FORBIDDEN:
            return ForbiddenError(f"{_FORBIDDEN[condition]} ({error.what})", where=error.where)
        case condition if condition in _ABSENT:
            return RoomNotFoundError(f"there is no such room ({error.what})", where=error.where)
        case "resource-constraint":
            return RateLimitedError(f"the server is over its limits ({error.what})", where=error.where)
        case "not-acceptable":
            # What a room answers to those who are not in it, or no longer: the way back in is ours to find.
            return ConnectionLostError(f"the account is not in the room ({error.what})", where=error.where)
        case condition if condition in _LATER:
            return RetryableError(f"the room does not work at the moment ({error.what})", where=error.where)
        case _:
            return error


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

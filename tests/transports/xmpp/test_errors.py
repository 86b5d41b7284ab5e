"""What the conditions of RFC 6120 mean for who wanted to enter, to speak or to know."""

from __future__ import annotations

import pytest

from transports.errors import (
    ConnectionLostError,
    ForbiddenError,
    RateLimitedError,
    RetryableError,
    RoomEndedError,
    RoomNotFoundError,
    TransportError,
)
from transports.xmpp.errors import StanzaRefusedError, refusal

TEA = "tea@muc.example.org"


@pytest.mark.parametrize(
    "condition, expected",
    [
        ("forbidden", ForbiddenError),
        ("policy-violation", ForbiddenError),
        ("registration-required", ForbiddenError),
        ("item-not-found", RoomNotFoundError),
        ("resource-constraint", RateLimitedError),
        ("not-acceptable", ConnectionLostError),
        ("internal-server-error", RetryableError),
        ("undefined-condition", RetryableError),
        # What nobody expects is no fault of the envelope: it waits for people who look into it.
        ("redirect", ForbiddenError),
        ("feature-not-implemented", ForbiddenError),
        ("x-of-a-module", ForbiddenError),
        # And this is.
        ("bad-request", StanzaRefusedError),
    ],
)
def test_each_condition_is_an_error_of_ours(condition: str, expected: type[TransportError]) -> None:
    error = refusal(StanzaRefusedError(condition, "because", where=TEA))
    assert type(error) is expected
    assert condition in str(error)
    assert "because" in str(error)


@pytest.mark.parametrize(
    "instead, successor",
    [
        ("xmpp:cake@muc.example.org?join", "xmpp:cake@muc.example.org"),
        ("cake@muc.example.org", "xmpp:cake@muc.example.org"),
        ("", None),
        ("muc.example.org", None),
        ("https://example.org", None),
        ("x" * 5000, None),
    ],
)
def test_a_room_that_is_gone_has_ended(instead: str, successor: str | None) -> None:
    error = refusal(StanzaRefusedError("gone", "", instead, where=TEA))
    assert isinstance(error, RoomEndedError)
    assert error.successor == successor

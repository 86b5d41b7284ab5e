"""A well-formed message of another kind than the field is for."""

from __future__ import annotations

import pytest

from tests.mls.conformance.examples import example
from tests.mls.conformance.test_broken_entries import failure_of


@pytest.mark.parametrize(
    "name, field, other, error",
    [
        ("message-protection", "proposal_pub", "proposal_priv", "is a PrivateMessage, not a PublicMessage"),
        ("message-protection", "proposal_priv", "proposal_pub", "is a PublicMessage, not a PrivateMessage"),
        ("welcome", "key_package", "welcome", "is a Welcome, not a KeyPackage"),
        ("welcome", "welcome", "key_package", "is a KeyPackage, not a Welcome"),
        ("messages", "public_message_proposal", "private_message", "is a PrivateMessage, not a PublicMessage"),
    ],
)
def test_a_message_of_another_kind_fails(name: str, field: str, other: str, error: str) -> None:
    failure = failure_of(name, (field,), example(name)[other])

    assert failure is not None
    assert failure.check.startswith(field)
    assert error in failure.error

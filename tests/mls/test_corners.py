"""Small things that nothing else meets: what is shown of internals, and how much is kept of labels."""

from __future__ import annotations

import pytest

from mls import rules
from mls.conformance import fields
from mls.crypto.suite import CIPHER_SUITES, CipherSuite
from mls.rules import RULES
from mls.schedule.secret_tree import MessageKey


def test_a_message_key_shows_its_generation_alone() -> None:
    assert repr(MessageKey(7, b"key", b"nonce")) == "<MessageKey of generation 7>"


def test_a_rule_shows_its_name_and_section() -> None:
    assert repr(rules.PADDING_IS_ZERO) == "<Rule padding_is_zero, section 6.3.1>"
    assert RULES["padding_is_zero"] is rules.PADDING_IS_ZERO


def test_signature_labels_are_not_kept_without_end() -> None:
    known = CIPHER_SUITES[1]
    suite = CipherSuite(1, known.name, known.hpke, known.signature)
    key = suite.load_signature_key(bytes(32))
    for number in range(300):
        label = f"label {number}"
        signature = suite.sign_with_label(key, label, b"content")
        assert suite.verify_with_label(key.public_key, label, b"content", signature)
    assert len(suite._sign_prefixes) < 300


@pytest.mark.parametrize("annotation", [dict, 7])
def test_what_is_no_kind_of_field_is_a_mistake_of_ours(annotation: object) -> None:
    with pytest.raises(TypeError, match="is not a kind of field"):
        fields._kind(annotation)

"""The MLS working group's messages and trees: all of them are explained, whatever is in them."""

from __future__ import annotations

import pytest

from bridge.inspecting import Kind, NotUnderstoodError
from tests.bridge.inspecting.samples import found, text_of
from tests.vectors.official import entries

MESSAGES = {
    "mls_welcome": "welcome",
    "mls_group_info": "group_info",
    "mls_key_package": "key_package",
    "public_message_application": "public_message",
    "public_message_proposal": "public_message",
    "public_message_commit": "public_message",
    "private_message": "private_message",
}

NO_MESSAGES = ("group_secrets", "ratchet_tree", "remove_proposal", "commit")


@pytest.mark.parametrize("field", MESSAGES)
def test_messages_are_known(field: str) -> None:
    for entry in entries("messages.json")[:50]:
        finding = found(str(entry[field]).encode())
        assert (finding.taken_for, finding.explanation.kind) == ("MLSMessage", MESSAGES[field])
        assert text_of(finding)


@pytest.mark.parametrize("field", NO_MESSAGES)
def test_what_is_no_message_is_refused_as_one(field: str) -> None:
    for entry in entries("messages.json")[:50]:
        with pytest.raises(NotUnderstoodError):
            found(str(entry[field]).encode(), Kind.MESSAGE)


def test_secrets_of_a_welcome_are_never_shown() -> None:
    for entry in entries("messages.json")[:50]:
        with pytest.raises(NotUnderstoodError):
            found(str(entry["group_secrets"]).encode())


def test_trees_are_drawn() -> None:
    for entry in entries("tree-validation.json"):
        finding = found(str(entry["tree"]).encode())
        assert (finding.taken_for, finding.problems) == ("ratchet tree", ())
        text = text_of(finding)
        assert "[0] leaf 0: " in text or "level 0: " in text


def test_real_groups_messages_are_known() -> None:
    for entry in entries("passive-client-welcome.json")[:10]:
        for field, kind in (("key_package", "key_package"), ("welcome", "welcome")):
            finding = found(str(entry[field]).encode())
            assert (finding.explanation.kind, finding.problems) == (kind, ())

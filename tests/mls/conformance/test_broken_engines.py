"""The other half of the proof: right vectors fail an engine that is wrong, also where it only reads its own writing."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mls.conformance import framing, primitives, run, treekem
from mls.crypto.secret import Secret
from mls.crypto.suite import CipherSuite
from mls.tree.ratchet_tree import TreeEdit
from mls.wire.framing import ApplicationData, AuthenticatedContent, PublicMessage
from mls.wire.leaf_node import Capabilities
from mls.wire.proposals import Remove
from tests.mls.conformance.examples import example

if TYPE_CHECKING:
    from collections.abc import Callable


def protecting_anything(real: Callable[..., Any]) -> Callable[..., Any]:
    def protect(suite: CipherSuite, message: AuthenticatedContent, *rest: object) -> PublicMessage:
        if isinstance(message.content.content, ApplicationData):
            return PublicMessage(message.content, message.signature, None, b"")
        protected: PublicMessage = real(suite, message, *rest)
        return protected

    return protect


def opening_anything(real: Callable[..., Any]) -> Callable[..., Any]:
    def open_(suite: CipherSuite, message: PublicMessage, *rest: object) -> AuthenticatedContent:
        if isinstance(message.content.content, ApplicationData):
            return AuthenticatedContent(1, message.content, message.signature, None)
        opened: AuthenticatedContent = real(suite, message, *rest)
        return opened

    return open_


def hiding_the_sender(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda message, tree, _secret, **rest: real(message, tree, Secret(b"another one"), **rest)


def signing_backwards(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given: real(*given)[::-1]


def encrypting_for_another_context(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda fresh, context, *rest: real(fresh, context + b"?", *rest)


def keeping_another_secret(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given, **named: replace(real(*given, **named), commit_secret=b"another one")


def with_another_label(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda suite, key, label, *rest: real(suite, key, label + "?", *rest)


def always_in_four_bytes(_real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda length: (length | 1 << 31).to_bytes(4, "big")


def forgetting_its_fields(_real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda _struct: b""


def knowing_only_what_it_was_given(_real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda struct: struct._encoded or b"?"


def doing_nothing(_real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *_given: None


@pytest.mark.parametrize(
    "name, owner, function, wrong, check",
    [
        ("message-protection", framing, "protect_public", protecting_anything, "application"),
        ("message-protection", framing, "open_public", opening_anything, "application"),
        ("message-protection", framing, "protect_private", hiding_the_sender, "proposal_priv.created"),
        ("message-protection", framing, "sign", signing_backwards, "commit_pub.created"),
        ("treekem", treekem, "encrypt_path", encrypting_for_another_context, "update_paths[0].created.for_leaf"),
        ("treekem", treekem, "new_path", keeping_another_secret, "update_paths[0].created.for_leaf"),
        ("crypto-basics", CipherSuite, "sign_with_label", with_another_label, "sign_with_label.priv"),
        ("crypto-basics", CipherSuite, "encrypt_with_label", with_another_label, "encrypt_with_label.pub"),
        ("deserialization", primitives, "encode_length", always_in_four_bytes, "vlbytes_header"),
        ("messages", Remove, "_encode", forgetting_its_fields, "remove_proposal"),
        ("messages", Capabilities, "_encode", knowing_only_what_it_was_given, "mls_key_package"),
        ("tree-operations", TreeEdit, "truncate", doing_nothing, "tree_hash_after"),
    ],
)
def test_wrong_engine_fails(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    owner: object,
    function: str,
    wrong: Callable[[Callable[..., Any]], Callable[..., Any]],
    check: str,
) -> None:
    monkeypatch.setattr(owner, function, wrong(getattr(owner, function)))

    [result] = run(name, [example(name)], random.Random(1).randbytes)

    assert result.failure is not None
    assert result.failure.check.startswith(check)

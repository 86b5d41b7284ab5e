"""Messages with true signatures, tags and ciphertexts, whatever they say."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from unittest import mock

from mls.codec import encode_opaque
from mls.framing.content import sign, to_be_signed
from mls.registry import WireFormat
from mls.rules import Rule
from mls.schedule.secret_tree import RatchetLimits
from mls.tree.math import LeafIndex
from mls.wire.commit import Commit
from mls.wire.framing import (
    ApplicationData,
    AuthenticatedContent,
    FramedContent,
    Member,
    PrivateApplication,
    PrivateCommit,
    PrivateContentAAD,
    PrivateMessage,
    PrivateProposal,
    PublicMessage,
    SenderData,
    SenderDataAAD,
    content_type,
)
from mls.wire.message import MLSMessage, wrap
from tests.mls.rules.support import switched_off

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mls.crypto.signature import SignaturePrivateKey
    from mls.group.state import GroupState
    from mls.wire.framing import AnyContent, AnySender

__all__ = ["Alteration", "dishonest", "private", "public", "signed", "unchanged"]

Value = TypeVar("Value")

Alteration: TypeAlias = Callable[[Value], Value]
"""From what an honest peer would send to what is sent."""

REACHABLE = 5000
"""How far ahead a key is computed; past that, the next one stands in for it."""


def unchanged(value: Value) -> Value:
    """Alter nothing."""
    return value


@contextmanager
def dishonest(*broken: Rule) -> Iterator[None]:
    """Let the engine itself make what breaks these rules, or any rule if none is named."""
    with ExitStack() as stack:
        for rule in broken:
            stack.enter_context(switched_off(rule))
        if not broken:
            stack.enter_context(mock.patch.object(Rule, "require", _hold))
            stack.enter_context(mock.patch.object(Rule, "fail", _hold))
        yield


def _hold(*_: object, **__: object) -> None:
    """Take the place of a rule's methods."""


def signed(
    state: GroupState,
    content: AnyContent,
    *,
    wire_format: WireFormat = WireFormat.PUBLIC_MESSAGE,
    sender: AnySender | None = None,
    key: SignaturePrivateKey | None = None,
    group_id: bytes | None = None,
    epoch: int | None = None,
    authenticated_data: bytes = b"",
    confirmation_tag: bytes | None = None,
) -> AuthenticatedContent:
    """Return `content`, framed as told and signed by `key`; what is not told is this member's own.

    The confirmation tag of a Commit is zeros unless given: `forged_commit` makes Commits with a true one.
    """
    framed = FramedContent(
        state.group_id if group_id is None else group_id,
        state.epoch if epoch is None else epoch,
        Member(state.own_leaf) if sender is None else sender,
        authenticated_data,
        content,
    )
    if confirmation_tag is None and isinstance(content, Commit):
        confirmation_tag = bytes(state.suite.Nh)
    signature = sign(state.suite, key or state.signature_key, wire_format, framed, state.public.context)
    return AuthenticatedContent(wire_format, framed, signature, confirmation_tag)


def public(
    state: GroupState, message: AuthenticatedContent, *, membership_tag: Alteration[bytes] = unchanged
) -> MLSMessage:
    """Return `message` as a PublicMessage, with a member's true membership tag if a member is its sender."""
    tag = None
    if isinstance(message.content.sender, Member):
        to_be_maced = to_be_signed(WireFormat.PUBLIC_MESSAGE, message.content, state.public.context)
        to_be_maced += encode_opaque(message.signature)
        if message.confirmation_tag is not None:
            to_be_maced += encode_opaque(message.confirmation_tag)
        tag = membership_tag(state.suite.mac(state.epoch_secrets.membership_key, to_be_maced))
    return wrap(PublicMessage(message.content, message.signature, message.confirmation_tag, tag))


def private(
    state: GroupState,
    message: AuthenticatedContent,
    *,
    leaf: int | None = None,
    generation: int | None = None,
    padding: bytes = b"",
    plaintext: Alteration[bytes] = unchanged,
    ciphertext: Alteration[bytes] = unchanged,
    sender_data: Alteration[bytes] = unchanged,
    encrypted_sender_data: Alteration[bytes] = unchanged,
) -> MLSMessage:
    """Return `message` as a PrivateMessage.

    Every member can derive all keys: the message is encrypted with, and names, the key of any `leaf` (this member's)
    and any `generation` (the next one). `plaintext` alters the encoded content, before `padding` is put behind it;
    `ciphertext` what comes of both. `sender_data` alters the encoded SenderData, `encrypted_sender_data` what comes
    of it, with the key and nonce that the ciphertext gives.
    """
    suite, content = state.suite, message.content
    kind = content_type(content.content)
    sender = state.own_leaf if leaf is None else LeafIndex(leaf)
    # A leaf outside the tree has no ratchet: this member's own serves.
    owner = sender if sender < state.messages.leaf_count else state.own_leaf
    following = state.messages.next_generation(owner, kind)
    generation = following if generation is None else generation
    computed = generation if generation < following + REACHABLE else following
    _, key, _ = state.messages.key_for(owner, kind, computed, RatchetLimits(forward=REACHABLE))
    aad = PrivateContentAAD(content.group_id, content.epoch, kind, content.authenticated_data).encode()
    # The reuse guard is all zeros, so the nonce is as the ratchet has it.
    sealed = suite.aead.seal(key.key, key.nonce, plaintext(_private_content(message)) + padding, aad)
    sealed = ciphertext(sealed)
    sample, secret = sealed[: suite.Nh], state.epoch_secrets.sender_data_secret
    sealed_sender_data = suite.aead.seal(
        suite.expand_with_label(secret.value, "key", sample, suite.Nk),
        suite.expand_with_label(secret.value, "nonce", sample, suite.Nn),
        sender_data(SenderData(sender, generation, bytes(4)).encode()),
        SenderDataAAD(content.group_id, content.epoch, kind).encode(),
    )
    sealed_sender_data = encrypted_sender_data(sealed_sender_data)
    return wrap(
        PrivateMessage(content.group_id, content.epoch, kind, content.authenticated_data, sealed_sender_data, sealed)
    )


def _private_content(message: AuthenticatedContent) -> bytes:
    match message.content.content:
        case ApplicationData() as data:
            return PrivateApplication(data, message.signature).encode()
        case Commit() as commit:
            return PrivateCommit(commit, message.signature, message.confirmation_tag or b"").encode()
        case proposal:
            return PrivateProposal(proposal, message.signature).encode()

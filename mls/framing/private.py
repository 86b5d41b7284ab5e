"""PrivateMessage: signed and encrypted (RFC 9420, section 6.3)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from mls import rules
from mls.codec import encode_opaque
from mls.errors import DecodeError, InternalError, UsageError
from mls.registry import ContentType, WireFormat
from mls.tree.math import LeafIndex
from mls.wire.commit import Commit
from mls.wire.framing import (
    AnyContent,
    ApplicationData,
    AuthenticatedContent,
    FramedContent,
    Member,
    PrivateApplication,
    PrivateCommit,
    PrivateContentAAD,
    PrivateMessage,
    PrivateProposal,
    SenderData,
    SenderDataAAD,
    content_type,
)

if TYPE_CHECKING:
    from mls.crypto.random import Random
    from mls.crypto.secret import Secret
    from mls.crypto.suite import CipherSuite
    from mls.schedule.secret_tree import MessageKey, RatchetLimits, SecretTree
    from mls.tree.ratchet_tree import RatchetTree

__all__ = ["Padding", "no_padding", "open_content", "open_sender_data", "pad_to_power_of_two", "protect_private"]

Padding: TypeAlias = Callable[[int], int]
"""From the bytes of a message's content to the number of zero bytes to put behind it."""

_PADDING_UNIT = 64


def no_padding(size: int) -> int:  # noqa: ARG001 - one of two functions of a kind
    """Add nothing: the length of what is said can be seen."""
    return 0


def pad_to_power_of_two(size: int) -> int:
    """Fill up to the next of 64, 128, 256, ... bytes."""
    target = _PADDING_UNIT
    while target < size:
        target *= 2
    return target - size


def protect_private(
    message: AuthenticatedContent,
    tree: SecretTree,
    sender_data_secret: Secret,
    *,
    padding: Padding,
    random: Random,
) -> tuple[PrivateMessage, SecretTree, list[Secret]]:
    """Encrypt `message` under the sender's next key: the PrivateMessage, the tree without the key, spent secrets."""
    suite, content = tree.suite, message.content
    if not isinstance(content.sender, Member):  # section 6.3.2
        msg = "only members send PrivateMessages"
        raise UsageError(msg)
    sender, kind = LeafIndex(content.sender.leaf_index), content_type(content.content)
    tree, message_key, spent = tree.next_key(sender, kind)
    plaintext = _encode_content(message)
    plaintext += bytes(padding(len(plaintext)))
    reuse_guard = random(4)
    sender_aad = SenderDataAAD(content.group_id, content.epoch, kind).encode()
    aad = sender_aad + encode_opaque(content.authenticated_data)  # a PrivateContentAAD
    ciphertext = suite.aead.seal(message_key.key, _guarded(message_key.nonce, reuse_guard), plaintext, aad)
    sender_data = SenderData(sender, message_key.generation, reuse_guard).encode()
    key, nonce = _sender_data_keys(suite, sender_data_secret, ciphertext)
    encrypted_sender_data = suite.aead.seal(key, nonce, sender_data, sender_aad)
    sealed = PrivateMessage(
        content.group_id, content.epoch, kind, content.authenticated_data, encrypted_sender_data, ciphertext
    )
    return sealed, tree, spent


def open_sender_data(
    suite: CipherSuite, message: PrivateMessage, sender_data_secret: Secret, tree: RatchetTree
) -> SenderData:
    """Decrypt who sent `message` (section 6.3.2). Raises `RuleError`, or `DecodeError`.

    The AEAD proves that a member wrote it, not which one: that takes the signature inside.
    """
    key, nonce = _sender_data_keys(suite, sender_data_secret, message.ciphertext)
    aad = SenderDataAAD(message.group_id, message.epoch, message.content_type).encode()
    plaintext = suite.aead.open(key, nonce, message.encrypted_sender_data, aad)
    if plaintext is None:
        rules.SENDER_DATA_DECRYPTS.fail()
    sender = SenderData.decode(plaintext)
    rules.SENDER_DATA_NAMES_A_MEMBER.require(tree.leaf(sender.leaf_index) is not None, f"leaf {sender.leaf_index}")
    return sender


def open_content(
    message: PrivateMessage, sender: SenderData, tree: SecretTree, limits: RatchetLimits
) -> tuple[AuthenticatedContent, SecretTree, list[Secret]]:
    """Decrypt `message` with the key that its sender data names.

    Returns what it carries, still to be verified, the tree without the key, and the spent secrets. Raises
    `RuleError`, or `DecodeError`.
    """
    leaf = LeafIndex(sender.leaf_index)
    tree, message_key, spent = tree.key_for(leaf, message.content_type, sender.generation, limits)
    plaintext = _decrypt(tree.suite, message, message_key, sender.reuse_guard)
    content, signature, confirmation_tag = _decode_content(message.content_type, plaintext)
    framed = FramedContent(
        message.group_id, message.epoch, Member(sender.leaf_index), message.authenticated_data, content
    )
    opened = AuthenticatedContent(WireFormat.PRIVATE_MESSAGE, framed, signature, confirmation_tag)
    return opened, tree, spent


def _decrypt(suite: CipherSuite, message: PrivateMessage, key: MessageKey, reuse_guard: bytes) -> bytes:
    aad = PrivateContentAAD(message.group_id, message.epoch, message.content_type, message.authenticated_data).encode()
    plaintext = suite.aead.open(key.key, _guarded(key.nonce, reuse_guard), message.ciphertext, aad)
    if plaintext is None:
        rules.PRIVATE_MESSAGE_DECRYPTS.fail()
    return plaintext


def _guarded(nonce: bytes, reuse_guard: bytes) -> bytes:
    """XOR the reuse guard into the nonce's first four bytes."""
    guarded = int.from_bytes(nonce[:4], "big") ^ int.from_bytes(reuse_guard, "big")
    return guarded.to_bytes(4, "big") + nonce[4:]


def _sender_data_keys(suite: CipherSuite, secret: Secret, ciphertext: bytes) -> tuple[bytes, bytes]:
    key, nonce = suite.expand_with_labels(secret.value, suite.key_and_nonce, ciphertext[: suite.Nh])
    return key, nonce


def _encode_content(message: AuthenticatedContent) -> bytes:
    """Return the encoded `PrivateMessageContent` without padding."""
    content, signature = message.content.content, message.signature
    match content:
        case ApplicationData():
            return PrivateApplication(content, signature).encode()
        case Commit():
            if message.confirmation_tag is None:
                msg = "a Commit has no confirmation tag"
                raise InternalError(msg)
            return PrivateCommit(content, signature, message.confirmation_tag).encode()
        case _:
            return PrivateProposal(content, signature).encode()


def _decode_content(kind: ContentType, plaintext: bytes) -> tuple[AnyContent, bytes, bytes | None]:
    """Decode a `PrivateMessageContent`: content, signature, confirmation tag. What remains must be zeros."""
    decoded: tuple[AnyContent, bytes, bytes | None]
    try:
        if kind == ContentType.APPLICATION:
            data, end = PrivateApplication.decode_at(plaintext, 0)
            decoded = (data.content, data.signature, None)
        elif kind == ContentType.PROPOSAL:
            proposal, end = PrivateProposal.decode_at(plaintext, 0)
            decoded = (proposal.content, proposal.signature, None)
        else:
            commit, end = PrivateCommit.decode_at(plaintext, 0)
            decoded = (commit.content, commit.signature, commit.confirmation_tag)
    except (IndexError, struct.error):
        msg = "the content of a PrivateMessage is truncated"
        raise DecodeError(msg, len(plaintext)) from None
    rules.PADDING_IS_ZERO.require(not any(plaintext[end:]))
    return decoded

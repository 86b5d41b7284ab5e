"""Signing and verifying a message's content (RFC 9420, section 6.1).

`VerifiedContent` is what the rest of the engine acts on, and only `verify` makes one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from mls import rules
from mls.errors import InternalError
from mls.registry import MLS10, ContentType
from mls.wire.commit import Commit
from mls.wire.extensions import ExternalSenders, find_extension
from mls.wire.framing import (
    AnyContent,
    AnySender,
    AuthenticatedContent,
    External,
    FramedContent,
    FramedContentTBS,
    Member,
    NewMemberCommit,
    NewMemberProposal,
    content_type,
)
from mls.wire.proposals import Add

if TYPE_CHECKING:
    from mls.crypto.signature import SignaturePrivateKey
    from mls.crypto.suite import CipherSuite
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.group_context import GroupContext

__all__ = ["VerifiedContent", "sender_key", "sign", "to_be_signed", "verify"]

LABEL: Final = "FramedContentTBS"

_VERIFIED: Final = object()


@dataclass(frozen=True, slots=True)
class VerifiedContent:
    """A message whose signature has been verified."""

    message: AuthenticatedContent
    proof: object

    def __post_init__(self) -> None:
        if self.proof is not _VERIFIED:
            msg = "only verification makes VerifiedContent"
            raise InternalError(msg)

    @property
    def wire_format(self) -> int:
        """The wire format under which the message was signed."""
        return self.message.wire_format

    @property
    def framed(self) -> FramedContent:
        """The whole framed content."""
        return self.message.content

    @property
    def sender(self) -> AnySender:
        """Who sent the message."""
        return self.message.content.sender

    @property
    def content(self) -> AnyContent:
        """What the message says."""
        return self.message.content.content


def to_be_signed(wire_format: int, content: FramedContent, context: GroupContext) -> bytes:
    """Return the encoded `FramedContentTBS`. The context is in it for members and external Commits alone."""
    signs_context = isinstance(content.sender, Member | NewMemberCommit)
    return FramedContentTBS(MLS10, wire_format, content, context if signs_context else None).encode()


def sign(
    suite: CipherSuite, key: SignaturePrivateKey, wire_format: int, content: FramedContent, context: GroupContext
) -> bytes:
    """Return the signature on `content` as it travels in `wire_format`. `context` is that of the current epoch."""
    return suite.sign_with_label(key, LABEL, to_be_signed(wire_format, content, context))


def sender_key(content: FramedContent, tree: RatchetTree, context: GroupContext) -> bytes:
    """Return the public key that must have signed `content`, after checking that this sender may send it."""
    match content.sender:
        case Member(leaf_index=index):
            leaf = tree.leaf(index)
            if leaf is None:
                rules.MEMBER_SENDER_IS_A_MEMBER.fail(f"leaf {index}")
            return leaf.signature_key
        case External(sender_index=index):
            rules.EXTERNAL_SENDER_ONLY_PROPOSES.require(_is_proposal(content.content))
            senders = find_extension(context.extensions, ExternalSenders)
            listed = senders.external_senders if senders else ()
            rules.EXTERNAL_SENDER_IS_LISTED.require(index < len(listed), f"index {index} of {len(listed)}")
            return listed[index].signature_key
        case NewMemberProposal():
            if not isinstance(content.content, Add):
                rules.NEW_MEMBER_PROPOSAL_IS_AN_ADD.fail()
            return content.content.key_package.leaf_node.signature_key
        case NewMemberCommit():
            if not isinstance(content.content, Commit):
                rules.NEW_MEMBER_COMMIT_IS_A_COMMIT.fail()
            if content.content.path is None:
                rules.EXTERNAL_COMMIT_HAS_A_PATH.fail()
            return content.content.path.leaf_node.signature_key
        case _:
            assert_never(content.sender)


def _is_proposal(content: AnyContent) -> bool:
    return content_type(content) == ContentType.PROPOSAL


def verify(message: AuthenticatedContent, tree: RatchetTree, context: GroupContext) -> VerifiedContent:
    """Check the sender and the signature, with the tree and context of the message's epoch. Raises `RuleError`."""
    content = message.content
    key = sender_key(content, tree, context)
    signed = to_be_signed(message.wire_format, content, context)
    valid = tree.suite.verify_with_label(key, LABEL, signed, message.signature)
    rules.MESSAGE_SIGNATURE_IS_VALID.require(valid)
    return VerifiedContent(message, _VERIFIED)

"""Message framing (RFC 9420, section 6).

`content_type` and the `select` over it are one field here, and so is `FramedContentAuthData` with the struct that
holds it: `signature`, then `confirmation_tag`, present for Commits alone.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from mls.codec import Constant, FixedOpaque, Opaque, Struct, Tagged, UInt16, UInt32, UInt64, When, struct
from mls.registry import MLS10, ContentType, SenderType
from mls.wire.commit import Commit
from mls.wire.group_context import GroupContext
from mls.wire.proposals import AnyProposal, Proposal

__all__ = [
    "AnyContent",
    "AnySender",
    "ApplicationData",
    "AuthenticatedContent",
    "External",
    "FramedContent",
    "FramedContentTBS",
    "Member",
    "NewMemberCommit",
    "NewMemberProposal",
    "PrivateApplication",
    "PrivateCommit",
    "PrivateContentAAD",
    "PrivateMessage",
    "PrivateProposal",
    "PublicMessage",
    "Sender",
    "SenderData",
    "SenderDataAAD",
    "content_type",
]


@struct(tag=SenderType.MEMBER)
class Member(Struct):
    """The member at a leaf."""

    leaf_index: UInt32


@struct(tag=SenderType.EXTERNAL)
class External(Struct):
    """An entry of the `external_senders` extension."""

    sender_index: UInt32


@struct(tag=SenderType.NEW_MEMBER_PROPOSAL)
class NewMemberProposal(Struct):
    """Somebody who proposes to be added."""


@struct(tag=SenderType.NEW_MEMBER_COMMIT)
class NewMemberCommit(Struct):
    """Somebody who joins by an external Commit."""


AnySender: TypeAlias = Member | External | NewMemberProposal | NewMemberCommit
Sender: TypeAlias = Annotated[AnySender, Tagged(SenderType)]


@struct(tag=ContentType.APPLICATION)
class ApplicationData(Struct):
    """`opaque application_data<V>`."""

    application_data: Opaque


AnyContent: TypeAlias = ApplicationData | AnyProposal | Commit
Content: TypeAlias = Annotated[
    AnyContent,
    Tagged(
        ContentType,
        cases={
            ContentType.APPLICATION: ApplicationData,
            ContentType.PROPOSAL: Proposal,
            ContentType.COMMIT: Commit,
        },
    ),
]


def content_type(content: AnyContent) -> ContentType:
    """Return the type of a message's content."""
    match content:
        case ApplicationData():
            return ContentType.APPLICATION
        case Commit():
            return ContentType.COMMIT
        case _:
            return ContentType.PROPOSAL


@struct()
class FramedContent(Struct):
    """What a message says, before anything protects it."""

    group_id: Opaque
    epoch: UInt64
    sender: Sender
    authenticated_data: Opaque
    content: Content


def _is_commit(content: FramedContent) -> bool:
    return isinstance(content.content, Commit)


def _is_from_member(content: FramedContent) -> bool:
    return isinstance(content.sender, Member)


def _signs_context(content: FramedContent) -> bool:
    return isinstance(content.sender, Member | NewMemberCommit)


@struct()
class FramedContentTBS(Struct):
    """What the signature covers: for members and external Commits, the GroupContext too (section 6.1)."""

    version: Annotated[int, Constant(2, MLS10, "the protocol version")]
    wire_format: UInt16
    content: FramedContent
    context: Annotated[GroupContext | None, When("content", _signs_context)]


@struct()
class AuthenticatedContent(Struct):
    """A message with what authenticates its sender, independent of how it travels."""

    wire_format: UInt16
    content: FramedContent
    signature: Opaque
    confirmation_tag: Annotated[Opaque | None, When("content", _is_commit)]


@struct()
class PublicMessage(Struct):
    """A message that is signed but not encrypted (section 6.2)."""

    content: FramedContent
    signature: Opaque
    confirmation_tag: Annotated[Opaque | None, When("content", _is_commit)]
    membership_tag: Annotated[Opaque | None, When("content", _is_from_member)]


@struct()
class PrivateMessage(Struct):
    """A message that is signed and encrypted (section 6.3)."""

    group_id: Opaque
    epoch: UInt64
    content_type: ContentType
    authenticated_data: Opaque
    encrypted_sender_data: Opaque
    ciphertext: Opaque


@struct()
class PrivateContentAAD(Struct):
    """What the content's AEAD authenticates beside the content (section 6.3.1)."""

    group_id: Opaque
    epoch: UInt64
    content_type: ContentType
    authenticated_data: Opaque


@struct()
class PrivateApplication(Struct):
    """`PrivateMessageContent` of an application message, without its padding."""

    content: ApplicationData
    signature: Opaque


@struct()
class PrivateProposal(Struct):
    """`PrivateMessageContent` of a proposal, without its padding."""

    content: Proposal
    signature: Opaque


@struct()
class PrivateCommit(Struct):
    """`PrivateMessageContent` of a Commit, without its padding."""

    content: Commit
    signature: Opaque
    confirmation_tag: Opaque


@struct()
class SenderData(Struct):
    """Who sent a PrivateMessage, and with which key (section 6.3.2)."""

    leaf_index: UInt32
    generation: UInt32
    reuse_guard: Annotated[bytes, FixedOpaque(4)]


@struct()
class SenderDataAAD(Struct):
    """What the sender data's AEAD authenticates."""

    group_id: Opaque
    epoch: UInt64
    content_type: ContentType

"""MLS messages, in words: the five wire formats of RFC 9420, section 6."""

from __future__ import annotations

from typing import assert_never

from bridge.inspecting import names
from bridge.inspecting.explanation import Blob, Encrypted, Explanation, Field, Value
from bridge.inspecting.group_infos import explain_group_info
from bridge.inspecting.leaves import explain_key_package
from bridge.inspecting.look import Look
from bridge.inspecting.orders import explain_authenticated_data
from bridge.inspecting.proposals import explain_commit, explain_proposal
from mls.registry import ContentType, SenderType
from mls.wire.commit import Commit
from mls.wire.framing import (
    AnyContent,
    AnySender,
    ApplicationData,
    External,
    Member,
    NewMemberCommit,
    NewMemberProposal,
    PrivateMessage,
    PublicMessage,
    content_type,
)
from mls.wire.key_package import KeyPackage
from mls.wire.message import AnyMessage, MLSMessage
from mls.wire.welcome import EncryptedGroupSecrets, GroupInfo, Welcome

__all__ = ["explain_message", "explain_message_body"]


def explain_message(data: bytes, look: Look) -> Explanation:
    """Explain an MLSMessage. Raises `MlsError`."""
    return explain_message_body(MLSMessage.decode(data).message, look)


def explain_message_body(message: AnyMessage, look: Look) -> Explanation:
    """Explain what an MLSMessage holds."""
    match message:
        case PublicMessage():
            return _public(message, look)
        case PrivateMessage():
            return _private(message)
        case Welcome():
            return _welcome(message, look)
        case GroupInfo():
            return explain_group_info(message, look)
        case KeyPackage():
            return explain_key_package(message, look)
        case _:
            assert_never(message)


def _private(message: PrivateMessage) -> Explanation:
    fields = (
        Field("group_id", Blob(message.group_id)),
        Field("epoch", message.epoch),
        Field("content_type", names.named(message.content_type)),
        explain_authenticated_data(message.authenticated_data),
        Field("sender", Encrypted(len(message.encrypted_sender_data))),
        Field("content", Encrypted(len(message.ciphertext))),
    )
    what = {
        ContentType.APPLICATION: "something that somebody says",
        ContentType.PROPOSAL: "a proposal",
        ContentType.COMMIT: "starts the next epoch",
    }
    return Explanation("private_message", "PrivateMessage", what[message.content_type], fields)


def _public(message: PublicMessage, look: Look) -> Explanation:
    content = message.content
    fields = [
        Field("group_id", Blob(content.group_id)),
        Field("epoch", content.epoch),
        Field("sender", _sender(content.sender)),
        explain_authenticated_data(content.authenticated_data),
        Field("content_type", names.named(content_type(content.content))),
        Field("content", _content(content.content, look)),
        Field("signature", Blob(message.signature)),
    ]
    if message.confirmation_tag is not None:
        fields.append(Field("confirmation_tag", Blob(message.confirmation_tag)))
    if message.membership_tag is not None:
        fields.append(Field("membership_tag", Blob(message.membership_tag)))
    fields.append(Field("authentic", "not known: that takes the group's state"))
    return Explanation("public_message", "PublicMessage", "signed, and readable for all", tuple(fields))


def _sender(sender: AnySender) -> Explanation:
    place: tuple[Field, ...]
    match sender:
        case Member(leaf_index=leaf):
            kind, place = SenderType.MEMBER, (Field("leaf", leaf),)
        case External(sender_index=index):
            kind, place = SenderType.EXTERNAL, (Field("index", index),)
        case NewMemberProposal():
            kind, place = SenderType.NEW_MEMBER_PROPOSAL, ()
        case NewMemberCommit():
            kind, place = SenderType.NEW_MEMBER_COMMIT, ()
        case _:
            assert_never(sender)
    return Explanation("sender", "Sender", "", (Field("sender_type", names.named(kind)), *place))


def _content(content: AnyContent, look: Look) -> Value:
    match content:
        case ApplicationData(application_data=data):
            return Blob(data)
        case Commit():
            return explain_commit(content, look)
        case _:
            return explain_proposal(content, look)


def _welcome(welcome: Welcome, look: Look) -> Explanation:
    fields = (
        Field("cipher_suite", names.suite(welcome.cipher_suite)),
        Field("new_members", look.several(welcome.secrets, _new_member)),
        Field("group_info", Encrypted(len(welcome.encrypted_group_info))),
    )
    about = "lets those in whom a Commit added; which group it is, only they can read"
    return Explanation("welcome", "Welcome", about, fields)


def _new_member(secrets: EncryptedGroupSecrets) -> Explanation:
    sealed = secrets.encrypted_group_secrets
    fields = (
        Field("key_package_reference", Blob(secrets.new_member)),
        Field("group_secrets", Encrypted(len(sealed.kem_output) + len(sealed.ciphertext))),
    )
    return Explanation("new_member", "New member", "", fields)

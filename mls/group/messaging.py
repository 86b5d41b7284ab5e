"""Sending within an epoch: application messages, proposals, and what is exported (RFC 9420, sections 8.5, 12.1, 15)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mls import rules
from mls.crypto.suite import cipher_suite
from mls.errors import InternalError, UsageError
from mls.framing.content import sign
from mls.framing.private import Padding, no_padding, protect_private
from mls.framing.public import protect_public
from mls.group.environment import Proposed
from mls.group.leaf_validation import (
    PendingChecks,
    check_key_package,
    check_leaf,
    check_leaf_against_members,
    check_lifetime_is_current,
)
from mls.group.state import OwnUpdate, Transition
from mls.registry import DEFAULT_PROPOSAL_TYPES, EXTERNAL_PROPOSAL_TYPES, ProposalType, WireFormat
from mls.schedule.key_schedule import export_secret
from mls.wire.framing import ApplicationData, AuthenticatedContent, External, FramedContent, Member, NewMemberProposal
from mls.wire.leaf_node import UpdateSource
from mls.wire.message import MLSMessage, wrap
from mls.wire.proposals import Add, Remove, SelfRemove, Update, proposal_type

if TYPE_CHECKING:
    from collections.abc import Collection

    from mls.crypto.random import Random
    from mls.crypto.secret import Secret
    from mls.crypto.signature import SignaturePrivateKey
    from mls.crypto.suite import CipherSuite
    from mls.group.environment import Environment
    from mls.group.leaf_changes import LeafChanges
    from mls.group.state import GroupState
    from mls.schedule.secret_tree import SecretTree
    from mls.wire.framing import AnyContent
    from mls.wire.group_context import GroupContext
    from mls.wire.key_package import KeyPackage
    from mls.wire.proposals import AnyProposal

__all__ = [
    "drop_proposals",
    "export",
    "external_proposal",
    "leave",
    "new_member_proposal",
    "propose",
    "propose_add",
    "propose_update",
    "protect",
    "protect_handshake",
]


def protect(
    state: GroupState,
    environment: Environment,
    data: bytes,
    *,
    authenticated_data: bytes = b"",
    while_proposals_wait: bool = False,
) -> Transition[MLSMessage]:
    """Encrypt an application message. `authenticated_data` is sent along in the clear, under the signature.

    Raises `UsageError` while proposals wait: they must be committed first (section 12.4), so that, say, who is
    about to leave does not read on. `while_proposals_wait` is for one who cannot commit now, and would rather say
    something to the members as they are than nothing.
    """
    state.require_active()
    if state.proposals and not while_proposals_wait:
        msg = f"{len(state.proposals)} proposals wait: commit them before sending (RFC 9420, section 12.4)"
        raise UsageError(msg)
    message = _authenticate(state, WireFormat.PRIVATE_MESSAGE, ApplicationData(data), authenticated_data)
    sealed, messages, spent = _encrypt(state, message, environment.padding, environment.random)
    return Transition(state.step(messages=messages), sealed, tuple(spent))


def propose(
    state: GroupState,
    environment: Environment,
    proposal: AnyProposal,
    *,
    authenticated_data: bytes = b"",
    wire_format: WireFormat = WireFormat.PRIVATE_MESSAGE,
) -> Transition[MLSMessage]:
    """Send a proposal for somebody to commit. This member may commit it itself.

    For Adds there is `propose_add`, for Updates `propose_update`, for leaving `leave`. Raises `ValidationError` where
    the group's members do not all support the proposal's type.
    """
    state.require_active()
    if isinstance(proposal, Add | Update):
        needs = (
            "its KeyPackage checked: use propose_add"
            if isinstance(proposal, Add)
            else "a fresh key: use propose_update"
        )
        msg = f"an {type(proposal).__name__} needs {needs}"
        raise UsageError(msg)
    return _propose(state, environment, proposal, authenticated_data, wire_format)


def propose_add(
    state: GroupState,
    environment: Environment,
    key_package: KeyPackage,
    *,
    now: int,
    authenticated_data: bytes = b"",
    wire_format: WireFormat = WireFormat.PRIVATE_MESSAGE,
) -> Transition[MLSMessage]:
    """Propose to add a client, for somebody to commit. `now` (seconds since 1970) must be in the KeyPackage's lifetime.

    Raises `RuleError` for a KeyPackage that is not valid in this group.
    """
    state.require_active()
    check_lifetime_is_current(key_package.leaf_node, now)
    checks = PendingChecks(state.suite)
    check_key_package(key_package, environment, checks)
    checks.settle()
    check_leaf_against_members(key_package.leaf_node, state.public.tree, state.public.context.extensions)
    return _propose(state, environment, Add(key_package), authenticated_data, wire_format)


def propose_update(
    state: GroupState,
    environment: Environment,
    *,
    leaf_changes: LeafChanges,
    authenticated_data: bytes = b"",
    wire_format: WireFormat = WireFormat.PRIVATE_MESSAGE,
) -> Transition[MLSMessage]:
    """Propose to replace this member's leaf by one with a fresh encryption key, for somebody else to commit."""
    state.require_active()
    suite, old = state.suite, state.public.tree.leaf(state.own_leaf)
    if old is None:
        msg = "the own leaf is not in the tree"
        raise InternalError(msg)
    leaf, key = leaf_changes.apply(old, state.signature_key)
    encryption_key = suite.generate_hpke_key(environment.random)
    unsigned = leaf.replace(encryption_key=encryption_key.public_key, leaf_node_source=UpdateSource(), signature=b"")
    content = unsigned.to_be_signed(state.group_id, state.own_leaf)
    leaf = unsigned.replace(signature=suite.sign_with_label(key, "LeafNodeTBS", content))
    check_leaf(leaf, state.own_leaf, state.group_id, environment, PendingChecks(suite))
    check_leaf_against_members(leaf, state.public.tree, state.public.context.extensions)
    proposed = _propose(state, environment, Update(leaf), authenticated_data, wire_format)
    own = OwnUpdate(leaf, encryption_key, key)
    return replace(proposed, state=replace(proposed.state, own_updates=(*state.own_updates, own)))


def leave(state: GroupState, environment: Environment, *, authenticated_data: bytes = b"") -> Transition[MLSMessage]:
    """Propose this member's own removal: a SelfRemove where all members support it, else a Remove.

    Nobody can remove itself alone: it takes effect with somebody else's Commit.
    """
    state.require_active()
    if ProposalType.SELF_REMOVE in state.public.tree.census.common_proposals:
        return _propose(state, environment, SelfRemove(), authenticated_data, WireFormat.PUBLIC_MESSAGE)
    return _propose(state, environment, Remove(state.own_leaf), authenticated_data, WireFormat.PRIVATE_MESSAGE)


def drop_proposals(state: GroupState, references: Collection[bytes]) -> Transition[None]:
    """Forget received proposals, such as ones that the application refuses.

    Only for what no member will commit: a Commit that refers to a forgotten proposal cannot be followed.
    """
    kept = tuple(item for item in state.proposals if item.reference not in references)
    return Transition(state.step(proposals=kept), None, ())


def export(state: GroupState, label: str, context: bytes, length: int) -> bytes:
    """`MLS-Exporter(label, context, length)`: a secret of `length` bytes, bound to the epoch (section 8.5)."""
    return export_secret(state.suite, state.epoch_secrets.exporter_secret, label, context, length)


def external_proposal(
    context: GroupContext,
    sender_index: int,
    signature_key: SignaturePrivateKey,
    proposal: AnyProposal,
    *,
    authenticated_data: bytes = b"",
    experimental: bool = False,
) -> MLSMessage:
    """Return a proposal by an external sender: one who is in the group's `external_senders` (section 12.1.8).

    Raises `MalformedError` for a type that external senders may not propose, and `UsageError` for a group whose
    cipher suite is experimental, unless `experimental` admits it.
    """
    kind = proposal_type(proposal)
    rules.EXTERNAL_PROPOSAL_TYPE_IS_ALLOWED.require(kind in EXTERNAL_PROPOSAL_TYPES, f"type {kind}")
    suite = cipher_suite(context.cipher_suite, experimental=experimental)
    return _from_outside(suite, context, External(sender_index), signature_key, proposal, authenticated_data)


def new_member_proposal(
    context: GroupContext,
    signature_key: SignaturePrivateKey,
    key_package: KeyPackage,
    *,
    authenticated_data: bytes = b"",
    experimental: bool = False,
) -> MLSMessage:
    """Return a proposal by a client to be added itself (section 12.1.8).

    Raises `UsageError` for a group whose cipher suite is experimental, unless `experimental` admits it.
    """
    suite = cipher_suite(context.cipher_suite, experimental=experimental)
    return _from_outside(suite, context, NewMemberProposal(), signature_key, Add(key_package), authenticated_data)


def _from_outside(
    suite: CipherSuite,
    context: GroupContext,
    sender: External | NewMemberProposal,
    key: SignaturePrivateKey,
    proposal: AnyProposal,
    authenticated_data: bytes,
) -> MLSMessage:
    content = FramedContent(context.group_id, context.epoch, sender, authenticated_data, proposal)
    signature = sign(suite, key, WireFormat.PUBLIC_MESSAGE, content, context)
    message = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, content, signature, None)
    return wrap(protect_public(suite, message, context, None))


def _propose(
    state: GroupState,
    environment: Environment,
    proposal: AnyProposal,
    authenticated_data: bytes,
    wire_format: WireFormat,
) -> Transition[MLSMessage]:
    unsupported = proposal_type(proposal) not in state.public.tree.census.common_proposals | DEFAULT_PROPOSAL_TYPES
    rules.PROPOSAL_TYPE_IS_SUPPORTED_BY_ALL.require(not unsupported, f"type {proposal_type(proposal)}")
    if isinstance(proposal, SelfRemove):
        rules.SELF_REMOVE_IS_PUBLIC.require(wire_format == WireFormat.PUBLIC_MESSAGE)
    rules.PROPOSALS_ARE_WITHIN_THE_LIMIT.require(len(state.proposals) < environment.limits.max_proposals)
    message = _authenticate(state, wire_format, proposal, authenticated_data)
    proposed = Proposed(proposal, Member(state.own_leaf), state.suite.proposal_ref(message.encode()))
    is_known = any(item.reference == proposed.reference for item in state.proposals)
    proposals = state.proposals if is_known else (*state.proposals, proposed)
    sealed, messages, spent = protect_handshake(state, message, environment)
    return Transition(state.step(proposals=proposals, messages=messages), sealed, tuple(spent))


def protect_handshake(
    state: GroupState, message: AuthenticatedContent, environment: Environment
) -> tuple[MLSMessage, SecretTree, list[Secret]]:
    """Return a proposal or Commit as it travels, the message keys that remain, and the spent secrets.

    No padding: what a handshake message does shows in its size anyway, and a Commit in a large group is large.
    """
    if message.wire_format == WireFormat.PUBLIC_MESSAGE:
        public = protect_public(state.suite, message, state.public.context, state.epoch_secrets.membership_key)
        return wrap(public), state.messages, []
    return _encrypt(state, message, no_padding, environment.random)


def _authenticate(
    state: GroupState, wire_format: WireFormat, content: AnyContent, authenticated_data: bytes
) -> AuthenticatedContent:
    framed = FramedContent(state.group_id, state.epoch, Member(state.own_leaf), authenticated_data, content)
    signature = sign(state.suite, state.signature_key, wire_format, framed, state.public.context)
    return AuthenticatedContent(wire_format, framed, signature, None)


def _encrypt(
    state: GroupState, message: AuthenticatedContent, padding: Padding, random: Random
) -> tuple[MLSMessage, SecretTree, list[Secret]]:
    sealed, messages, spent = protect_private(
        message,
        state.messages,
        state.epoch_secrets.sender_data_secret,
        padding=padding,
        random=random,
    )
    return wrap(sealed), messages, spent

"""The one door through which every message of a group comes in: one's own, too (RFC 9420, sections 6, 12.1, 12.4.2).

::

    MLSMessage --open--> AuthenticatedContent --verify--> VerifiedContent --handle--> Received

Opening takes keys of the message's epoch, verifying its tree. Handshake messages must be of the current epoch;
application messages may be late, and are then opened with what is kept of theirs.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from mls import rules
from mls.errors import InternalError, UsageError
from mls.framing.content import VerifiedContent, verify
from mls.framing.private import open_content, open_sender_data
from mls.framing.public import open_public
from mls.group.applying import apply_commit, judge_commit
from mls.group.environment import Proposed
from mls.group.epoch import enter, is_over
from mls.group.received import ApplicationMessage, Foreseen, OwnMessage, ProposalReceived
from mls.group.state import Status, Transition
from mls.registry import EXTERNAL_PROPOSAL_TYPES, ContentType, WireFormat
from mls.tree.math import LeafIndex
from mls.wire.commit import Commit
from mls.wire.framing import ApplicationData, External, Member, PrivateMessage, PublicMessage, content_type
from mls.wire.message import MLSMessage
from mls.wire.proposals import SelfRemove, proposal_type

if TYPE_CHECKING:
    from mls.group.environment import Environment
    from mls.group.received import Committed, Received
    from mls.group.state import GroupState, PastEpoch, PublicState
    from mls.schedule.secret_tree import RatchetLimits, SecretTree
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.framing import SenderData
    from mls.wire.proposals import AnyProposal

__all__ = ["decode_message", "foresee", "own_message", "process"]


def decode_message(data: bytes, environment: Environment) -> MLSMessage:
    """Decode an MLSMessage within the environment's limits. Raises `DecodeError`."""
    return MLSMessage.decode(data, max_size=environment.limits.max_message)


def process(
    state: GroupState, environment: Environment, message: bytes | MLSMessage, *, now: int
) -> Transition[Received]:
    """Take in a message of the group: bytes off the network, or decoded. `now` is in seconds since 1970.

    Commits take effect here, other members' and one's own alike: the caller passes each in the order that the
    group has agreed on. Raises an `MlsError` for everything that is not a good message for this state, which
    stays as it was. A message that is good but old news, such as a proposal received twice, changes nothing.
    """
    decoded = message if isinstance(message, MLSMessage) else decode_message(message, environment)
    match decoded.message:
        case PublicMessage() as public:
            rules.GROUP_ID_MATCHES.require(public.content.group_id == state.group_id)
            _require_current(state, content_type(public.content.content), public.content.epoch)
            return _own_commit(state, environment, decoded, now) or _process_public(state, environment, public, now)
        case PrivateMessage() as private:
            rules.GROUP_ID_MATCHES.require(private.group_id == state.group_id)
            if private.epoch != state.epoch or state.status is Status.REMOVED:
                return _process_late(state, environment, private, now)
            return _own_commit(state, environment, decoded, now) or _process_private(state, environment, private, now)
        case other:
            msg = f"a {type(other).__name__} is not a message within a group: see join and add"
            raise UsageError(msg)


def foresee(state: GroupState, environment: Environment, message: MLSMessage) -> Foreseen:
    """Check another member's Commit for the current epoch as far as everybody can, and return where it leads.

    A Commit that `process` fails to follow for a secret in it may be good for others (RFC 9420, section 16.12): this
    tells whether it is, and it tells who is removed where the others go. The state does not change. Raises as
    `process` does.
    """
    public = state.public
    rules.GROUP_IS_OPEN.require(state.status is Status.ACTIVE)
    match message.message:
        case PublicMessage() as received:
            rules.GROUP_ID_MATCHES.require(received.content.group_id == state.group_id)
            _require_current(state, ContentType.COMMIT, received.content.epoch)
            opened = open_public(state.suite, received, public.context, state.epoch_secrets.membership_key)
        case PrivateMessage() as sealed:
            rules.GROUP_ID_MATCHES.require(sealed.group_id == state.group_id)
            _require_current(state, ContentType.COMMIT, sealed.epoch)
            secret = state.epoch_secrets.sender_data_secret
            sender = open_sender_data(state.suite, sealed, secret, public.tree)
            opened, _, _ = open_content(sealed, sender, state.messages, environment.limits.ratchet)
        case other:
            msg = f"a {type(other).__name__} leads to no epoch"
            raise UsageError(msg)
    verified = verify(opened, public.tree, public.context)
    if not isinstance(verified.content, Commit):
        msg = f"a {type(verified.content).__name__} leads to no epoch"
        raise UsageError(msg)
    judged = judge_commit(state, environment, verified)
    return Foreseen(judged.committed, judged.context, judged.tree)


def own_message(state: GroupState, environment: Environment, message: PrivateMessage) -> OwnMessage | None:
    """Return what `process` would say of a message of the current epoch that this member's leaf sent, Commits included.

    `None` for others' messages, and those of other epochs. Before a Commit has its place in the order, this tells
    whether another copy of the state has made it. The state does not change. Raises `RuleError`, or `DecodeError`.
    """
    if message.group_id != state.group_id or message.epoch != state.epoch or state.status is not Status.ACTIVE:
        return None
    tree = state.public.tree
    sender = open_sender_data(state.suite, message, state.epoch_secrets.sender_data_secret, tree)
    if sender.leaf_index != state.own_leaf:
        return None
    return _own_message(message, sender, state.messages, state.public, environment.limits.ratchet)


def _require_current(state: GroupState, kind: ContentType, epoch: int) -> None:
    """Check that a handshake message is of the current epoch, and that this member is still in it."""
    if epoch != state.epoch or state.status is Status.REMOVED:
        rule = rules.COMMIT_EPOCH_IS_CURRENT if kind == ContentType.COMMIT else rules.PROPOSAL_EPOCH_IS_CURRENT
        detail = "this client was removed from the group" if state.status is Status.REMOVED else ""
        rule.fail(detail, have=state.epoch, got=epoch)


def _own_commit(
    state: GroupState, environment: Environment, message: MLSMessage, now: int
) -> Transition[Committed] | None:
    """Put a pending Commit into effect if this is its message come back, else return `None`."""
    if not state.pending:
        return None
    message_hash = hashlib.sha256(message.encode()).digest()
    for pending in state.pending:
        if pending.message_hash == message_hash:
            return enter(state, pending.next_epoch, now, environment.limits)
    return None


def _process_public(
    state: GroupState, environment: Environment, message: PublicMessage, now: int
) -> Transition[Received]:
    opened = open_public(state.suite, message, state.public.context, state.epoch_secrets.membership_key)
    verified = verify(opened, state.public.tree, state.public.context)
    if verified.sender == Member(state.own_leaf):
        rules.OWN_COMMIT_IS_PENDING.require(not isinstance(verified.content, Commit))
        reference = state.suite.proposal_ref(verified.message.encode())
        known = any(item.reference == reference for item in state.proposals)
        return Transition(state, OwnMessage(state.epoch, None, known), ())
    return _handle_handshake(state, environment, verified, now)


def _process_private(
    state: GroupState, environment: Environment, message: PrivateMessage, now: int
) -> Transition[Received]:
    tree, limits = state.public.tree, environment.limits.ratchet
    sender = open_sender_data(state.suite, message, state.epoch_secrets.sender_data_secret, tree)
    if sender.leaf_index == state.own_leaf:
        own = _own_message(message, sender, state.messages, state.public, limits)
        rules.OWN_COMMIT_IS_PENDING.require(message.content_type != ContentType.COMMIT)
        return Transition(state, own, ())
    opened, messages, spent = open_content(message, sender, state.messages, limits)
    verified = verify(opened, tree, state.public.context)
    if message.content_type == ContentType.APPLICATION:
        received = _application_message(verified, tree, sender)
        return Transition(state.step(messages=messages), received, tuple(spent))
    handled = _handle_handshake(state.with_changes({"messages": messages}), environment, verified, now)
    # Even where the message says nothing new, its key is used: that is a step.
    after = handled.state if handled.state.revision > state.revision else handled.state.step()
    return replace(handled, state=after, spent=(*spent, *handled.spent))


def _process_late(
    state: GroupState, environment: Environment, message: PrivateMessage, now: int
) -> Transition[Received]:
    """Open an application message of a past epoch, with that epoch's tree: its leaves may be others' by now."""
    limits = environment.limits
    for position, past in enumerate(state.past):
        if past.context.epoch == message.epoch and not is_over(past, position, now, limits):
            break
    else:
        rules.EPOCH_IS_HELD.fail(have=state.epoch, got=message.epoch)
    if message.content_type != ContentType.APPLICATION:
        _require_current(state, message.content_type, message.epoch)
    sender = open_sender_data(state.suite, message, past.sender_data_secret, past.tree)
    if sender.leaf_index == past.own_leaf:
        return Transition(state, _own_message(message, sender, past.messages, past, limits.ratchet), ())
    opened, messages, spent = open_content(message, sender, past.messages, limits.ratchet)
    received = _application_message(verify(opened, past.tree, past.context), past.tree, sender)
    after = (*state.past[:position], replace(past, messages=messages), *state.past[position + 1 :])
    return Transition(state.step(past=after), received, tuple(spent))


def _own_message(
    message: PrivateMessage, sender: SenderData, tree: SecretTree, epoch: PublicState | PastEpoch, limits: RatchetLimits
) -> OwnMessage:
    """Return what to say of a message whose sender data names this member's own leaf.

    Any member can write that there. What this state has sent, it cannot open: the key is gone. What it has not
    sent, it can: only a good signature shows that another copy of the state is at work, and not a liar.
    """
    is_known = sender.generation < tree.next_generation(LeafIndex(sender.leaf_index), message.content_type)
    if not is_known:
        opened, _, _ = open_content(message, sender, tree, limits)
        verify(opened, epoch.tree, epoch.context)
    return OwnMessage(message.epoch, sender.generation, is_known)


def _application_message(verified: VerifiedContent, tree: RatchetTree, sender: SenderData) -> ApplicationMessage:
    leaf, content = tree.leaf(sender.leaf_index), verified.content
    if leaf is None or not isinstance(content, ApplicationData):
        msg = "a verified application message has no sender or no data"
        raise InternalError(msg)
    return ApplicationMessage(
        LeafIndex(sender.leaf_index),
        leaf,
        verified.framed.epoch,
        sender.generation,
        content.application_data,
        verified.framed.authenticated_data,
    )


def _handle_handshake(
    state: GroupState, environment: Environment, verified: VerifiedContent, now: int
) -> Transition[Received]:
    rules.GROUP_IS_OPEN.require(state.status is Status.ACTIVE)
    match verified.content:
        case Commit():
            return apply_commit(state, environment, verified, now)
        case ApplicationData():
            msg = "application data came as a handshake message"
            raise InternalError(msg)
        case proposal:
            return _cache_proposal(state, environment, verified, proposal)


def _cache_proposal(
    state: GroupState, environment: Environment, verified: VerifiedContent, proposal: AnyProposal
) -> Transition[Received]:
    """Keep a proposal for a Commit to refer to. Whether it is valid in a list, its Commit will show."""
    kind = proposal_type(proposal)
    if isinstance(verified.sender, External):
        rules.EXTERNAL_PROPOSAL_TYPE_IS_ALLOWED.require(kind in EXTERNAL_PROPOSAL_TYPES, f"type {kind}")
    if isinstance(proposal, SelfRemove):
        is_public = verified.wire_format == WireFormat.PUBLIC_MESSAGE
        rules.SELF_REMOVE_IS_PUBLIC.require(is_public and isinstance(verified.sender, Member))
    reference = state.suite.proposal_ref(verified.message.encode())
    proposed = Proposed(proposal, verified.sender, reference)
    received = ProposalReceived(proposed, verified.framed.authenticated_data)
    if any(item.reference == reference for item in state.proposals):
        return Transition(state, received, ())
    rules.PROPOSALS_ARE_WITHIN_THE_LIMIT.require(len(state.proposals) < environment.limits.max_proposals)
    return Transition(state.step(proposals=(*state.proposals, proposed)), received, ())

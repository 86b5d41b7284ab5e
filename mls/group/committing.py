"""Making a Commit (RFC 9420, section 12.4.1), and the Welcome that goes with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mls import rules
from mls.crypto.batch import seal_batch
from mls.errors import DecodeError, InternalError, RuleError, UsageError
from mls.framing.content import sign
from mls.group.environment import Proposed
from mls.group.epoch import EpochKeys, changes_of, find_psks, new_context, provisional_context, start_epoch
from mls.group.group_info import sign_group_info
from mls.group.leaf_changes import LeafChanges
from mls.group.leaf_validation import PendingChecks, check_leaf, check_leaf_against_members
from mls.group.messaging import protect_handshake
from mls.group.proposal_list import (
    Applied,
    apply_proposals,
    check_application_rules,
    check_proposals,
    check_replacement,
    path_is_required,
)
from mls.group.received import Committed
from mls.group.state import NextEpoch, PendingCommit, Transition
from mls.registry import ResumptionPSKUsage, WireFormat
from mls.schedule.key_schedule import welcome_keys
from mls.schedule.psk import psk_secret
from mls.tree import math
from mls.tree.treekem import FreshPath, encrypt_path, new_path
from mls.wire.commit import Commit, HPKECiphertext, ProposalRef, UpdatePath
from mls.wire.framing import AuthenticatedContent, FramedContent, Member
from mls.wire.message import MLSMessage, wrap
from mls.wire.proposals import AnyProposal, ReInit, Remove, SelfRemove, Update
from mls.wire.welcome import EncryptedGroupSecrets, GroupSecrets, PathSecret, Welcome

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mls.crypto.random import Random
    from mls.crypto.signature import SignaturePrivateKey
    from mls.group.environment import Environment
    from mls.group.state import GroupState
    from mls.tree.math import LeafIndex
    from mls.wire.extensions import Extension
    from mls.wire.group_context import GroupContext

__all__ = ["CommitOptions", "CommitOutput", "commit", "commit_linked"]


@dataclass(frozen=True, slots=True)
class CommitOptions:
    """How a Commit is made and sent."""

    wire_format: WireFormat = WireFormat.PRIVATE_MESSAGE
    authenticated_data: bytes = b""
    """Sent along in the clear, under the signature."""
    with_path: bool = True
    """`False` leaves out the path where the proposals allow it: less to send, no fresh secrets."""
    leaf_changes: LeafChanges = LeafChanges()  # noqa: RUF009 - immutable
    welcome_with_tree: bool = True
    """Whether the Welcome carries the ratchet tree; otherwise new members must be given it."""
    external_join: bool = False
    """Whether the Welcome's GroupInfo lets its reader join by external Commit."""
    group_info_extensions: tuple[Extension, ...] = ()


@dataclass(frozen=True, slots=True)
class CommitOutput:
    """A Commit to be sent, and the pending value that its return will put into effect."""

    message: MLSMessage
    pending: PendingCommit


def commit(
    state: GroupState,
    environment: Environment,
    *,
    now: int,
    proposals: Sequence[AnyProposal] = (),
    references: Collection[bytes] | None = None,
    options: CommitOptions = CommitOptions(),
) -> Transition[CommitOutput]:
    """Commit `proposals` by value, and those received in this epoch by reference.

    `references` picks among the received ones; without it, all go in that can go in together. Without any
    proposal, the Commit refreshes this member's own keys. The current epoch stays until the message comes back
    through `process`; the transition's state has it pending, and its message key used.

    `now` is in seconds since 1970: a KeyPackage must be within its lifetime to be added. Raises `RuleError` for
    proposals that are not valid together, `UsageError` where this member cannot commit.
    """
    return _commit(state, environment, now, proposals, references, options, None)


def commit_linked(
    state: GroupState,
    environment: Environment,
    *,
    now: int,
    proposals: Sequence[AnyProposal],
    options: CommitOptions,
    usage: ResumptionPSKUsage,
) -> Transition[CommitOutput]:
    """Make a new group's first Commit, which links it to an old one by a PSK of that usage (sections 11.2 and 11.3).

    For `mls.group.successors`: nowhere else may such a PSK be committed.
    """
    return _commit(state, environment, now, proposals, (), options, usage)


def _commit(
    state: GroupState,
    environment: Environment,
    now: int,
    proposals: Sequence[AnyProposal],
    references: Collection[bytes] | None,
    options: CommitOptions,
    usage: ResumptionPSKUsage | None,
) -> Transition[CommitOutput]:
    state.require_active()
    by_value = [Proposed(proposal, Member(state.own_leaf)) for proposal in proposals]
    chosen, applied = _choose(state, environment, by_value, references, now, usage)
    with_path = options.with_path or path_is_required(chosen)
    provisional, fresh, path, signature_key = _make_path(state, environment, applied, options, with_path=with_path)
    check_application_rules(
        state.public, environment, Member(state.own_leaf), chosen, applied, path, options.authenticated_data
    )
    body = Commit(tuple(_proposal_or_ref(item) for item in chosen), path)
    content = FramedContent(state.group_id, state.epoch, Member(state.own_leaf), options.authenticated_data, body)
    context = state.public.context
    signature = sign(state.suite, state.signature_key, options.wire_format, content, context)
    psks = find_psks(applied.psks, state, environment)
    keys = start_epoch(
        new_context(state.public, provisional, options.wire_format, content, signature),
        applied.tree if fresh is None else fresh.tree,
        state.epoch_secrets.init_secret.value,
        bytes(state.suite.Nh) if fresh is None else fresh.commit_secret,
        psk_secret(state.suite, psks),
    )
    authenticated = AuthenticatedContent(options.wire_format, content, signature, keys.public.confirmation_tag)
    message, messages, spent = protect_handshake(state, authenticated, environment)
    welcome = _welcome(keys, applied, fresh, state.own_leaf, signature_key, options, environment.random)
    private_tree, _ = state.private_tree.updated(keys.public.tree, {} if fresh is None else fresh.private_keys)
    old_leaf, new_leaf = state.public.tree.leaf(state.own_leaf), None if fresh is None else fresh.leaf_node
    committed = Committed(
        epoch=state.epoch + 1,
        committer=Member(state.own_leaf),
        is_own=True,
        proposals=tuple(chosen),
        changes=changes_of(applied, state.own_leaf, old_leaf, new_leaf),
        removed_us=False,
        reinit=applied.reinit,
        authenticated_data=options.authenticated_data,
        welcome=welcome,
    )
    following = NextEpoch(
        keys.public, keys.secrets, keys.messages, private_tree, signature_key, committed, applied.reinit
    )
    pending = PendingCommit(hashlib.sha256(message.encode()).digest(), following, welcome)
    after = state.step(messages=messages, pending=(*state.pending, pending))
    return Transition(after, CommitOutput(message, pending), tuple(spent))


def _choose(
    state: GroupState,
    environment: Environment,
    by_value: list[Proposed],
    references: Collection[bytes] | None,
    now: int,
    usage: ResumptionPSKUsage | None,
) -> tuple[list[Proposed], Applied]:
    """Return the proposals to commit, and what they make of the group.

    Where the caller leaves the choice of received ones to us, one that does not fit must not keep the others,
    or the caller's own, from being committed: they are tried together first, then one after the other.
    """

    def attempt(proposals: list[Proposed]) -> Applied:
        context, tree = state.public.context, state.public.tree
        check_proposals(proposals, state.own_leaf, context, tree, usage)
        applied = apply_proposals(proposals, context, tree, environment, sending_at=now)
        find_psks(applied.psks, state, environment)
        return applied

    if references is not None:
        received = {item.reference: item for item in state.proposals}
        unknown = [reference.hex() for reference in references if reference not in received]
        if unknown:
            msg = f"no such proposal was received in this epoch: {', '.join(unknown)}"
            raise UsageError(msg)
        chosen = [*by_value, *(received[reference] for reference in references)]
        return chosen, attempt(chosen)
    chosen, applied = by_value, attempt(by_value)
    pending = [_prefer(state.proposals, state.own_leaf)]
    while pending:
        candidates = pending.pop()
        try:
            applied = attempt([*chosen, *candidates]) if candidates else applied
        except (RuleError, DecodeError):
            half = len(candidates) // 2
            if half:
                pending += (candidates[half:], candidates[:half])
        else:
            chosen = [*chosen, *candidates]
    return chosen, applied


def _prefer(received: Sequence[Proposed], own_leaf: LeafIndex) -> list[Proposed]:
    """Return the received proposals that can go together (section 12.2).

    Of several for one leaf, a removal before an Update, the newest Update before older ones; a ReInit only alone;
    none that is for another to commit.
    """
    by_leaf: dict[int, Proposed] = {}
    for item in received:
        match item.proposal, item.sender:
            case Update(), Member(leaf_index=leaf):
                if leaf not in by_leaf or isinstance(by_leaf[leaf].proposal, Update):
                    by_leaf[leaf] = item
            case SelfRemove(), Member(leaf_index=leaf):
                by_leaf[leaf] = item
            case Remove(removed=leaf), _:
                if leaf not in by_leaf or isinstance(by_leaf[leaf].proposal, Update):
                    by_leaf[leaf] = item
            case _:
                pass
    by_leaf.pop(own_leaf, None)
    about_leaves = Update | Remove | SelfRemove
    chosen = [item for item in received if not isinstance(item.proposal, about_leaves) or item in by_leaf.values()]
    others = [item for item in chosen if not isinstance(item.proposal, ReInit)]
    return others or chosen[:1]


def _proposal_or_ref(item: Proposed) -> AnyProposal | ProposalRef:
    return item.proposal if item.reference is None else ProposalRef(item.reference)


def _make_path(
    state: GroupState, environment: Environment, applied: Applied, options: CommitOptions, *, with_path: bool
) -> tuple[GroupContext, FreshPath | None, UpdatePath | None, SignaturePrivateKey]:
    """Return the provisional context, the fresh path with its public form, and the key that signs from now on."""
    context = state.public.context
    if not with_path:
        if options.leaf_changes != LeafChanges():
            msg = "a Commit without a path cannot change its author's leaf"
            raise UsageError(msg)
        return provisional_context(context, applied.tree, applied.extensions), None, None, state.signature_key
    old = applied.tree.leaf(state.own_leaf)
    if old is None:
        msg = "the own leaf is not in the tree"
        raise InternalError(msg)
    leaf, key = options.leaf_changes.apply(old, state.signature_key)
    check_replacement(leaf, old, environment)
    owner = applied.tree.signature_keys.get(key.public_key, state.own_leaf)
    rules.SIGNATURE_KEY_IS_UNIQUE.require(owner == state.own_leaf)
    fresh = new_path(
        applied.tree, state.own_leaf, leaf, group_id=context.group_id, signature_key=key, random=environment.random
    )
    # Everything but the signature, which was just made.
    check_leaf(fresh.leaf_node, state.own_leaf, context.group_id, environment, PendingChecks(state.suite))
    check_leaf_against_members(fresh.leaf_node, fresh.tree, applied.extensions)
    provisional = provisional_context(context, fresh.tree, applied.extensions)
    path = encrypt_path(fresh, provisional.encode(), applied.added_leaves, environment.random)
    return provisional, fresh, path, key


def _welcome(
    keys: EpochKeys,
    applied: Applied,
    fresh: FreshPath | None,
    committer: LeafIndex,
    signature_key: SignaturePrivateKey,
    options: CommitOptions,
    random: Random,
) -> MLSMessage | None:
    """Return one Welcome for all whom the Commit adds, `None` if it adds nobody."""
    if not applied.added:
        return None
    suite = keys.public.suite
    info = sign_group_info(
        keys.public,
        committer,
        signature_key,
        with_tree=options.welcome_with_tree,
        external=keys.secrets.external_secret if options.external_join else None,
        more=options.group_info_extensions,
    )
    sealing = welcome_keys(suite, keys.member)
    encrypted_group_info = suite.aead.seal(sealing.key, sealing.nonce, info.encode(), b"")
    messages = []
    for leaf, key_package in applied.added:
        path_secret = None
        if fresh is not None:
            path_secret = PathSecret(fresh.path_secret_at(math.common_ancestor(committer, leaf)))
        group_secrets = GroupSecrets(keys.joiner, path_secret, applied.psks)
        messages.append((key_package.init_key, group_secrets.encode()))
    sealed = seal_batch(suite.encryptor_with_label("Welcome", encrypted_group_info, random), messages)
    secrets = tuple(
        EncryptedGroupSecrets(suite.key_package_ref(key_package.encode()), HPKECiphertext(*pair))
        for (_, key_package), pair in zip(applied.added, sealed, strict=True)
    )
    return wrap(Welcome(suite.number, secrets, encrypted_group_info))

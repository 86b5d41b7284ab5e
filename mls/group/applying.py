"""Following somebody else's Commit into the next epoch (RFC 9420, section 12.4.2)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mls import rules
from mls.errors import InternalError
from mls.group.environment import Proposed
from mls.group.epoch import be_removed, changes_of, enter, find_psks, new_context, provisional_context, start_epoch
from mls.group.leaf_validation import PendingChecks, check_leaf, check_leaf_against_members
from mls.group.proposal_list import (
    Applied,
    apply_proposals,
    check_application_rules,
    check_external_commit_proposals,
    check_proposals,
    check_replacement,
    path_is_required,
)
from mls.group.received import Committed
from mls.group.state import NextEpoch
from mls.schedule.key_schedule import EXTERNAL_INIT_LABEL, external_key_pair
from mls.schedule.psk import psk_secret
from mls.tree import math
from mls.tree.treekem import MergedPath, decrypt_path, merge_path
from mls.wire.commit import Commit, ProposalRef, UpdatePath
from mls.wire.framing import Member, NewMemberCommit
from mls.wire.leaf_node import CommitSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mls.crypto.kem import HPKEPrivateKey
    from mls.crypto.signature import SignaturePrivateKey
    from mls.framing.content import VerifiedContent
    from mls.group.environment import Environment
    from mls.group.state import GroupState, Transition
    from mls.tree.math import LeafIndex, NodeIndex
    from mls.tree.private_tree import PrivateTree
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.group_context import GroupContext
    from mls.wire.leaf_node import LeafNode

__all__ = ["Judged", "apply_commit", "check_path", "judge_commit", "resolve_proposals"]


@dataclass(frozen=True, slots=True)
class _Committer:
    """Who committed: the leaf, and its content before. For an external Commit, a blank leaf of the new tree."""

    leaf: LeafIndex
    old: LeafNode | None
    tree: RatchetTree
    """The tree with the proposals applied, and with a place for the committer."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A Commit that is good as far as everybody can tell, without the secrets in it."""

    commit: Commit
    applied: Applied
    merged: MergedPath | None
    tree: RatchetTree
    """The tree of the epoch that the Commit leads to."""
    provisional: GroupContext
    context: GroupContext
    """The GroupContext of the epoch that the Commit leads to."""
    committed: Committed


def apply_commit(
    state: GroupState, environment: Environment, verified: VerifiedContent, now: int
) -> Transition[Committed]:
    """Follow a Commit whose signature has been verified. Raises `RuleError`; then the Commit has no effect."""
    judged = judge_commit(state, environment, verified)
    if judged.committed.removed_us:
        return be_removed(state, judged.committed, now, environment.limits)
    return enter(state, _follow(state, environment, verified, judged), now, environment.limits)


def judge_commit(state: GroupState, environment: Environment, verified: VerifiedContent) -> Judged:
    """Check all of a Commit that every member sees alike. Raises `RuleError`."""
    content, message = verified.content, verified.message
    if not isinstance(content, Commit) or message.confirmation_tag is None:
        msg = "something else than a Commit is to be judged"
        raise InternalError(msg)
    public = state.public
    proposals = resolve_proposals(content, verified, state.proposals)
    if isinstance(verified.sender, Member):
        check_proposals(proposals, math.LeafIndex(verified.sender.leaf_index), public.context, public.tree, None)
    else:
        check_external_commit_proposals(proposals, public.tree)
    applied = apply_proposals(proposals, public.context, public.tree, environment, sending_at=None)
    rules.PATH_IS_PRESENT_WHEN_REQUIRED.require(content.path is not None or not path_is_required(proposals))
    committer = _committer(verified, applied)
    check_application_rules(
        public, environment, verified.sender, proposals, applied, content.path, verified.framed.authenticated_data
    )
    merged = None
    if content.path is not None:
        merged = check_path(
            content.path, committer.leaf, committer.old, committer.tree, applied, public.context, environment
        )
    tree = committer.tree if merged is None else merged.tree
    provisional = provisional_context(public.context, tree, applied.extensions)
    new_leaf = None if content.path is None else content.path.leaf_node
    committed = Committed(
        epoch=state.epoch + 1,
        committer=verified.sender,
        is_own=False,
        proposals=tuple(proposals),
        changes=changes_of(applied, committer.leaf, committer.old, new_leaf),
        removed_us=any(index == state.own_leaf for index, _ in applied.removed),
        reinit=applied.reinit,
        authenticated_data=verified.framed.authenticated_data,
    )
    context = new_context(public, provisional, message.wire_format, message.content, message.signature)
    return Judged(content, applied, merged, tree, provisional, context, committed)


def resolve_proposals(commit: Commit, verified: VerifiedContent, received: Sequence[Proposed]) -> list[Proposed]:
    """Return the Commit's proposals with their senders, looking up those by reference. Raises `MissingError`."""
    known = {item.reference: item for item in received}
    resolved = []
    for item in commit.proposals:
        if not isinstance(item, ProposalRef):
            resolved.append(Proposed(item, verified.sender))
        elif item.reference in known:
            resolved.append(known[item.reference])
        else:
            rules.PROPOSAL_IS_KNOWN.fail(item.reference.hex())
    return resolved


def _committer(verified: VerifiedContent, applied: Applied) -> _Committer:
    match verified.sender:
        case Member(leaf_index=index):
            leaf = math.LeafIndex(index)
            return _Committer(leaf, applied.tree.leaf(leaf), applied.tree)
        case NewMemberCommit():
            edit = applied.tree.edit()
            leaf = edit.leftmost_blank()
            return _Committer(leaf, None, edit.freeze())
        case other:
            msg = f"a Commit was verified for {other}"
            raise InternalError(msg)


def check_path(
    path: UpdatePath,
    committer: LeafIndex,
    old: LeafNode | None,
    tree: RatchetTree,
    applied: Applied,
    context: GroupContext,
    environment: Environment,
) -> MergedPath:
    """Check a path's public part and return it, merged into `tree`. `old` is the leaf that it replaces.

    An external Commit replaces none in its place; if it removes one, that was its sender's, and the new leaf
    must be one that could have replaced it (section 12.2).
    """
    leaf = path.leaf_node
    rules.COMMIT_LEAF_SOURCE.require(isinstance(leaf.leaf_node_source, CommitSource))
    if old is not None:
        check_replacement(leaf, old, environment)
        rules.COMMITTER_CHANGES_ENCRYPTION_KEY.require(leaf.encryption_key != old.encryption_key)
    elif applied.resynced is not None:
        _check_resync(leaf, applied.resynced, environment)
    owner = tree.signature_keys.get(leaf.signature_key, committer)
    rules.SIGNATURE_KEY_IS_UNIQUE.require(owner == committer)
    keys = [leaf.encryption_key, *(node.encryption_key for node in path.nodes)]
    rules.PATH_KEYS_ARE_NEW.require(
        len(set(keys)) == len(keys) and not any(key in tree.encryption_keys for key in keys)
    )
    for node in path.nodes:
        rules.ENCRYPTION_KEY_IS_WELL_FORMED.require(tree.suite.is_hpke_public_key(node.encryption_key))
    checks = PendingChecks(tree.suite)
    check_leaf(leaf, committer, context.group_id, environment, checks)
    checks.settle()
    merged = merge_path(tree, committer, path, applied.added_leaves)
    check_leaf_against_members(leaf, merged.tree, applied.extensions)
    return merged


def _check_resync(leaf: LeafNode, old: LeafNode, environment: Environment) -> None:
    accepted = leaf.credential == old.credential or environment.authentication.accepts_successor(
        old.credential, leaf.credential
    )
    rules.RESYNC_REPLACES_OWN_LEAF.require(accepted)
    rules.UPDATE_CHANGES_ENCRYPTION_KEY.require(leaf.encryption_key != old.encryption_key)


def _follow(state: GroupState, environment: Environment, verified: VerifiedContent, judged: Judged) -> NextEpoch:
    """Compute the next epoch's secrets, and check them against the confirmation tag."""
    suite, applied, tree = state.suite, judged.applied, judged.tree
    private_tree, signature_key = _with_own_update(state, applied)
    new_keys: Mapping[NodeIndex, HPKEPrivateKey] = {}
    commit_secret = bytes(suite.Nh)
    if judged.merged is not None and judged.commit.path is not None:
        context = judged.provisional.encode()
        new_keys, commit_secret = decrypt_path(judged.merged, private_tree, judged.commit.path, context)
    init_secret: bytes | bytearray = state.epoch_secrets.init_secret.value
    if applied.external_init is not None:
        init_secret = _external_init_secret(state, applied.external_init.kem_output)
    psks = find_psks(applied.psks, state, environment)
    keys = start_epoch(judged.context, tree, init_secret, commit_secret, psk_secret(suite, psks))
    stated = verified.message.confirmation_tag or b""
    rules.CONFIRMATION_TAG_IS_VALID.require(hmac.compare_digest(keys.public.confirmation_tag, stated))
    private_tree, _ = private_tree.updated(tree, new_keys)
    return NextEpoch(
        keys.public, keys.secrets, keys.messages, private_tree, signature_key, judged.committed, applied.reinit
    )


def _with_own_update(state: GroupState, applied: Applied) -> tuple[PrivateTree, SignaturePrivateKey]:
    """Return this member's keys as of the proposals: without blanked nodes', with those of its own Update."""
    new, signature_key = {}, state.signature_key
    for index, _, leaf in applied.updated:
        for own in state.own_updates:
            if index == state.own_leaf and own.leaf_node == leaf:
                new[math.leaf_node_index(index)] = own.encryption_key
                signature_key = own.signature_key
    private_tree, _ = state.private_tree.updated(applied.tree, new)
    return private_tree, signature_key


def _external_init_secret(state: GroupState, kem_output: bytes) -> bytes:
    suite = state.suite
    external = external_key_pair(suite, state.epoch_secrets.external_secret)
    try:
        return suite.hpke.export_from(external, kem_output, EXTERNAL_INIT_LABEL, suite.Nh)
    except ValueError:
        rules.EXTERNAL_INIT_IS_WELL_FORMED.fail()

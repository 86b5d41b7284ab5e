"""Joining, or coming back, by an external Commit (RFC 9420, sections 8.3 and 12.4.3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mls import rules
from mls.errors import UsageError
from mls.framing.content import sign, verify
from mls.framing.public import open_public, protect_public
from mls.group.applying import check_path
from mls.group.environment import Proposed
from mls.group.epoch import changes_of, find_psks, first_state, new_context, provisional_context, start_epoch
from mls.group.group_info import ratchet_tree_of, verify_group_info
from mls.group.joining import check_group_info_extensions
from mls.group.processing import decode_message
from mls.group.proposal_list import apply_proposals, check_application_rules, check_external_commit_proposals
from mls.group.received import Committed
from mls.group.state import PublicState, Transition
from mls.group.tree_validation import load_tree
from mls.registry import WireFormat
from mls.schedule.key_schedule import EXTERNAL_INIT_LABEL
from mls.schedule.psk import psk_secret
from mls.schedule.transcript import interim_transcript_hash
from mls.tree.private_tree import PrivateTree
from mls.tree.treekem import encrypt_path, new_path
from mls.wire.commit import Commit, ProposalRef
from mls.wire.extensions import ExternalPub, find_extension
from mls.wire.framing import AuthenticatedContent, FramedContent, Member, NewMemberCommit, PublicMessage
from mls.wire.leaf_node import CommitSource, LeafNode
from mls.wire.message import MLSMessage, wrap
from mls.wire.proposals import ExternalInit, PreSharedKey, Remove, SelfRemove
from mls.wire.welcome import GroupInfo

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mls.group.creation import Client
    from mls.group.environment import Environment
    from mls.tree.math import LeafIndex
    from mls.wire.psk import PreSharedKeyID
    from mls.wire.tree import RatchetTreeExtension

__all__ = ["ExternalJoin", "join_externally"]


@dataclass(frozen=True, slots=True)
class ExternalJoin:
    """An external Commit to be sent. The transition's state counts once the group has accepted it, not before."""

    message: MLSMessage
    committed: Committed


def join_externally(
    client: Client,
    environment: Environment,
    group_info: bytes | MLSMessage,
    *,
    tree: RatchetTreeExtension | None = None,
    replaces: LeafIndex | None = None,
    psks: Sequence[PreSharedKeyID] = (),
    self_removes: Sequence[bytes | MLSMessage] = (),
    groups: Collection[bytes] = (),
    authenticated_data: bytes = b"",
) -> Transition[ExternalJoin]:
    """Join a group by an external Commit, with no member's help but a GroupInfo with an `external_pub`.

    `replaces` is this client's own old leaf, to be removed in the same Commit ("resync"). `self_removes` are
    pending SelfRemove proposals, which an external Commit must take in; `groups` the ids of the groups that this
    client is in, which `replaces` excepts. Raises `RuleError`, or `DecodeError`.
    """
    info = _group_info(group_info, environment)
    suite, context = client.suite, info.group_context
    rules.GROUP_INFO_SUITE_MATCHES.require(context.cipher_suite == suite.number)
    rules.GROUP_ID_IS_NEW.require(replaces is not None or context.group_id not in groups)
    check_group_info_extensions(info, client.capabilities, suite, environment)
    old_tree = load_tree(suite, ratchet_tree_of(info, tree), context, environment)
    verify_group_info(suite, info, old_tree)
    interim = interim_transcript_hash(suite, context.confirmed_transcript_hash, info.confirmation_tag)
    old = PublicState(context, old_tree, info.confirmation_tag, interim)
    kem_output, init_secret = _external_init(client, info, environment)
    proposals = [Proposed(ExternalInit(kem_output), NewMemberCommit())]
    if replaces is not None:
        proposals.append(Proposed(Remove(replaces), NewMemberCommit()))
    proposals += [Proposed(PreSharedKey(psk), NewMemberCommit()) for psk in psks]
    proposals += [_self_remove(message, old, environment) for message in self_removes]
    check_external_commit_proposals(proposals, old_tree)
    applied = apply_proposals(proposals, context, old_tree, environment, sending_at=None)
    edit = applied.tree.edit()
    own_leaf = edit.leftmost_blank()
    place = edit.freeze()
    blank = LeafNode(
        b"", client.signature_key.public_key, client.credential, client.capabilities, CommitSource(b""),
        client.extensions, b"",
    )  # fmt: skip
    fresh = new_path(
        place, own_leaf, blank, group_id=context.group_id, signature_key=client.signature_key, random=environment.random
    )
    provisional = provisional_context(context, fresh.tree, applied.extensions)
    path = encrypt_path(fresh, provisional.encode(), applied.added_leaves, environment.random)
    check_path(path, own_leaf, None, place, applied, context, environment)
    check_application_rules(old, environment, NewMemberCommit(), proposals, applied, path, authenticated_data)
    body = Commit(
        tuple(item.proposal if item.reference is None else ProposalRef(item.reference) for item in proposals), path
    )
    content = FramedContent(context.group_id, context.epoch, NewMemberCommit(), authenticated_data, body)
    signature = sign(suite, client.signature_key, WireFormat.PUBLIC_MESSAGE, content, context)
    keys = start_epoch(
        new_context(old, provisional, WireFormat.PUBLIC_MESSAGE, content, signature),
        fresh.tree,
        init_secret,
        fresh.commit_secret,
        psk_secret(suite, find_psks(applied.psks, None, environment)),
    )
    signed = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, content, signature, keys.public.confirmation_tag)
    state = first_state(keys, PrivateTree(own_leaf, fresh.private_keys), client.signature_key)
    committed = Committed(
        epoch=context.epoch + 1,
        committer=NewMemberCommit(),
        is_own=True,
        proposals=tuple(proposals),
        changes=changes_of(applied, own_leaf, None, fresh.leaf_node),
        removed_us=False,
        reinit=None,
        authenticated_data=authenticated_data,
    )
    return Transition(state, ExternalJoin(wrap(protect_public(suite, signed, context, None)), committed), ())


def _group_info(group_info: bytes | MLSMessage, environment: Environment) -> GroupInfo:
    message = group_info if isinstance(group_info, MLSMessage) else decode_message(group_info, environment)
    if not isinstance(message.message, GroupInfo):
        msg = f"a {type(message.message).__name__} is not a GroupInfo"
        raise UsageError(msg)
    return message.message


def _external_init(client: Client, info: GroupInfo, environment: Environment) -> tuple[bytes, bytes]:
    """Return the KEM output for the group, and the init secret that it carries."""
    suite = client.suite
    external_pub = find_extension(info.extensions, ExternalPub)
    if external_pub is None:
        rules.EXTERNAL_PUB_IS_AVAILABLE.fail()
    try:
        return suite.hpke.export_to(external_pub.external_pub, EXTERNAL_INIT_LABEL, suite.Nh, environment.random)
    except ValueError:
        rules.EXTERNAL_PUB_IS_AVAILABLE.fail()


def _self_remove(message: bytes | MLSMessage, old: PublicState, environment: Environment) -> Proposed:
    """Check a pending SelfRemove as far as one can from outside: its membership tag one cannot."""
    decoded = message if isinstance(message, MLSMessage) else decode_message(message, environment)
    public = decoded.message
    if not isinstance(public, PublicMessage) or not isinstance(public.content.content, SelfRemove):
        msg = "only SelfRemove proposals, as PublicMessages, can go into an external Commit by reference"
        raise UsageError(msg)
    rules.GROUP_ID_MATCHES.require(public.content.group_id == old.context.group_id)
    if public.content.epoch != old.context.epoch:
        rules.PROPOSAL_EPOCH_IS_CURRENT.fail(have=old.context.epoch, got=public.content.epoch)
    verified = verify(open_public(old.suite, public, old.context, None), old.tree, old.context)
    rules.SELF_REMOVE_IS_PUBLIC.require(isinstance(verified.sender, Member))
    reference = old.suite.proposal_ref(verified.message.encode())
    return Proposed(public.content.content, verified.sender, reference)

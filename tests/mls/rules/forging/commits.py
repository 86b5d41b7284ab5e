"""Commits with any proposals and any path, and the confirmation tag that follows from them.

The committer is in earnest: it computes the epoch that its Commit, as it is sent, would lead to. So whoever does not
look at what is wrong comes to the same keys, and takes the Commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mls.group.environment import Proposed
from mls.group.epoch import find_psks, new_context, provisional_context, start_epoch
from mls.group.proposal_list import apply_proposals
from mls.registry import WireFormat
from mls.schedule.key_schedule import EXTERNAL_INIT_LABEL, external_key_pair
from mls.schedule.psk import psk_secret
from mls.tree.parent_hash import parent_hash
from mls.tree.treekem import derive_path
from mls.wire.commit import Commit, HPKECiphertext, ProposalRef, UpdatePath, UpdatePathNode
from mls.wire.framing import Member, NewMemberCommit
from mls.wire.leaf_node import CommitSource, LeafNode
from mls.wire.proposals import ExternalInit
from mls.wire.tree import ParentNode
from tests.mls.rules.forging.leaves import resigned
from tests.mls.rules.forging.messages import private, public, signed, unchanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mls.crypto.signature import SignaturePrivateKey
    from mls.group.creation import Client
    from mls.group.environment import Environment
    from mls.group.epoch import EpochKeys
    from mls.group.proposal_list import Applied
    from mls.group.state import GroupState
    from mls.tree.math import LeafIndex
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.framing import AuthenticatedContent
    from mls.wire.group_context import GroupContext
    from mls.wire.message import MLSMessage
    from mls.wire.proposals import AnyProposal
    from tests.mls.rules.forging.messages import Alteration

__all__ = ["ForgedCommit", "Path", "forged_commit", "forged_external_commit"]


@dataclass(frozen=True, slots=True)
class Path:
    """How a forged path differs from an honest one. All but `nodes` goes into the committer's tree."""

    first_secret: bytes | None = None
    """The path secret that the others follow from."""
    public_keys: Alteration[list[bytes]] = unchanged
    """The keys of the path's nodes, from the leaf up."""
    leaf: Alteration[LeafNode] = unchanged
    """The new leaf before it is signed."""
    key: SignaturePrivateKey | None = None
    """What signs the leaf, if it is not the committer's own key."""
    signed_leaf: Alteration[LeafNode] = unchanged
    nodes: Alteration[tuple[UpdatePathNode, ...]] = unchanged
    """The nodes when everything is encrypted."""


HONEST = Path()


@dataclass(frozen=True, slots=True)
class ForgedCommit:
    """A Commit, and what its author knows of the epoch that it would lead to."""

    message: AuthenticatedContent
    keys: EpochKeys
    path_secrets: tuple[bytes, ...]
    """One for each node of the path."""

    def sent_by(self, state: GroupState) -> MLSMessage:
        """Return the Commit as it travels from this member."""
        return (public if self.message.wire_format == WireFormat.PUBLIC_MESSAGE else private)(state, self.message)


def forged_commit(
    state: GroupState,
    environment: Environment,
    *proposals: AnyProposal | Proposed,
    path: Path | None = HONEST,
    wire_format: WireFormat = WireFormat.PRIVATE_MESSAGE,
    authenticated_data: bytes = b"",
) -> ForgedCommit:
    """Return a Commit by this member, of proposals by value or (as `Proposed`) by reference; no path with `None`."""
    items = _proposed(proposals, Member(state.own_leaf))
    applied = apply_proposals(items, state.public.context, state.public.tree, environment, sending_at=None)
    old = state.public.tree.leaf(state.own_leaf)
    assert old is not None
    author = _Author(state.own_leaf, old, state.signature_key)
    made = _apply(state, environment, applied, applied.tree, author, path)
    body = Commit(tuple(_by_value_or_reference(item) for item in items), made.path)
    message = signed(state, body, wire_format=wire_format, authenticated_data=authenticated_data)
    init_secret = bytes(state.epoch_secrets.init_secret.value)
    psks = psk_secret(state.suite, find_psks(applied.psks, state, environment))
    return _confirmed(state, message, made, init_secret, psks)


def forged_external_commit(
    state: GroupState,
    client: Client,
    environment: Environment,
    *proposals: AnyProposal | Proposed,
    external_init: Alteration[tuple[ExternalInit, ...]] = unchanged,
    path: Path | None = HONEST,
    key: SignaturePrivateKey | None = None,
) -> ForgedCommit:
    """Return an external Commit by `client` to the group of `state`, a member's, which stands in for a GroupInfo.

    Its proposals are one ExternalInit, or what `external_init` makes of it, and those given. `key` signs the message.
    """
    suite, context = state.suite, state.public.context
    external_pub = external_key_pair(suite, state.epoch_secrets.external_secret).public_key
    kem_output, init_secret = suite.hpke.export_to(external_pub, EXTERNAL_INIT_LABEL, suite.Nh, environment.random)
    items = _proposed((*external_init((ExternalInit(kem_output),)), *proposals), NewMemberCommit())
    applied = apply_proposals(items, context, state.public.tree, environment, sending_at=None)
    edit = applied.tree.edit()
    place = edit.leftmost_blank()
    no_hash = CommitSource(b"")
    identity = client.signature_key.public_key, client.credential, client.capabilities
    author = _Author(place, LeafNode(b"", *identity, no_hash, client.extensions, b""), client.signature_key)
    made = _apply(state, environment, applied, edit.freeze(), author, path)
    body = Commit(tuple(_by_value_or_reference(item) for item in items), made.path)
    message = signed(state, body, sender=NewMemberCommit(), key=key or client.signature_key)
    psks = psk_secret(suite, find_psks(applied.psks, None, environment))
    return _confirmed(state, message, made, init_secret, psks)


def _proposed(proposals: Sequence[AnyProposal | Proposed], sender: Member | NewMemberCommit) -> list[Proposed]:
    return [item if isinstance(item, Proposed) else Proposed(item, sender) for item in proposals]


def _by_value_or_reference(item: Proposed) -> AnyProposal | ProposalRef:
    return item.proposal if item.reference is None else ProposalRef(item.reference)


@dataclass(frozen=True, slots=True)
class _Author:
    """Who commits: the leaf's place, what it says so far, and the key that signs it."""

    index: LeafIndex
    leaf: LeafNode
    key: SignaturePrivateKey


@dataclass(frozen=True, slots=True)
class _Made:
    """What a Commit makes of the group, besides the transcript."""

    tree: RatchetTree
    context: GroupContext
    """The provisional one."""
    path: UpdatePath | None
    path_secrets: tuple[bytes, ...]
    commit_secret: bytes


def _apply(
    state: GroupState,
    environment: Environment,
    applied: Applied,
    tree: RatchetTree,
    author: _Author,
    path: Path | None,
) -> _Made:
    suite, random, old = state.suite, environment.random, state.public.context
    if path is None:
        return _Made(tree, provisional_context(old, tree, applied.extensions), None, (), bytes(suite.Nh))
    filtered = tree.filtered_direct_path(author.index)
    first_secret = random(suite.Nh) if path.first_secret is None else path.first_secret
    secrets, keys, commit_secret = derive_path(suite, first_secret, len(filtered))
    public_keys = path.public_keys([key.public_key for key in keys])
    merged, leaf = _merged(state, environment, tree, author, path, public_keys)
    context = provisional_context(old, merged, applied.extensions)
    sent = []
    for (_, child), public_key, secret in zip(filtered, public_keys, secrets, strict=True):
        recipients = [merged.node(index) for index in merged.resolution(child, applied.added_leaves)]
        sealed = [
            suite.encrypt_with_label(node.encryption_key, "UpdatePathNode", context.encode(), secret, random)
            for node in recipients
            if node is not None
        ]
        sent.append(UpdatePathNode(public_key, tuple(HPKECiphertext(*pair) for pair in sealed)))
    return _Made(merged, context, UpdatePath(leaf, path.nodes(tuple(sent))), tuple(secrets), commit_secret)


def _merged(
    state: GroupState,
    environment: Environment,
    tree: RatchetTree,
    author: _Author,
    path: Path,
    public_keys: list[bytes],
) -> tuple[RatchetTree, LeafNode]:
    """Return the tree with the path in it, parent hashes included, and the new leaf."""
    suite, edit = state.suite, tree.edit()
    edit.blank_path(author.index)
    above = b""
    filtered = tree.filtered_direct_path(author.index)
    for (index, child), public_key in zip(reversed(filtered), reversed(public_keys), strict=True):
        parent = ParentNode(public_key, above, ())
        edit.set_parent(index, parent)
        above = parent_hash(tree, parent, child)
    fresh = suite.generate_hpke_key(environment.random).public_key
    unsigned = path.leaf(author.leaf.replace(encryption_key=fresh, leaf_node_source=CommitSource(above)))
    signed_leaf = resigned(suite, unsigned, path.key or author.key, group_id=state.group_id, index=author.index)
    leaf = path.signed_leaf(signed_leaf)
    edit.set_leaf(author.index, leaf)
    return edit.freeze(), leaf


def _confirmed(
    state: GroupState, message: AuthenticatedContent, made: _Made, init_secret: bytes, psks: bytes
) -> ForgedCommit:
    context = new_context(state.public, made.context, message.wire_format, message.content, message.signature)
    keys = start_epoch(context, made.tree, init_secret, made.commit_secret, psks)
    return ForgedCommit(message.replace(confirmation_tag=keys.public.confirmation_tag), keys, made.path_secrets)

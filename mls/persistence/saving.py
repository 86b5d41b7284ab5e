"""From states to parts (see `mls.persistence.parts`).

What changed between two states is found by identity: states share what a step leaves alone, so the comparison
costs as much as the change, not as the state.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, assert_never

from mls.crypto.secret import Secret
from mls.errors import InternalError, UsageError
from mls.group.received import MemberAdded, MemberRemoved, MemberUpdated
from mls.group.state import Status
from mls.persistence.parts import FORMAT_VERSION, Changes, Part, PartKey, PartKind
from mls.persistence.stored import (
    StoredAdded,
    StoredCommitted,
    StoredEpochSecrets,
    StoredHeader,
    StoredNodeKey,
    StoredOwnUpdate,
    StoredPastEpoch,
    StoredPendingCommit,
    StoredProposal,
    StoredRatchet,
    StoredRemoved,
    StoredSkippedKey,
    StoredTranscript,
    StoredUpdated,
)
from mls.schedule.secret_tree import LeafRatchets
from mls.tree import math

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mls.group.environment import Proposed
    from mls.group.received import Change, Committed
    from mls.group.state import GroupState, OwnUpdate, PastEpoch, PendingCommit, PublicState
    from mls.schedule.key_schedule import EpochSecrets
    from mls.schedule.secret_tree import Ratchet, SecretTree, TreeNode
    from mls.tree.math import NodeIndex
    from mls.tree.ratchet_tree import RatchetTree

__all__ = ["STATUSES", "changes"]

STATUSES = {Status.ACTIVE: 1, Status.REMOVED: 2, Status.REINITIALIZED: 3, Status.LEFT: 4}
"""The numbers of the statuses in the header."""


class _Item(NamedTuple):
    """A part to be: whose bytes are only made if `source` is not the object that was stored before."""

    source: object
    encode: Callable[[], bytes]


def changes(before: GroupState | None, after: GroupState) -> Changes:
    """Return what turns the stored `before` into `after`; with `None`, all of `after`.

    Nothing, where they are one state. Raises `UsageError` where `after` does not come after `before`: storing it
    would bring used keys back.
    """
    if before is after:
        return Changes(after.revision, after.revision, (), ())
    if before is not None and after.revision <= before.revision:
        msg = f"revision {after.revision} does not come after revision {before.revision}"
        raise UsageError(msg)
    old = {} if before is None else dict(_items(before))
    new = dict(_items(after))
    put = [
        Part(key, item.encode()) for key, item in new.items() if key not in old or old[key].source is not item.source
    ]
    delete = [key for key in old if key not in new]
    old_messages = {} if before is None else _message_trees(before)
    new_messages = _message_trees(after)
    for epoch in old_messages.keys() | new_messages.keys():
        _diff_messages(epoch, old_messages.get(epoch), new_messages.get(epoch), put, delete)
    revision = None if before is None else before.revision
    return Changes(revision, after.revision, (_header(after, len(new)), *put), tuple(delete))


def _header(state: GroupState, parts: int) -> Part:
    header = StoredHeader(
        FORMAT_VERSION, state.revision, STATUSES[state.status], state.suite.number, state.epoch, state.own_leaf, parts
    )
    return Part(PartKey(PartKind.HEADER), header.encode())


def _items(state: GroupState) -> Iterator[tuple[PartKey, _Item]]:
    """Yield every part but the header and the messages' keys: as many as there are epochs, proposals and own keys."""
    public, epoch = state.public, state.epoch
    yield PartKey(PartKind.CONTEXT, epoch), _Item(public.context, public.context.encode)
    yield PartKey(PartKind.TREE, epoch), _Item(public.tree, partial(_tree, public.tree))
    yield PartKey(PartKind.TRANSCRIPT, epoch), _Item(public, partial(_transcript, public))
    if state.status is not Status.REMOVED:
        secrets = state.epoch_secrets
        yield PartKey(PartKind.EPOCH_SECRETS, epoch), _Item(secrets, partial(_secrets, secrets))
    for past in state.past:
        number, sender_data = past.context.epoch, past.sender_data_secret
        yield PartKey(PartKind.CONTEXT, number), _Item(past.context, past.context.encode)
        yield PartKey(PartKind.TREE, number), _Item(past.tree, partial(_tree, past.tree))
        # What a past epoch holds changes with its message keys alone, which are parts of their own.
        yield PartKey(PartKind.PAST_EPOCH, number), _Item(sender_data, partial(_past, past))
        yield PartKey(PartKind.SENDER_DATA_SECRET, number), _Item(sender_data, partial(_reveal, sender_data))
    for node, key in state.private_tree.items():
        yield PartKey(PartKind.PRIVATE_KEY, 0, node), _Item(key, partial(_reveal, key.secret))
    yield PartKey(PartKind.SIGNATURE_KEY), _Item(state.signature_key, partial(_reveal, state.signature_key.secret))
    for resumption in state.resumption_keys:
        psk = resumption.psk
        yield PartKey(PartKind.RESUMPTION_PSK, resumption.epoch), _Item(psk, partial(_reveal, psk))
    for position, proposed in enumerate(state.proposals):
        yield PartKey(PartKind.PROPOSAL, 0, position), _Item(proposed, partial(_encode_proposal, proposed))
    for position, own in enumerate(state.own_updates):
        yield PartKey(PartKind.OWN_UPDATE, 0, position), _Item(own, partial(_own_update, own))
    for position, pending in enumerate(state.pending):
        yield PartKey(PartKind.PENDING_COMMIT, 0, position), _Item(pending, partial(_pending, pending))
        tree = pending.next_epoch.public.tree
        yield PartKey(PartKind.PENDING_TREE, 0, position), _Item(pending, partial(_tree, tree))
    if state.reinit is not None:
        yield PartKey(PartKind.REINIT), _Item(state.reinit, state.reinit.encode)


def _reveal(secret: Secret) -> bytes:
    return bytes(secret.value)


def _tree(tree: RatchetTree) -> bytes:
    return tree.to_extension().encode()


def _transcript(public: PublicState) -> bytes:
    return StoredTranscript(public.confirmation_tag, public.interim_transcript_hash).encode()


def _past(past: PastEpoch) -> bytes:
    return StoredPastEpoch(past.ended_at, past.own_leaf).encode()


def _own_update(own: OwnUpdate) -> bytes:
    keys = _reveal(own.encryption_key.secret), _reveal(own.signature_key.secret)
    return StoredOwnUpdate(own.leaf_node, *keys).encode()


def _secrets(secrets: EpochSecrets) -> bytes:
    return _stored_secrets(secrets).encode()


def _encode_proposal(proposed: Proposed) -> bytes:
    return _proposal(proposed).encode()


def _stored_secrets(secrets: EpochSecrets) -> StoredEpochSecrets:
    return StoredEpochSecrets(*(_reveal(secret) for secret in secrets.all()))


def _proposal(proposed: Proposed) -> StoredProposal:
    return StoredProposal(proposed.proposal, proposed.sender, proposed.reference)


def _pending(pending: PendingCommit) -> bytes:
    following = pending.next_epoch
    root = following.messages.root
    if not isinstance(root, Secret):
        msg = "a pending epoch's message keys were used before it began"
        raise InternalError(msg)
    return StoredPendingCommit(
        pending.message_hash,
        following.public.context,
        StoredTranscript(following.public.confirmation_tag, following.public.interim_transcript_hash),
        _stored_secrets(following.epoch_secrets),
        _reveal(root),
        tuple(StoredNodeKey(node, _reveal(key.secret)) for node, key in following.private_tree.items()),
        _reveal(following.signature_key.secret),
        _committed(following.committed),
    ).encode()


def _committed(committed: Committed) -> StoredCommitted:
    return StoredCommitted(
        committed.committer,
        tuple(_proposal(proposed) for proposed in committed.proposals),
        tuple(_change(change) for change in committed.changes),
        committed.reinit,
        committed.authenticated_data,
        committed.welcome,
    )


def _change(change: Change) -> StoredAdded | StoredUpdated | StoredRemoved:
    match change:
        case MemberAdded(index, leaf):
            return StoredAdded(index, leaf)
        case MemberUpdated(index, old, leaf):
            return StoredUpdated(index, old, leaf)
        case MemberRemoved(index, leaf):
            return StoredRemoved(index, leaf)
        case _:
            assert_never(change)


# The secret tree of each epoch: one part for each node that holds something


def _message_trees(state: GroupState) -> dict[int, SecretTree]:
    trees = {past.context.epoch: past.messages for past in state.past}
    if state.status not in {Status.REMOVED, Status.LEFT}:
        trees[state.epoch] = state.messages
    return trees


def _diff_messages(
    epoch: int, old: SecretTree | None, new: SecretTree | None, put: list[Part], delete: list[PartKey]
) -> None:
    pending: list[tuple[NodeIndex, TreeNode | None, TreeNode | None]] = []
    for tree in (old, new):
        if tree is not None:
            pending = [(math.root(tree.leaf_count), old.root if old else None, new.root if new else None)]
    while pending:
        index, before, after = pending.pop()
        if before is after:
            continue
        kept = dict(_node_parts(epoch, index, after))
        gone = dict(_node_parts(epoch, index, before))
        put += [Part(key, item.encode()) for key, item in kept.items() if _is_new(gone.get(key), item)]
        delete += [key for key in gone if key not in kept]
        if _is_pair(before) or _is_pair(after):
            (left_before, right_before), (left_after, right_after) = _children(before), _children(after)
            pending.append((math.left(index), left_before, left_after))
            pending.append((math.right(index), right_before, right_after))


def _is_new(before: _Item | None, after: _Item) -> bool:
    return before is None or before.source is not after.source


def _is_pair(node: TreeNode | None) -> bool:
    return isinstance(node, tuple) and not isinstance(node, LeafRatchets)


def _children(node: TreeNode | None) -> tuple[TreeNode | None, TreeNode | None]:
    if isinstance(node, tuple) and not isinstance(node, LeafRatchets):
        return node
    return None, None


def _node_parts(epoch: int, index: NodeIndex, node: TreeNode | None) -> Iterator[tuple[PartKey, _Item]]:
    if isinstance(node, Secret):
        yield PartKey(PartKind.SECRET_NODE, epoch, index), _Item(node, partial(_reveal, node))
    elif isinstance(node, LeafRatchets):
        leaf = index // 2
        handshake, application = node
        yield PartKey(PartKind.HANDSHAKE_RATCHET, epoch, leaf), _Item(handshake, partial(_ratchet, handshake))
        yield PartKey(PartKind.APPLICATION_RATCHET, epoch, leaf), _Item(application, partial(_ratchet, application))


def _ratchet(ratchet: Ratchet) -> bytes:
    skipped = tuple(StoredSkippedKey(generation, _reveal(secret)) for generation, secret in ratchet.skipped.items())
    return StoredRatchet(ratchet.generation, _reveal(ratchet.secret), skipped).encode()

"""From one epoch to the next: what the author and the receivers of a Commit compute alike (RFC 9420, section 12.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from mls import rules
from mls.crypto.secret import Secret
from mls.group.received import Change, MemberAdded, MemberRemoved, MemberUpdated
from mls.group.state import (
    GroupState,
    NextEpoch,
    PastEpoch,
    PublicState,
    ResumptionKey,
    Status,
    Transition,
    spent_between,
)
from mls.registry import MLS10
from mls.schedule.key_schedule import EpochSecrets, epoch_secret, epoch_secrets, joiner_secret, member_secret
from mls.schedule.secret_tree import SecretTree
from mls.schedule.transcript import confirmed_transcript_hash, interim_transcript_hash
from mls.tree.private_tree import PrivateTree
from mls.wire.group_context import GroupContext
from mls.wire.psk import ExternalPSK, PreSharedKeyID, ResumptionPSK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mls.crypto.signature import SignaturePrivateKey
    from mls.group.environment import Environment, Limits
    from mls.group.proposal_list import Applied
    from mls.group.received import Committed
    from mls.tree.math import LeafIndex
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.extensions import Extension
    from mls.wire.framing import FramedContent
    from mls.wire.leaf_node import LeafNode

__all__ = [
    "EpochKeys",
    "be_removed",
    "changes_of",
    "enter",
    "expire",
    "find_psks",
    "first_state",
    "initial_state",
    "is_over",
    "new_context",
    "provisional_context",
    "start_epoch",
    "start_epoch_from_joiner",
]


LAST_EPOCH = (1 << 64) - 1
"""The highest epoch that a GroupContext can state."""


@dataclass(frozen=True, slots=True)
class EpochKeys:
    """The key schedule's output for an epoch, and the two secrets that only a Welcome needs."""

    public: PublicState
    secrets: EpochSecrets
    messages: SecretTree
    joiner: bytes = field(repr=False)
    member: bytes = field(repr=False)


def provisional_context(old: GroupContext, tree: RatchetTree, extensions: tuple[Extension, ...]) -> GroupContext:
    """Return the context that path secrets are encrypted under: the new one with the old transcript hash."""
    rules.EPOCH_IS_NOT_THE_LAST.require(old.epoch < LAST_EPOCH)
    return GroupContext(
        MLS10,
        old.cipher_suite,
        old.group_id,
        old.epoch + 1,
        tree.tree_hash(),
        old.confirmed_transcript_hash,
        extensions,
    )


def new_context(
    old: PublicState, provisional: GroupContext, wire_format: int, content: FramedContent, signature: bytes
) -> GroupContext:
    """Return the new epoch's context: the provisional one with the Commit in its transcript hash."""
    confirmed = confirmed_transcript_hash(old.suite, old.interim_transcript_hash, wire_format, content, signature)
    return provisional.replace(confirmed_transcript_hash=confirmed)


def start_epoch(
    context: GroupContext, tree: RatchetTree, init_secret: bytes | bytearray, commit_secret: bytes, psk_secret: bytes
) -> EpochKeys:
    """Run the key schedule for the epoch of `context` (section 8)."""
    joiner = joiner_secret(tree.suite, init_secret, commit_secret, context.encode())
    return start_epoch_from_joiner(context, tree, joiner, psk_secret)


def start_epoch_from_joiner(context: GroupContext, tree: RatchetTree, joiner: bytes, psk_secret: bytes) -> EpochKeys:
    """Run the key schedule from the `joiner_secret` on, as one does who was welcomed."""
    suite = tree.suite
    member = member_secret(suite, joiner, psk_secret)
    return _keys(context, tree, epoch_secret(suite, member, context.encode()), joiner, member)


def initial_state(context: GroupContext, tree: RatchetTree, secret: bytes) -> EpochKeys:
    """Return epoch 0 of a new group from a fresh `epoch_secret` (section 11)."""
    return _keys(context, tree, secret, b"", b"")


def _keys(context: GroupContext, tree: RatchetTree, secret: bytes, joiner: bytes, member: bytes) -> EpochKeys:
    suite = tree.suite
    secrets, confirmation_key, encryption_secret = epoch_secrets(suite, secret)
    tag = suite.mac(confirmation_key, context.confirmed_transcript_hash)
    confirmation_key.wipe()
    interim = interim_transcript_hash(suite, context.confirmed_transcript_hash, tag)
    messages = SecretTree(suite, tree.leaf_count, encryption_secret)
    return EpochKeys(PublicState(context, tree, tag, interim), secrets, messages, joiner, member)


def first_state(keys: EpochKeys, private_tree: PrivateTree, signature_key: SignaturePrivateKey) -> GroupState:
    """Return the state of one who has just come into a group, by whichever way."""
    return GroupState(
        revision=0,
        status=Status.ACTIVE,
        public=keys.public,
        epoch_secrets=keys.secrets,
        messages=keys.messages,
        private_tree=private_tree,
        signature_key=signature_key,
        resumption_keys=(ResumptionKey(keys.public.context.epoch, keys.secrets.resumption_psk),),
    )


def find_psks(
    psk_ids: Iterable[PreSharedKeyID], state: GroupState | None, environment: Environment
) -> list[tuple[PreSharedKeyID, Secret]]:
    """Return each identified PSK, in order: from the environment, or from the group's own past (section 8.4)."""
    found = []
    for psk_id in psk_ids:
        psk = _find_psk(psk_id, state, environment)
        if psk is None:
            rules.PSK_IS_AVAILABLE.fail(repr(psk_id.psk))
        found.append((psk_id, psk))
    return found


def _find_psk(psk_id: PreSharedKeyID, state: GroupState | None, environment: Environment) -> Secret | None:
    match psk_id.psk:
        case ExternalPSK(psk_id=name):
            return environment.psks.get(name)
        case ResumptionPSK(psk_group_id=group_id, psk_epoch=epoch):
            own = state.resumption_keys if state is not None and state.group_id == group_id else ()
            found = next((key.psk for key in own if key.epoch == epoch), None)
            return environment.resumption_keys(group_id, epoch) if found is None else found
        case _:
            assert_never(psk_id.psk)


def changes_of(
    applied: Applied, committer: LeafIndex | None, old: LeafNode | None, new: LeafNode | None
) -> tuple[Change, ...]:
    """Return who comes, changes and goes. `old` and `new` are the committer's leaf before and on its path."""
    changes: list[Change] = [MemberRemoved(index, leaf) for index, leaf in applied.removed]
    changes += [MemberUpdated(index, before, after) for index, before, after in applied.updated]
    changes += [MemberAdded(index, key_package.leaf_node) for index, key_package in applied.added]
    if committer is not None and new is not None:
        changes.append(MemberAdded(committer, new) if old is None else MemberUpdated(committer, old, new))
    return tuple(changes)


def enter(state: GroupState, following: NextEpoch, now: int, limits: Limits) -> Transition[Committed]:
    """Leave the current epoch for the next one. What the old epoch needs for late messages is kept."""
    resumption = (ResumptionKey(following.public.context.epoch, following.epoch_secrets.resumption_psk),)
    after = state.step(
        status=Status.ACTIVE if following.reinit is None else Status.REINITIALIZED,
        public=following.public,
        epoch_secrets=following.epoch_secrets,
        messages=following.messages,
        private_tree=following.private_tree,
        signature_key=following.signature_key,
        proposals=(),
        own_updates=(),
        pending=(),
        past=_kept((_ended(state, now), *state.past), now, limits),
        resumption_keys=(resumption + state.resumption_keys)[: limits.resumption_psks],
        reinit=following.reinit,
    )
    return Transition(after, following.committed, spent_between(state, after))


def be_removed(state: GroupState, committed: Committed, now: int, limits: Limits) -> Transition[Committed]:
    """Leave the group, removed by a Commit that this member cannot follow.

    Late messages stay readable for a while; every other secret goes. What takes its place is a wiped one, so
    that each attempt to use it is refused.
    """
    gone = Secret.gone()
    after = state.step(
        status=Status.REMOVED,
        epoch_secrets=EpochSecrets(gone, gone, gone, gone, gone, gone, gone),
        messages=SecretTree(state.suite, 1, gone),
        private_tree=PrivateTree(state.own_leaf, {}),
        proposals=(),
        own_updates=(),
        pending=(),
        past=_kept((_ended(state, now), *state.past), now, limits),
        resumption_keys=(),
    )
    return Transition(after, committed, spent_between(state, after))


def _ended(state: GroupState, now: int) -> PastEpoch:
    return PastEpoch(
        state.public.context,
        state.public.tree,
        state.epoch_secrets.sender_data_secret,
        state.messages,
        state.own_leaf,
        now,
    )


def expire(state: GroupState, *, now: int, limits: Limits) -> Transition[None]:
    """Forget the past epochs that are over their limits. To be called now and then; entering an epoch does it too."""
    past = _kept(state.past, now, limits)
    if past == state.past:
        return Transition(state, None, ())
    after = state.step(past=past)
    return Transition(after, None, spent_between(state, after))


def is_over(past: PastEpoch, position: int, now: int, limits: Limits) -> bool:
    """Return whether a past epoch, `position` epochs back from the newest past one, is over its limits."""
    age = now - past.ended_at
    return age > limits.past_grace and (position >= limits.past_epochs or age > limits.past_seconds)


def _kept(past: tuple[PastEpoch, ...], now: int, limits: Limits) -> tuple[PastEpoch, ...]:
    newest = past[: limits.past_epochs_max]
    return tuple(epoch for position, epoch in enumerate(newest) if not is_over(epoch, position, now, limits))

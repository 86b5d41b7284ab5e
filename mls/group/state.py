"""A member's state of a group, and what a step makes of it.

Every step is a function from a state to a `Transition`. States are immutable values: a pending Commit holds the
next epoch as one, going back is not assigning, and two branches share what they have in common. `revision` grows
with every step. Whoever stores states must replace only the state that a step started from (compare the
revision): then no key can be used twice by sending twice from one state.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

from mls.errors import UsageError

if TYPE_CHECKING:
    from mls.crypto.kem import HPKEPrivateKey
    from mls.crypto.secret import Secret
    from mls.crypto.signature import SignaturePrivateKey
    from mls.crypto.suite import CipherSuite
    from mls.group.environment import Proposed
    from mls.group.received import Committed
    from mls.schedule.key_schedule import EpochSecrets
    from mls.schedule.secret_tree import SecretTree
    from mls.tree.math import LeafIndex
    from mls.tree.private_tree import PrivateTree
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.group_context import GroupContext
    from mls.wire.leaf_node import LeafNode
    from mls.wire.message import MLSMessage
    from mls.wire.proposals import ReInit

__all__ = [
    "GroupState",
    "NextEpoch",
    "OwnUpdate",
    "PastEpoch",
    "PendingCommit",
    "PublicState",
    "ResumptionKey",
    "Status",
    "Transition",
    "spent_between",
]

Output_co = TypeVar("Output_co", covariant=True)


class Status(Enum):
    """What the group is to this member."""

    ACTIVE = "active"
    REMOVED = "removed"
    """Removed by the last Commit: late messages can still be read, nothing can be sent."""
    REINITIALIZED = "reinitialized"
    """Closed by a ReInit: a new group takes its place (section 11.2)."""
    LEFT = "left"
    """What is kept of an epoch that is over, to come back to it (`mls.group.returning`)."""


@dataclass(frozen=True, slots=True)
class PublicState:
    """What all members of an epoch know, and no secret."""

    context: GroupContext
    tree: RatchetTree
    confirmation_tag: bytes
    interim_transcript_hash: bytes

    @property
    def suite(self) -> CipherSuite:
        """The group's cipher suite."""
        return self.tree.suite


@dataclass(frozen=True, slots=True, eq=False)
class PastEpoch:
    """An epoch that is over, as far as it is needed to read late messages."""

    context: GroupContext
    tree: RatchetTree
    sender_data_secret: Secret
    messages: SecretTree
    own_leaf: LeafIndex
    ended_at: int
    """When the next epoch began for this member: seconds since 1970."""

    def secrets(self) -> Iterator[Secret]:
        """Yield each secret that the epoch holds."""
        yield self.sender_data_secret
        yield from self.messages.secrets()


@dataclass(frozen=True, slots=True, eq=False)
class NextEpoch:
    """An epoch that a Commit leads to: everything of it that does not depend on when it is entered."""

    public: PublicState
    epoch_secrets: EpochSecrets
    messages: SecretTree
    private_tree: PrivateTree
    signature_key: SignaturePrivateKey
    committed: Committed
    reinit: ReInit | None

    def secrets(self) -> Iterator[Secret]:
        """Yield each secret that the epoch holds."""
        yield from self.epoch_secrets.all()
        yield from self.messages.secrets()
        yield from (key.secret for _, key in self.private_tree.items())


@dataclass(frozen=True, slots=True, eq=False)
class PendingCommit:
    """A Commit of one's own that waits for its place in the order.

    It takes effect when its message comes back through `process`, and is forgotten when another one wins.
    """

    message_hash: bytes
    """SHA-256 of the encoded MLSMessage: what it is recognised by."""
    next_epoch: NextEpoch
    welcome: MLSMessage | None
    """For those whom the Commit adds. Not to be sent before the Commit is accepted (section 14)."""


@dataclass(frozen=True, slots=True, eq=False)
class OwnUpdate:
    """The private half of an Update that this member proposed in this epoch."""

    leaf_node: LeafNode
    encryption_key: HPKEPrivateKey
    signature_key: SignaturePrivateKey


@dataclass(frozen=True, slots=True, eq=False)
class ResumptionKey:
    """An epoch's `resumption_psk`."""

    epoch: int
    psk: Secret


@dataclass(frozen=True, slots=True, eq=False)
class GroupState:
    """One member's whole state of one group."""

    revision: int
    status: Status
    public: PublicState
    epoch_secrets: EpochSecrets
    messages: SecretTree
    private_tree: PrivateTree
    signature_key: SignaturePrivateKey = field(repr=False)
    proposals: tuple[Proposed, ...] = ()
    """Received in this epoch, in order, each with its reference."""
    own_updates: tuple[OwnUpdate, ...] = ()
    pending: tuple[PendingCommit, ...] = ()
    past: tuple[PastEpoch, ...] = ()
    """Newest first."""
    resumption_keys: tuple[ResumptionKey, ...] = ()
    """Newest first, from the current epoch on."""
    reinit: ReInit | None = None
    """The ReInit that closed the group."""

    def __repr__(self) -> str:
        return (
            f"<GroupState of {self.group_id.hex()[:16]}: epoch {self.epoch}, {self.status.value}, "
            f"leaf {self.own_leaf} of {self.public.tree.member_count} members, revision {self.revision}>"
        )

    @property
    def suite(self) -> CipherSuite:
        """The group's cipher suite."""
        return self.public.suite

    @property
    def group_id(self) -> bytes:
        """The group's id."""
        return self.public.context.group_id

    @property
    def epoch(self) -> int:
        """The current epoch."""
        return self.public.context.epoch

    @property
    def own_leaf(self) -> LeafIndex:
        """This member's leaf."""
        return self.private_tree.leaf_index

    @property
    def epoch_authenticator(self) -> bytes:
        """What members compare to know that they agree (section 8.7): `Nh` bytes."""
        return bytes(self.epoch_secrets.epoch_authenticator.value)

    def members(self) -> Iterator[tuple[LeafIndex, LeafNode]]:
        """Yield the members' leaves, from left to right."""
        return self.public.tree.members()

    def require_active(self) -> None:
        """Raise `UsageError` unless this member may still send in the group."""
        if self.status is Status.REMOVED:
            msg = "this client was removed from the group: it can only join again"
            raise UsageError(msg)
        if self.status is Status.REINITIALIZED:
            msg = "the group was closed by a ReInit: go on in the group that takes its place"
            raise UsageError(msg)
        if self.status is Status.LEFT:
            msg = "the epoch was left: go on in the state that came after it, or come back"
            raise UsageError(msg)

    def step(self, **changes: object) -> GroupState:
        """Return the state with these changes, one revision on."""
        changes["revision"] = self.revision + 1
        return self.with_changes(changes)

    def with_changes(self, changes: Mapping[str, object]) -> GroupState:
        """Return the state with some fields changed: `dataclasses.replace`, without what makes that slow."""
        after = object.__new__(GroupState)
        for name, read, write in _SLOTS:
            write(after, changes[name] if name in changes else read(self))
        return after

    def secrets(self, *, without: Collection[int] = ()) -> Iterator[Secret]:
        """Yield each secret that can be reached from this state. The signature key, which outlives it, is none.

        `without` holds the `id` of past epochs to leave out.
        """
        yield from self.epoch_secrets.all()
        yield from self.messages.secrets()
        yield from (key.secret for _, key in self.private_tree.items())
        yield from (update.encryption_key.secret for update in self.own_updates)
        yield from (key.psk for key in self.resumption_keys)
        for past in self.past:
            if id(past) not in without:
                yield from past.secrets()
        for pending in self.pending:
            yield from pending.next_epoch.secrets()


def _accessors(name: str) -> tuple[Callable[[GroupState], object], Callable[[GroupState, object], None]]:
    slot = getattr(GroupState, name)
    return slot.__get__, slot.__set__


_SLOTS = tuple((slot.name, *_accessors(slot.name)) for slot in fields(GroupState))
"""Each field's name, and the functions that read and write it. Every message makes a state: this is its hot path."""


@dataclass(frozen=True, slots=True)
class Transition(Generic[Output_co]):
    """What a step gives: persist `state`, then wipe `spent`, then release `output`.

    In this order a crash at any point loses nothing and reuses no key. After wiping, the state that the step
    started from is of no use any more.
    """

    state: GroupState
    output: Output_co
    spent: tuple[Secret, ...]


def spent_between(before: GroupState, after: GroupState) -> tuple[Secret, ...]:
    """Return the secrets that `before` holds and `after` does not."""
    shared = {id(past) for past in before.past} & {id(past) for past in after.past}
    kept = {id(secret) for secret in after.secrets(without=shared)}
    spent = {id(secret): secret for secret in before.secrets(without=shared) if id(secret) not in kept}
    return tuple(spent.values())

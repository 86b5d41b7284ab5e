"""What `process` found: one class for each thing that can arrive, to be told apart with `match`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from mls.group.environment import Proposed
    from mls.tree.math import LeafIndex
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.framing import AnySender
    from mls.wire.group_context import GroupContext
    from mls.wire.leaf_node import LeafNode
    from mls.wire.message import MLSMessage
    from mls.wire.proposals import ReInit

__all__ = [
    "ApplicationMessage",
    "Change",
    "Committed",
    "Foreseen",
    "Joined",
    "MemberAdded",
    "MemberRemoved",
    "MemberUpdated",
    "OwnMessage",
    "ProposalReceived",
    "Received",
]


@dataclass(frozen=True, slots=True)
class ApplicationMessage:
    """A member said something."""

    sender: LeafIndex
    sender_leaf: LeafNode
    """The sender's leaf in the message's epoch: who it was then, whoever has that index now."""
    epoch: int
    generation: int
    data: bytes
    authenticated_data: bytes


@dataclass(frozen=True, slots=True)
class ProposalReceived:
    """Somebody proposed something; it waits for a Commit."""

    proposed: Proposed
    authenticated_data: bytes


@dataclass(frozen=True, slots=True)
class OwnMessage:
    """A message that this member's leaf sent came back. It cannot be decrypted: its key is gone.

    One that this state has not sent, though its signature is good, means that another copy of the state is at work:
    stop sending, and join anew.
    """

    epoch: int
    generation: int | None
    """`None` for a PublicMessage, which has none."""
    is_known: bool
    """Whether this state had sent as far. If not, the signature has been verified; else it cannot be any more."""


@dataclass(frozen=True, slots=True)
class MemberAdded:
    """A leaf came into the group."""

    index: LeafIndex
    leaf: LeafNode


@dataclass(frozen=True, slots=True)
class MemberUpdated:
    """A member replaced its leaf."""

    index: LeafIndex
    old: LeafNode
    leaf: LeafNode


@dataclass(frozen=True, slots=True)
class MemberRemoved:
    """A leaf left the group."""

    index: LeafIndex
    leaf: LeafNode


Change: TypeAlias = MemberAdded | MemberUpdated | MemberRemoved


@dataclass(frozen=True, slots=True)
class Committed:
    """A Commit took effect: the group is in a new epoch."""

    epoch: int
    """The new epoch."""
    committer: AnySender
    is_own: bool
    proposals: tuple[Proposed, ...]
    changes: tuple[Change, ...]
    """Who came, who changed, who left; the committer's own new leaf included."""
    removed_us: bool
    """Whether this member was removed: the state can only read what is late."""
    reinit: ReInit | None
    """Whether the group was closed, and what shall follow."""
    authenticated_data: bytes
    welcome: MLSMessage | None = None
    """For those whom a Commit of one's own has added: now is the time to send it."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Where a Commit leads, as everybody sees it: those too who cannot follow it, or are removed by it."""

    committed: Committed
    context: GroupContext
    """The GroupContext of the epoch that it leads to."""
    tree: RatchetTree
    """The tree of that epoch."""


@dataclass(frozen=True, slots=True)
class Joined:
    """This client is a member now."""

    epoch: int
    inviter: LeafIndex
    """The member who signed the GroupInfo."""


Received: TypeAlias = ApplicationMessage | ProposalReceived | Committed | OwnMessage

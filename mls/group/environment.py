"""What a step consults besides the state and the bytes: the caller's services, keys, rules and limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from mls.codec import DEFAULT_MAX_SIZE
from mls.crypto.random import Random, system_random
from mls.crypto.secret import Secret
from mls.framing.private import Padding, pad_to_power_of_two
from mls.schedule.secret_tree import RatchetLimits

if TYPE_CHECKING:
    from mls.group.authentication import AuthenticationService
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.extensions import Extension
    from mls.wire.framing import AnySender
    from mls.wire.group_context import GroupContext
    from mls.wire.leaf_node import LeafNode
    from mls.wire.proposals import AnyProposal

__all__ = ["Environment", "Limits", "ProposalList", "ProposalRules", "Proposed", "ResumptionKeys"]

DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what a state keeps and on what it takes. Times are in seconds, sizes in bytes."""

    ratchet: RatchetLimits = RatchetLimits()  # noqa: RUF009 - immutable
    """How far a ratchet follows a sender within an epoch."""
    past_grace: int = 600
    """For this long, a past epoch is kept whatever the number of epochs since, up to `past_epochs_max`."""
    past_epochs: int = 5
    """How many past epochs are kept beyond that."""
    past_seconds: int = DAY
    """How long at the most."""
    past_epochs_max: int = 64
    """How many past epochs at the most."""
    resumption_psks: int = 8
    """For how many epochs, the current one included, the resumption PSK is kept (section 8.6)."""
    max_members: int = 1 << 16
    """The largest group that is joined."""
    max_proposals: int = 4096
    """How many proposals may wait for a Commit."""
    max_message: int = DEFAULT_MAX_SIZE
    """The largest message that is decoded."""
    max_lifetime: int = 366 * DAY
    """The longest lifetime of a leaf from a KeyPackage (section 7.2)."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposal with its sender. `reference` is its hash where it is committed by reference."""

    proposal: AnyProposal
    sender: AnySender
    reference: bytes | None = None


@dataclass(frozen=True, slots=True)
class ProposalList:
    """What the caller's own rules see of a Commit: the public state before it, and what the Commit says.

    The same for its author and for everyone who receives it, so that rules cannot split the group.
    """

    context: GroupContext
    tree: RatchetTree
    committer: AnySender
    proposals: tuple[Proposed, ...]
    extensions: tuple[Extension, ...]
    """The GroupContext's extensions after the Commit."""
    path_leaf: LeafNode | None
    """The committer's new leaf, where the Commit has a path."""
    authenticated_data: bytes


ProposalRules: TypeAlias = Callable[[ProposalList], str | None]
"""Returns why a Commit is not allowed, or `None`. Must be pure: the answer depends on the argument alone."""

ResumptionKeys: TypeAlias = Callable[[bytes, int], Secret | None]
"""From another group's id and epoch to its resumption PSK."""


def _no_resumption_keys(group_id: bytes, epoch: int) -> Secret | None:  # noqa: ARG001 - the empty answer
    return None


def _no_rules(proposals: ProposalList) -> str | None:  # noqa: ARG001 - the empty answer
    return None


@dataclass(frozen=True, slots=True)
class Environment:
    """The caller's side of a client. Immutable; one serves many groups."""

    authentication: AuthenticationService
    psks: Mapping[bytes, Secret] = field(default_factory=dict)
    """External pre-shared keys by `psk_id`."""
    resumption_keys: ResumptionKeys = _no_resumption_keys
    """Resumption PSKs of other groups; those of the same group are in its state."""
    proposal_rules: ProposalRules = _no_rules
    """The application's own rules on Commits (section 12.2)."""
    padding: Padding = pad_to_power_of_two
    """How much to pad application messages."""
    limits: Limits = Limits()
    random: Random = system_random
    """The source of randomness. An experimental suite draws a part of it from the system (`mls.crypto.xwing`)."""

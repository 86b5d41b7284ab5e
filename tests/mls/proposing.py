"""Proposals that members post, for what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import leave, propose_update
from mls.group.received import ProposalReceived
from tests.mls.rules.forging import public, signed
from tests.mls.world import World

if TYPE_CHECKING:
    from mls.wire.proposals import AnyProposal


def post_update(world: World, name: str) -> bytes:
    """Let a member propose an Update; returns its reference."""
    made = propose_update(world.states[name], world.environment, leaf_changes=LeafChanges())
    world.deliver(world.adopt(name, made))
    reference = world.states[name].proposals[-1].reference
    assert reference is not None
    return reference


def post_leave(world: World, name: str) -> bytes:
    """Let a member propose to leave; returns the proposal's reference."""
    world.deliver(world.adopt(name, leave(world.states[name], world.environment)))
    reference = world.states[name].proposals[-1].reference
    assert reference is not None
    return reference


def post_unchecked(world: World, name: str, proposal: AnyProposal) -> bytes:
    """Let a member propose what its engine would not; returns the proposal's reference."""
    message = public(world.states[name], signed(world.states[name], proposal))
    received = world.deliver(message)["alice"]
    assert isinstance(received, ProposalReceived)
    assert received.proposed.reference is not None
    return received.proposed.reference

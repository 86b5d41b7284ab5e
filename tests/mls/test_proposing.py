"""What can be proposed, and what holds while proposals wait for a Commit."""

from __future__ import annotations

import pytest

from mls import rules
from mls.errors import UsageError
from mls.group.committing import commit
from mls.group.environment import Limits
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import drop_proposals, leave, propose, propose_update, protect
from mls.group.received import ProposalReceived
from mls.registry import ExtensionType, ProposalType, WireFormat
from mls.wire.extensions import Extension, RequiredCapabilities, pack_extension
from mls.wire.proposals import (
    Remove,
    SelfRemove,
    UnknownProposal,
    Update,
)
from tests.mls.journey import post, say, talk
from tests.mls.proposing import post_update
from tests.mls.rules.support import refused
from tests.mls.world import World


def test_nothing_is_said_while_proposals_wait() -> None:
    world = World.of("alice", "bob")
    post_update(world, "bob")
    for name in ("alice", "bob"):
        with pytest.raises(UsageError, match="1 proposals wait"):
            protect(world.states[name], world.environment, b"hello")
    message = protect(world.states["alice"], world.environment, b"hello", while_proposals_wait=True).output
    world.process("bob", message)
    world.commit("alice")
    talk(world)


def test_dropped_proposals_are_forgotten() -> None:
    world = World.of("alice", "bob", "carol")
    references = [post_update(world, "bob"), post(world, "carol", Remove(1)), post(world, "bob", Remove(2))]
    before = world.states["alice"]
    dropped = drop_proposals(before, references[:2])
    assert ([item.reference for item in dropped.state.proposals], dropped.spent) == ([references[2]], ())
    assert len(before.proposals) == 3
    world.adopt("alice", dropped)
    with pytest.raises(UsageError, match=references[0].hex()):
        commit(world.states["alice"], world.environment, now=world.now, references=references[:1])
    world.adopt("alice", drop_proposals(world.states["alice"], references))
    say(world, "alice")
    made = commit(world.states["bob"], world.environment, now=world.now, references=references[2:])
    with refused(rules.PROPOSAL_IS_KNOWN):
        world.process("alice", made.output.message)


def test_no_more_proposals_than_the_limit() -> None:
    world = World.of("alice", "bob")
    world.set(limits=Limits(max_proposals=2))
    sent = [world.adopt("alice", propose(world.states["alice"], world.environment, Remove(n))) for n in (5, 6)]
    with refused(rules.PROPOSALS_ARE_WITHIN_THE_LIMIT):
        propose(world.states["alice"], world.environment, Remove(7))
    with refused(rules.PROPOSALS_ARE_WITHIN_THE_LIMIT):
        leave(world.states["alice"], world.environment)
    for message in sent:
        world.process("bob", message)
    world.set(limits=Limits())
    third = world.adopt("alice", propose(world.states["alice"], world.environment, Remove(7)))
    world.set(limits=Limits(max_proposals=2))
    with refused(rules.PROPOSALS_ARE_WITHIN_THE_LIMIT):
        world.process("bob", third)
    world.set(limits=Limits(max_proposals=3))
    assert isinstance(world.process("bob", third), ProposalReceived)


# What cannot be proposed


def test_what_cannot_be_proposed() -> None:
    world = World.of("alice", "bob")
    state, env = world.states["alice"], world.environment
    leaf = state.public.tree.leaf(0)
    assert leaf is not None
    with pytest.raises(UsageError, match="use propose_update"):
        propose(state, env, Update(leaf))
    with refused(rules.PROPOSAL_TYPE_IS_SUPPORTED_BY_ALL):
        propose(state, env, UnknownProposal(0xF001, b""))
    with refused(rules.SELF_REMOVE_IS_PUBLIC):
        propose(state, env, SelfRemove())
    propose(state, env, SelfRemove(), wire_format=WireFormat.PUBLIC_MESSAGE)


def test_an_update_must_fit_the_group() -> None:
    world = World()
    required = RequiredCapabilities((ExtensionType.LAST_RESORT,), (ProposalType.SELF_REMOVE,), ())
    world.found("alice", extensions=(pack_extension(required),))
    world.add("alice", "bob")
    capabilities = world.client("alice").capabilities
    for worse in (capabilities.replace(extensions=()), capabilities.replace(proposals=())):
        with refused(rules.LEAF_SUPPORTS_REQUIRED_CAPABILITIES):
            propose_update(world.states["alice"], world.environment, leaf_changes=LeafChanges(capabilities=worse))
    with refused(rules.LEAF_EXTENSIONS_ARE_IN_OWN_CAPABILITIES):
        propose_update(
            world.states["alice"], world.environment, leaf_changes=LeafChanges(extensions=(Extension(0xF001, b""),))
        )


def test_two_updates_wait_and_either_may_be_committed() -> None:
    for number in range(2):
        world = World.of("alice", "bob", "carol")
        references = [post_update(world, "bob"), post_update(world, "bob")]
        before = world.states["bob"]
        world.commit("alice", references=[references[number]])
        assert (len(before.own_updates), len(world.states["bob"].own_updates)) == (2, 0)
        talk(world)
        world.commit("bob")
        world.commit("carol")
        talk(world)

"""GREASE (RFC 9420, section 13.5): sent where it may be, supported by nobody, oneself included."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mls import rules
from mls.group.committing import commit
from mls.group.creation import create_group, default_capabilities
from mls.group.messaging import propose
from mls.registry import GREASE
from mls.wire.extensions import Extension
from mls.wire.proposals import GroupContextExtensions, UnknownProposal
from tests.mls.rules.support import refused
from tests.mls.world import GROUP_ID, LIFETIME, World

VALUE = min(GREASE)


@pytest.fixture
def world() -> World:
    """A group whose members all list one GREASE value wherever they may."""
    world = World()
    for name in ("a", "b"):
        greased = default_capabilities([1], bytes)
        assert VALUE in greased.extensions
        assert VALUE in greased.proposals
        world.clients[name] = replace(world.client(name), capabilities=greased)
    world.found("a")
    world.add("a", "b")
    return world


def test_a_grease_proposal_is_not_sent(world: World) -> None:
    with refused(rules.PROPOSAL_TYPE_IS_SUPPORTED_BY_ALL):
        propose(world.states["a"], world.environment, UnknownProposal(VALUE, b""))
    with refused(rules.PROPOSAL_TYPE_IS_SUPPORTED_BY_ALL):
        commit(world.states["a"], world.environment, now=world.now, proposals=[UnknownProposal(VALUE, b"")])


def test_a_grease_extension_does_not_enter_the_group_context(world: World) -> None:
    extensions = (Extension(VALUE, b""),)
    with refused(rules.GROUP_EXTENSIONS_ARE_SUPPORTED_BY_ALL):
        commit(world.states["a"], world.environment, now=world.now, proposals=[GroupContextExtensions(extensions)])
    with refused(rules.NEW_GROUP_EXTENSIONS_ARE_SUPPORTED):
        create_group(world.client("a"), world.environment, group_id=GROUP_ID, lifetime=LIFETIME, extensions=extensions)


def test_grease_in_capabilities_is_ignored(world: World) -> None:
    world.add("b", "c")
    assert VALUE not in world.states["c"].public.tree.census.common_extensions

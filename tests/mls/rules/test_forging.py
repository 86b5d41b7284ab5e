"""Forged messages are right in all that is not altered: without alterations, everyone takes them.

So where a test sees one refused, it is for what was altered.
"""

from __future__ import annotations

import pytest

from mls.group.external import join_externally
from mls.group.joining import join
from mls.group.processing import process
from mls.group.received import ApplicationMessage, Committed, ProposalReceived
from mls.registry import WireFormat
from mls.wire.framing import ApplicationData, NewMemberProposal
from mls.wire.proposals import Add, Remove
from tests.mls.rules.forging import (
    Path,
    forged_commit,
    forged_external_commit,
    forged_group_info,
    forged_key_package,
    forged_update,
    forged_welcome,
    private,
    public,
    signed,
)
from tests.mls.world import World

BOTH_FORMATS = pytest.mark.parametrize("wire_format", [WireFormat.PUBLIC_MESSAGE, WireFormat.PRIVATE_MESSAGE])
SUITES = pytest.mark.parametrize("suite", [1, 2, 4, 0x004D])


@SUITES
def test_messages_are_taken(suite: int) -> None:
    world = World.of("alice", "bob", "carol", suite=suite)
    alice = world.states["alice"]
    in_private = signed(alice, ApplicationData(b"hello"), wire_format=WireFormat.PRIVATE_MESSAGE)
    for message in (private(alice, in_private), private(alice, in_private, generation=7, padding=bytes(9))):
        assert isinstance(world.process("bob", message), ApplicationMessage)
    assert isinstance(world.process("bob", public(alice, signed(alice, Remove(2)))), ProposalReceived)
    update = forged_update(alice, world.environment)
    assert isinstance(world.process("bob", public(alice, signed(alice, update))), ProposalReceived)


def test_messages_from_outside_are_taken() -> None:
    world = World.of("alice", "bob")
    alice = world.states["alice"]
    bundle = world.key_package("carol")
    add = Add(bundle.key_package)
    message = signed(alice, add, sender=NewMemberProposal(), key=bundle.signature_key)
    assert isinstance(world.process("bob", public(alice, message)), ProposalReceived)


@SUITES
@BOTH_FORMATS
def test_commits_are_taken(suite: int, wire_format: WireFormat) -> None:
    world = World.of("alice", "bob", "carol", "dave", "erin", suite=suite)
    world.commit("erin")
    alice = world.states["alice"]
    add = Add(forged_key_package(world.key_package("frank"), leaf={"extensions": ()}).key_package)
    for path in (Path(), Path(first_secret=bytes(alice.suite.Nh - 1) + b"1"), None):
        proposals = [add] if path is None else [add, Remove(3)]
        commit = forged_commit(alice, world.environment, *proposals, path=path, wire_format=wire_format)
        received = process(world.states["bob"], world.environment, commit.sent_by(alice), now=world.now)
        assert isinstance(received.output, Committed)
        assert received.state.public == commit.keys.public


@SUITES
def test_external_commits_are_taken(suite: int) -> None:
    world = World.of("alice", "bob", "carol", suite=suite)
    alice = world.states["alice"]
    commit = forged_external_commit(alice, world.client("dave"), world.environment)
    received = world.deliver(commit.sent_by(alice))
    assert all(isinstance(item, Committed) for item in received.values())
    assert world.states["bob"].public == commit.keys.public


@SUITES
def test_joiners_are_taken_in(suite: int) -> None:
    world = World.of("alice", "bob", "carol", suite=suite)
    alice, bundle = world.states["alice"], world.key_package("dave")
    joined = join(world.environment, forged_welcome(alice, bundle, world.environment), [bundle])
    assert joined.state.own_leaf == 3
    outside = join_externally(world.client("erin"), world.environment, forged_group_info(alice))
    world.deliver(outside.output.message)

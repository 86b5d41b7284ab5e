"""Section 12.4: Commits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mls import rules
from mls.errors import UsageError
from mls.group.committing import CommitOptions, commit
from mls.group.messaging import propose, protect
from mls.group.processing import process
from mls.group.received import Committed
from mls.group.state import Status
from mls.registry import MLS10, WireFormat
from mls.tree.math import LeafIndex
from mls.tree.private_tree import PrivateTree
from mls.tree.treekem import derive_path
from mls.wire.proposals import GroupContextExtensions, ReInit, Remove, UnknownProposal
from tests.mls.rules.doors import assert_goes_on, refused_by
from tests.mls.rules.forging import Path, forged_commit, forged_external_commit, public, signed
from tests.mls.rules.forging_groups import UNKNOWN_TYPE, update_to_all, world_where
from tests.mls.rules.support import breaks, refused
from tests.mls.world import World, fingerprint

if TYPE_CHECKING:
    from mls.group.environment import Proposed
    from mls.wire.message import MLSMessage
    from mls.wire.proposals import AnyProposal


# 12.4: what a Commit holds


@breaks(rules.PROPOSAL_IS_KNOWN)
def test_proposal_is_known() -> None:
    world = World.of("a", "b", "c", "d")
    proposal = world.adopt("c", propose(world.states["c"], world.environment, Remove(3)))
    world.deliver(proposal, to=["a", "c"])
    made = commit(world.states["a"], world.environment, now=world.now)
    before = fingerprint(world.states["b"])
    with refused(rules.PROPOSAL_IS_KNOWN):
        process(world.states["b"], world.environment, made.output.message, now=world.now)
    assert fingerprint(world.states["b"]) == before
    world.process("b", proposal)
    world.adopt("a", made)
    world.deliver(made.output.message, to=["a", "b", "c"])
    del world.states["d"]
    assert_goes_on(world, "b")


@breaks(rules.PATH_IS_PRESENT_WHEN_REQUIRED)
def test_path_is_present_when_required__by_proposals() -> None:
    world = world_where("a", "b", "c", others=[])
    requiring: list[AnyProposal] = [GroupContextExtensions(()), UnknownProposal(UNKNOWN_TYPE, b""), Remove(2)]
    for proposal in requiring:
        refuse_without_path(world, proposal)
        honest = commit(
            world.states["a"],
            world.environment,
            now=world.now,
            proposals=[proposal],
            options=CommitOptions(with_path=False),
        )
        taken = process(world.states["b"], world.environment, honest.output.message, now=world.now)
        assert isinstance(taken.output, Committed)


@breaks(rules.PATH_IS_PRESENT_WHEN_REQUIRED)
def test_path_is_present_when_required__by_an_update() -> None:
    world = World.of("a", "b", "c")
    refuse_without_path(world, update_to_all(world, "c"))


@breaks(rules.PATH_IS_PRESENT_WHEN_REQUIRED)
def test_path_is_present_when_required__by_an_empty_list() -> None:
    refuse_without_path(World.of("a", "b", "c"))


def refuse_without_path(world: World, *proposals: AnyProposal | Proposed) -> None:
    author = world.states["a"]
    forged = forged_commit(author, world.environment, *proposals, path=None)
    refused_by(world, "b", rules.PATH_IS_PRESENT_WHEN_REQUIRED, forged.sent_by(author))


# 12.4.2: which Commits are taken, and when


@breaks(rules.COMMIT_EPOCH_IS_CURRENT)
def test_commit_epoch_is_current() -> None:
    for wire_format in (WireFormat.PUBLIC_MESSAGE, WireFormat.PRIVATE_MESSAGE):
        world = World.of("a", "b", "c")
        late = forged_commit(world.states["a"], world.environment, wire_format=wire_format)
        message = late.sent_by(world.states["a"])
        world.commit("c")
        refused_by(world, "b", rules.COMMIT_EPOCH_IS_CURRENT, message)


@breaks(rules.COMMIT_EPOCH_IS_CURRENT)
def test_commit_epoch_is_current__not_reached_yet() -> None:
    world = World.of("a", "b", "c")
    options = CommitOptions(wire_format=WireFormat.PUBLIC_MESSAGE)
    messages = []
    for _ in range(2):
        made = commit(world.states["a"], world.environment, now=world.now, options=options)
        messages.append(world.adopt("a", made).message)
        world.process("a", messages[-1])
    before = fingerprint(world.states["b"])
    with refused(rules.COMMIT_EPOCH_IS_CURRENT):
        process(world.states["b"], world.environment, messages[1], now=world.now)
    assert fingerprint(world.states["b"]) == before
    for message in messages:
        world.deliver(message, to=["b", "c"])
    assert_goes_on(world, "b")


@breaks(rules.COMMIT_EPOCH_IS_CURRENT)
def test_commit_epoch_is_current__twice() -> None:
    world = World.of("a", "b", "c")
    made = commit(world.states["a"], world.environment, now=world.now)
    world.adopt("a", made)
    world.deliver(made.output.message)
    for name in ("a", "b"):
        refused_by(world, name, rules.COMMIT_EPOCH_IS_CURRENT, made.output.message)


@breaks(rules.COMMIT_EPOCH_IS_CURRENT)
def test_commit_epoch_is_current__for_a_removed_member() -> None:
    world = World.of("a", "b", "c")
    other = forged_commit(world.states["a"], world.environment).sent_by(world.states["a"])
    world.commit("b", Remove(2))
    before = fingerprint(world.states["c"])
    with refused(rules.COMMIT_EPOCH_IS_CURRENT):
        process(world.states["c"], world.environment, other, now=world.now)
    assert fingerprint(world.states["c"]) == before


@breaks(rules.OWN_COMMIT_IS_PENDING)
def test_own_commit_is_pending() -> None:
    for wire_format in (WireFormat.PUBLIC_MESSAGE, WireFormat.PRIVATE_MESSAGE):
        world = World.of("a", "b", "c")
        # Made by a copy of the state that is gone: a backup was restored, say.
        forged = forged_commit(world.states["a"], world.environment, wire_format=wire_format)
        refused_by(world, "a", rules.OWN_COMMIT_IS_PENDING, forged.sent_by(world.states["a"]))


@breaks(rules.GROUP_IS_OPEN)
def test_group_is_open() -> None:
    world = World.of("a", "b", "c")
    world.commit("a", ReInit(b"next", MLS10, world.suite_number, ()))
    # "a" goes on as if nothing had been, and somebody outside does not know of it.
    ignorant = replace(world.states["a"], status=Status.ACTIVE)
    messages: list[MLSMessage] = [
        public(ignorant, signed(ignorant, Remove(2))),
        propose(ignorant, world.environment, Remove(2)).output,
        commit(ignorant, world.environment, now=world.now).output.message,
        forged_external_commit(ignorant, world.client("d"), world.environment).sent_by(ignorant),
    ]
    for message in messages:
        before = fingerprint(world.states["b"])
        with refused(rules.GROUP_IS_OPEN):
            process(world.states["b"], world.environment, message, now=world.now)
        assert fingerprint(world.states["b"]) == before
    for step in (
        lambda: commit(world.states["a"], world.environment, now=world.now),
        lambda: propose(world.states["a"], world.environment, Remove(2)),
        lambda: protect(world.states["a"], world.environment, b"too late"),
    ):
        with pytest.raises(UsageError):
            step()


# 12.4.2: the path's keys


@breaks(rules.COMMITTER_CHANGES_ENCRYPTION_KEY)
def test_committer_changes_encryption_key() -> None:
    world = World.of("a", "b", "c")
    author = world.states["a"]
    old = author.public.tree.leaf(0)
    assert old is not None
    same_key = Path(leaf=lambda leaf: leaf.replace(encryption_key=old.encryption_key))
    forged = forged_commit(author, world.environment, path=same_key)
    refused_by(world, "b", rules.COMMITTER_CHANGES_ENCRYPTION_KEY, forged.sent_by(author))


def refuse_path(world: World, path: Path) -> None:
    """See that "b" refuses a path by "a" for its keys."""
    author = world.states["a"]
    forged = forged_commit(author, world.environment, path=path)
    refused_by(world, "b", rules.PATH_KEYS_ARE_NEW, forged.sent_by(author))


@breaks(rules.PATH_KEYS_ARE_NEW)
def test_path_keys_are_new__in_the_tree() -> None:
    world = World.of("a", "b", "c")
    again = Path(first_secret=world.environment.random(world.suite.Nh))
    made = forged_commit(world.states["a"], world.environment, path=again).sent_by(world.states["a"])
    key = world.states.pop("a").signature_key
    world.deliver(made)
    # "a", in the new epoch, which only differs from "b" there in what it alone knows, uses the same secrets again.
    author = replace(world.states["b"], private_tree=PrivateTree(LeafIndex(0), {}), signature_key=key)
    forged = forged_commit(author, world.environment, path=again)
    refused_by(world, "b", rules.PATH_KEYS_ARE_NEW, forged.sent_by(author))


@breaks(rules.PATH_KEYS_ARE_NEW)
def test_path_keys_are_new__a_members() -> None:
    world = World.of("a", "b", "c")
    taken = world.states["c"].private_tree.leaf_key.public_key
    refuse_path(world, Path(public_keys=lambda keys: [taken, *keys[1:]]))


@breaks(rules.PATH_KEYS_ARE_NEW)
def test_path_keys_are_new__leaf_and_node() -> None:
    world = World.of("a", "b", "c")
    secret = world.environment.random(world.suite.Nh)
    node_key = derive_path(world.suite, secret, 1)[1][0].public_key
    path = Path(first_secret=secret, leaf=lambda leaf: leaf.replace(encryption_key=node_key))
    refuse_path(world, path)


@breaks(rules.PATH_KEYS_ARE_NEW)
def test_path_keys_are_new__two_nodes() -> None:
    world = World.of("a", "b", "c")
    refuse_path(world, Path(public_keys=lambda keys: [keys[0]] * len(keys)))

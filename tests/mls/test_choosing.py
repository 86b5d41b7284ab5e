"""Which of the received proposals a Commit takes, where its author leaves that to the engine, and where not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mls import rules
from mls.crypto.secret import Secret
from mls.errors import UsageError
from mls.group.committing import commit
from mls.group.creation import create_key_package
from mls.group.messaging import new_member_proposal
from mls.group.processing import process
from mls.group.received import Committed
from mls.group.state import Status
from mls.registry import MLS10, ExtensionType
from mls.wire.extensions import Extension, RequiredCapabilities, pack_extension
from mls.wire.leaf_node import Lifetime
from mls.wire.proposals import (
    Add,
    GroupContextExtensions,
    PreSharedKey,
    ReInit,
    Remove,
)
from mls.wire.psk import ExternalPSK, PreSharedKeyID
from tests.mls.journey import post, talk
from tests.mls.rules.support import refused
from tests.mls.world import NOW, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from mls.wire.proposals import AnyProposal
from tests.mls.proposing import post_leave, post_unchecked, post_update

REINIT = ReInit(b"next", MLS10, 1, ())


def choice(world: World, by: str, *by_value: AnyProposal) -> list[bytes | None]:
    """Return the references of what a member commits by itself; the others follow."""
    made = commit(world.states[by], world.environment, now=world.now, proposals=by_value)
    chosen = made.output.pending.next_epoch.committed.proposals
    assert [item.proposal for item in chosen[: len(by_value)]] == list(by_value)
    for name, state in world.states.items():
        if name != by:
            found = process(state, world.environment, made.output.message.encode(), now=world.now).output
            assert isinstance(found, Committed)
            assert found.proposals == chosen
    return [item.reference for item in chosen[len(by_value) :]]


# Conflicts


def test_the_newest_update_of_a_member() -> None:
    world = World.of("alice", "bob", "carol")
    references = [post_update(world, "bob") for _ in range(3)]
    others = post_update(world, "carol")
    assert choice(world, "alice") == [references[-1], others]


def test_a_removal_before_an_update() -> None:
    for removal_first in (True, False):
        world = World.of("alice", "bob", "carol")
        steps: list[Callable[[World], bytes]] = [
            lambda world: post(world, "carol", Remove(1)),
            lambda world: post_update(world, "bob"),
        ]
        references = [step(world) for step in (steps if removal_first else reversed(steps))]
        assert choice(world, "alice") == [references[0 if removal_first else 1]]


def test_leaving_before_being_removed() -> None:
    for leaving_first in (True, False):
        world = World.of("alice", "bob", "carol")
        steps: list[Callable[[World], bytes]] = [
            lambda world: post_leave(world, "bob"),
            lambda world: post(world, "carol", Remove(1)),
            lambda world: post_update(world, "bob"),
        ]
        references = [step(world) for step in (steps if leaving_first else reversed(steps))]
        assert choice(world, "alice") == [references[0 if leaving_first else 2]]


def test_the_first_of_two_removals() -> None:
    world = World.of("alice", "bob", "carol", "dave")
    first = post(world, "carol", Remove(1))
    post(world, "dave", Remove(1))
    assert choice(world, "alice") == [first]


def test_nothing_about_the_committer() -> None:
    world = World.of("alice", "bob", "carol")
    post_update(world, "alice")
    post(world, "bob", Remove(0))
    post_leave(world, "alice")
    about_bob = post_update(world, "bob")
    assert choice(world, "alice") == [about_bob]
    assert len(choice(world, "carol")) == 2, "carol takes bob's Update and lets alice go"


def test_a_reinit_only_alone() -> None:
    world = World.of("alice", "bob", "carol")
    reinit = post(world, "bob", REINIT)
    post(world, "carol", REINIT.replace(group_id=b"another"))
    assert choice(world, "alice") == [reinit]
    update = post_update(world, "bob")
    assert choice(world, "alice") == [update]
    assert choice(world, "alice", Remove(2)) == [update]
    assert choice(world, "carol", REINIT) == [], "what the caller wants goes first"


def test_with_an_own_reinit_nothing_else_goes() -> None:
    world = World.of("alice", "bob")
    post_update(world, "bob")
    assert choice(world, "alice", REINIT) == []


def test_one_of_several_extensions() -> None:
    world = World.of("alice", "bob", "carol")
    first, second = (
        post(world, "bob", GroupContextExtensions(extensions))
        for extensions in ((), (pack_extension(RequiredCapabilities((), (), (1,))),))
    )
    assert first != second
    update = post_update(world, "bob")
    assert choice(world, "alice") == [first, update]
    assert choice(world, "alice", GroupContextExtensions(())) == [update]


def test_a_client_is_added_once() -> None:
    world = World.of("alice", "bob", "carol")
    bundle = world.key_package("dave")
    first = post(world, "bob", Add(bundle.key_package))
    post(world, "carol", Add(bundle.key_package))
    assert choice(world, "alice") == [first]
    assert choice(world, "alice", Add(world.key_package("dave").key_package)) == []


def test_a_psk_goes_in_once() -> None:
    world = World.of("alice", "bob", "carol")
    world.set(psks={b"psk": Secret(b"x")})
    psk = PreSharedKey(PreSharedKeyID(ExternalPSK(b"psk"), bytes(32)))
    first = post(world, "bob", psk)
    post(world, "carol", psk)
    assert choice(world, "alice") == [first]


def test_what_the_caller_wants_goes_before_what_was_received() -> None:
    world = World.of("alice", "bob", "carol")
    post_update(world, "bob")
    other = post_update(world, "carol")
    assert choice(world, "alice", Remove(1)) == [other]
    post(world, "carol", Remove(1))
    assert choice(world, "alice", Remove(1)) == [other]


def test_what_the_caller_wants_must_be_valid() -> None:
    world = World.of("alice", "bob", "carol")
    post_update(world, "bob")
    with refused(rules.REMOVED_LEAF_IS_A_MEMBER):
        choice(world, "alice", Remove(7))
    with refused(rules.ONE_CHANGE_PER_LEAF):
        choice(world, "alice", Remove(1), Remove(1))


# What is not valid does not keep the rest from being committed


def _expired(world: World) -> AnyProposal:
    lifetime = Lifetime(NOW - 100, NOW - 1)
    return Add(create_key_package(world.client("dave"), world.environment, lifetime=lifetime).key_package)


BAD_ONES: dict[str, Callable[[World], AnyProposal]] = {
    "Remove of nobody": lambda _: Remove(77),
    "required capabilities cut short": lambda _: GroupContextExtensions(
        (Extension(ExtensionType.REQUIRED_CAPABILITIES, b"\x05"),)
    ),
    "external senders cut short": lambda _: GroupContextExtensions(
        (Extension(ExtensionType.EXTERNAL_SENDERS, b"\x05"),)
    ),
    "Add of a member": lambda world: Add(world.key_package("bob").key_package),
    "Add of the expired": _expired,
    "Add of another suite": lambda _: Add(World(2).key_package("dave").key_package),
    "PSK unknown": lambda _: PreSharedKey(PreSharedKeyID(ExternalPSK(b"?"), bytes(32))),
    "PSK with a short nonce": lambda _: PreSharedKey(PreSharedKeyID(ExternalPSK(b"psk"), b"")),
    "extensions unsupported": lambda _: GroupContextExtensions((Extension(0xF001, b""),)),
    "extensions twice": lambda _: GroupContextExtensions((Extension(1, b""), Extension(1, b""))),
    "ReInit to an old version": lambda _: REINIT.replace(version=0),
}


@pytest.mark.parametrize("bad", BAD_ONES)
def test_what_is_not_valid_does_not_block(bad: str) -> None:
    world = World.of("alice", "bob", "carol")
    world.set(psks={b"psk": Secret(b"x")})
    proposal = BAD_ONES[bad](world)
    before = post_update(world, "bob")
    post_unchecked(world, "bob", proposal)
    after = post_leave(world, "carol")
    assert choice(world, "alice") == [before, after]


@pytest.mark.parametrize("bad", BAD_ONES)
def test_what_is_not_valid_alone_leaves_an_empty_commit(bad: str) -> None:
    world = World.of("alice", "bob", "carol")
    world.set(psks={b"psk": Secret(b"x")})
    post_unchecked(world, "bob", BAD_ONES[bad](world))
    assert choice(world, "alice") == []


def test_a_new_member_s_forged_proposal_does_not_block() -> None:
    world = World.of("alice", "bob")
    bundle = world.key_package("carol")
    bad = bundle.key_package.replace(signature=b"")
    message = new_member_proposal(world.states["alice"].public.context, bundle.signature_key, bad)
    world.deliver(message)
    assert choice(world, "alice") == []


# Explicit references


def test_references_pick() -> None:
    world = World.of("alice", "bob", "carol", "dave")
    references = [post_update(world, name) for name in ("bob", "carol", "dave")]
    received = world.commit("alice", references=[references[2], references[0]])["bob"]
    assert isinstance(received, Committed)
    assert [item.reference for item in received.proposals] == [references[2], references[0]]
    talk(world)


def test_no_references_pick_nothing() -> None:
    world = World.of("alice", "bob")
    post_update(world, "bob")
    received = world.commit("alice", references=())["bob"]
    assert isinstance(received, Committed)
    assert received.proposals == ()


def test_unknown_references() -> None:
    world = World.of("alice", "bob")
    reference = post_update(world, "bob")
    with pytest.raises(UsageError, match="no such proposal was received in this epoch: 756e6b6e6f776e"):
        commit(world.states["alice"], world.environment, now=world.now, references=[reference, b"unknown"])
    world.commit("alice")
    with pytest.raises(UsageError, match=reference.hex()):
        commit(world.states["alice"], world.environment, now=world.now, references=[reference])


def test_references_to_what_is_not_valid_are_refused() -> None:
    world = World.of("alice", "bob", "carol")
    references = [post_update(world, "bob"), post_update(world, "bob")]
    with refused(rules.ONE_CHANGE_PER_LEAF):
        commit(world.states["alice"], world.environment, now=world.now, references=references)
    reference = post(world, "bob", Remove(55))
    with refused(rules.REMOVED_LEAF_IS_A_MEMBER):
        commit(world.states["alice"], world.environment, now=world.now, references=[reference])


def test_a_client_that_is_removed_can_be_added_in_the_same_commit() -> None:
    world = World.of("alice", "bob", "carol")
    bundle = world.key_package("bob")
    gone = world.states["bob"]
    made = commit(
        world.states["alice"], world.environment, now=world.now, proposals=[Remove(1), Add(bundle.key_package)]
    )
    assert process(gone, world.environment, made.output.message, now=world.now).state.status is Status.REMOVED
    del world.states["bob"]
    world.commit("alice", Remove(1), Add(bundle.key_package), joiners=[("bob", bundle)])
    assert world.leaf("bob") == 1
    talk(world)

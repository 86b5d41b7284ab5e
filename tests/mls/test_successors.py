"""Groups that follow on another: branches, and what comes after a ReInit.

In every cipher suite, with each way to send a handshake.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mls.crypto.secret import Secret
from mls.crypto.suite import CIPHER_SUITES
from mls.errors import UsageError
from mls.group.joining import join
from mls.group.messaging import protect
from mls.group.received import Committed
from mls.group.successors import branch, reinitialize
from mls.registry import MLS10, CredentialType, ProposalType, ResumptionPSKUsage
from mls.wire.extensions import (
    Extension,
    ExternalSenders,
    RequiredCapabilities,
    pack_extension,
)
from mls.wire.proposals import PreSharedKey, ReInit
from mls.wire.psk import PreSharedKeyID, ResumptionPSK
from tests.mls.journey import post, talk
from tests.mls.variants import Variant, in_all_variants
from tests.mls.world import GROUP_ID, LIFETIME, World

if TYPE_CHECKING:
    from mls.group.creation import KeyPackageBundle
    from mls.group.state import GroupState


def follow(
    old: dict[str, GroupState], world: World, made_by: str, others: dict[str, KeyPackageBundle], message: bytes
) -> None:
    """Let the maker of a new group put its first Commit into effect, and all others join, each from its old state."""
    welcome = next(iter(world.deliver(message, to=[made_by]).values()))
    assert isinstance(welcome, Committed)
    assert welcome.welcome is not None
    for name, bundle in others.items():
        joined = join(world.environment, welcome.welcome.encode(), [bundle], previous=old[name], groups=[GROUP_ID])
        world.adopt(name, joined)
    world.check_agreement()
    assert all(state.epoch == 1 for state in world.states.values())
    talk(world)


@in_all_variants
def test_branch(variant: Variant) -> None:
    required = pack_extension(RequiredCapabilities((), (), (CredentialType.BASIC,)))
    world = variant.world("alice", "bob", "carol", "dave", extensions=(required,))
    new = World(variant.suite, seed=2)
    bundles = {name: world.key_package(name) for name in ("alice", "dave")}
    packages = [bundle.key_package for bundle in bundles.values()]
    made = branch(
        world.states["bob"],
        world.client("bob"),
        new.environment,
        packages,
        group_id=b"two of four",
        lifetime=LIFETIME,
        now=world.now,
        options=replace(variant.options, welcome_with_tree=True),
    )
    output = new.adopt("bob", made)
    follow(world.states, new, "bob", bundles, output.message.encode())
    assert new.states["dave"].public.context.extensions == (required,)
    assert new.states["dave"].group_id == b"two of four"
    talk(world)


@in_all_variants
@pytest.mark.parametrize("change_suite", [False, True], ids=["same suite", "other suite"])
def test_reinit(variant: Variant, change_suite: bool) -> None:  # noqa: FBT001 - a parameter
    world = variant.world("alice", "bob", "carol")
    suite = min(CIPHER_SUITES.keys() - {variant.suite}) if change_suite else variant.suite
    extensions = (pack_extension(RequiredCapabilities((), (ProposalType.SELF_REMOVE,), ())),)
    post(world, "carol", ReInit(b"the next group", MLS10, suite, extensions), wire_format=variant.wire_format)
    received = world.commit("bob", options=variant.options)["alice"]
    assert isinstance(received, Committed)
    assert received.reinit == world.states["alice"].reinit
    with pytest.raises(UsageError, match="closed by a ReInit"):
        protect(world.states["alice"], world.environment, b"one more thing")
    new = World(suite, seed=2)
    bundles = {name: new.key_package(name) for name in ("alice", "bob")}
    made = reinitialize(
        world.states["carol"],
        new.client("carol"),
        new.environment,
        [bundle.key_package for bundle in bundles.values()],
        lifetime=LIFETIME,
        now=world.now,
        options=replace(variant.options, welcome_with_tree=True),
    )
    output = new.adopt("carol", made)
    follow(world.states, new, "carol", bundles, output.message.encode())
    context = new.states["alice"].public.context
    assert (context.group_id, context.cipher_suite, context.extensions) == (b"the next group", suite, extensions)


@pytest.mark.parametrize("extensions", [(), (pack_extension(RequiredCapabilities((), (), (1,))),)], ids=["none", "one"])
def test_a_branch_with_extensions_of_its_own(extensions: tuple[Extension, ...]) -> None:
    world = World(1)
    world.found("alice", extensions=(pack_extension(ExternalSenders(())),))
    world.add("alice", "bob")
    new = World(seed=2)
    bundle = world.key_package("bob")
    made = branch(
        world.states["alice"], world.client("alice"), new.environment, [bundle.key_package],
        group_id=b"new", lifetime=LIFETIME, now=world.now, extensions=extensions,
    )  # fmt: skip
    output = new.adopt("alice", made)
    follow(world.states, new, "alice", {"bob": bundle}, output.message.encode())
    assert new.states["bob"].public.context.extensions == extensions
    talk(new)


def test_a_successor_may_have_psks_of_other_groups_too() -> None:
    world = World.of("alice", "bob")
    keys = {(b"another group", 7): Secret(b"of another group")}
    new = World(seed=2)
    new.set(resumption_keys=lambda group_id, epoch: keys.get((group_id, epoch)))
    bundle = world.key_package("bob")
    made = branch(
        world.states["alice"], world.client("alice"), new.environment, [bundle.key_package],
        group_id=b"new", lifetime=LIFETIME, now=world.now,
    )  # fmt: skip
    output = new.adopt("alice", made)
    follow(world.states, new, "alice", {"bob": bundle}, output.message.encode())
    other = PreSharedKeyID(ResumptionPSK(ResumptionPSKUsage.APPLICATION, b"another group", 7), bytes(32))
    new.commit("bob", PreSharedKey(other))
    talk(new)


def test_a_successor_that_cannot_be_made() -> None:
    world = World.of("alice", "bob")
    state, env = world.states["alice"], world.environment
    other = World(2).client("alice")
    with pytest.raises(UsageError, match="cipher suite"):
        branch(state, other, env, [], group_id=b"new", lifetime=LIFETIME, now=world.now)
    with pytest.raises(UsageError, match="not closed by a ReInit"):
        reinitialize(state, world.client("alice"), env, [], lifetime=LIFETIME, now=world.now)
    world.commit("alice", ReInit(b"new", MLS10, 2, ()))
    with pytest.raises(UsageError, match="cipher suite 2"):
        reinitialize(world.states["alice"], world.client("alice"), env, [], lifetime=LIFETIME, now=world.now)

"""Sections 10 and 11: KeyPackages, and groups that follow on others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mls import rules
from mls.crypto.suite import CIPHER_SUITES
from mls.group.creation import create_key_package, default_capabilities
from mls.group.joining import join
from mls.group.messaging import propose_add
from mls.group.successors import branch, reinitialize
from mls.registry import MLS10, ResumptionPSKUsage
from mls.wire.extensions import Extension, RequiredCapabilities, pack_extension
from mls.wire.proposals import Add, ReInit
from tests.mls.rules.forging import dishonest, forged_key_package
from tests.mls.rules.forging_groups import (
    GREASED,
    UNKNOWN_TYPE,
    capable,
    pretend_to_support_grease,
    proposals_are_refused,
    resumption_psk,
    successor,
)
from tests.mls.rules.support import breaks, refused
from tests.mls.world import LIFETIME, World

if TYPE_CHECKING:
    from mls.group.creation import KeyPackageBundle
    from mls.wire.message import MLSMessage

OTHER_SUITE = CIPHER_SUITES[3]
"""It has the KEM and the signatures of suite 1: nothing but its number keeps its keys apart."""


# 10: KeyPackages


@breaks(rules.INIT_KEY_IS_WELL_FORMED)
def test_init_key_is_well_formed() -> None:
    world = World.of("a", "b", "c")
    forged = forged_key_package(world.key_package("d"), init_key=bytes(31))
    proposals_are_refused(world, rules.INIT_KEY_IS_WELL_FORMED, Add(forged.key_package))


@breaks(rules.KEY_PACKAGE_EXTENSIONS_ARE_IN_CAPABILITIES)
def test_key_package_extensions_are_in_capabilities() -> None:
    world = World.of("a", "b", "c")
    forged = forged_key_package(world.key_package("d"), extensions=(Extension(UNKNOWN_TYPE, b""),))
    proposals_are_refused(world, rules.KEY_PACKAGE_EXTENSIONS_ARE_IN_CAPABILITIES, Add(forged.key_package))


@breaks(rules.KEY_PACKAGE_VERSION_MATCHES)
def test_key_package_version_matches() -> None:
    world = World.of("a", "b", "c")
    forged = forged_key_package(world.key_package("d"), version=MLS10 + 1)
    proposals_are_refused(world, rules.KEY_PACKAGE_VERSION_MATCHES, Add(forged.key_package))


@breaks(rules.KEY_PACKAGE_SUITE_MATCHES)
def test_key_package_suite_matches() -> None:
    world = World.of("a", "b", "c")
    client = replace(world.client("d"), suite=OTHER_SUITE)
    other = create_key_package(client, world.environment, lifetime=LIFETIME)
    proposals_are_refused(world, rules.KEY_PACKAGE_SUITE_MATCHES, Add(other.key_package))


@breaks(rules.KEY_PACKAGE_SIGNATURE_IS_VALID)
def test_key_package_signature_is_valid() -> None:
    world = World.of("a", "b", "c")
    bundle, other = world.key_package("d"), world.key_package("d")
    forged = forged_key_package(bundle, signature=other.key_package.signature)
    proposals_are_refused(world, rules.KEY_PACKAGE_SIGNATURE_IS_VALID, Add(forged.key_package))
    with refused(rules.KEY_PACKAGE_SIGNATURE_IS_VALID):
        propose_add(world.states["a"], world.environment, forged.key_package, now=world.now)


@breaks(rules.INIT_KEY_DIFFERS_FROM_ENCRYPTION_KEY)
def test_init_key_differs_from_encryption_key() -> None:
    world = World.of("a", "b", "c")
    bundle = world.key_package("d")
    forged = forged_key_package(bundle, init_key=bundle.encryption_key.public_key)
    proposals_are_refused(world, rules.INIT_KEY_DIFFERS_FROM_ENCRYPTION_KEY, Add(forged.key_package))


@breaks(rules.LIFETIME_IS_CURRENT)
def test_lifetime_is_current__when_proposed() -> None:
    world = World.of("a", "b")
    bundle = world.key_package("c")
    with refused(rules.LIFETIME_IS_CURRENT):
        propose_add(world.states["a"], world.environment, bundle.key_package, now=LIFETIME.not_after + 1)
    propose_add(world.states["a"], world.environment, bundle.key_package, now=LIFETIME.not_after)


# 11: groups


@breaks(rules.NEW_GROUP_EXTENSIONS_ARE_SUPPORTED)
def test_new_group_extensions_are_supported() -> None:
    world = World()
    extensions = (Extension(UNKNOWN_TYPE, b""),)
    with refused(rules.NEW_GROUP_EXTENSIONS_ARE_SUPPORTED):
        world.found("a", extensions=extensions)
    capable(world, "a")
    assert world.found("a", extensions=extensions).public.context.extensions == extensions


@breaks(rules.NEW_GROUP_EXTENSIONS_ARE_SUPPORTED)
def test_new_group_extensions_are_supported__but_for_grease() -> None:
    world = World()
    pretend_to_support_grease(world, "a")
    with refused(rules.NEW_GROUP_EXTENSIONS_ARE_SUPPORTED):
        world.found("a", extensions=(Extension(GREASED, b""),))


@breaks(rules.LEAF_SUPPORTS_REQUIRED_CAPABILITIES)
def test_leaf_supports_required_capabilities__of_a_new_group() -> None:
    world = World()
    required = (pack_extension(RequiredCapabilities((), (UNKNOWN_TYPE,), ())),)
    with refused(rules.LEAF_SUPPORTS_REQUIRED_CAPABILITIES):
        world.found("a", extensions=required)
    capable(world, "a")
    assert world.found("a", extensions=required).public.context.extensions == required


@breaks(rules.BRANCH_PARAMETERS_MATCH)
def test_branch_parameters_match() -> None:
    world = World.of("a", "b")
    usage = ResumptionPSKUsage.BRANCH
    weaker = {
        name: replace(world.client(name), suite=OTHER_SUITE, capabilities=default_capabilities([OTHER_SUITE.number]))
        for name in "ab"
    }
    bundle = create_key_package(weaker["b"], world.environment, lifetime=LIFETIME)
    psk = resumption_psk(world, usage, world.states["a"])
    welcome = successor(world, weaker["a"], Add(bundle.key_package), psk, usage=usage, group_id=b"branch")
    with refused(rules.BRANCH_PARAMETERS_MATCH):
        join(world.environment, welcome.encode(), [bundle], previous=world.states["b"])


@breaks(rules.BRANCH_MEMBERS_ARE_A_SUBSET)
def test_branch_members_are_a_subset() -> None:
    world = World.of("a", "b", "c")
    bundle, stranger = world.key_package("b"), world.key_package("stranger")

    def branch_of(*members: KeyPackageBundle) -> MLSMessage:
        made = branch(
            world.states["a"],
            world.client("a"),
            world.environment,
            [member.key_package for member in members],
            group_id=b"branch",
            lifetime=LIFETIME,
            now=world.now,
        )
        assert made.output.pending.welcome is not None
        return made.output.pending.welcome

    with dishonest(rules.BRANCH_MEMBERS_ARE_A_SUBSET):
        forged = branch_of(bundle, stranger)
    with refused(rules.BRANCH_MEMBERS_ARE_A_SUBSET):
        join(world.environment, forged.encode(), [bundle], previous=world.states["b"])
    with refused(rules.BRANCH_MEMBERS_ARE_A_SUBSET):
        branch_of(bundle, stranger)
    join(world.environment, branch_of(bundle).encode(), [bundle], previous=world.states["b"])


def closed_group(*names: str, version: int = MLS10, suite: int = 1) -> World:
    """Return a world whose group was closed by a ReInit, in favour of one called `b"next"`."""
    world = World.of(*names)
    world.commit(names[0], ReInit(b"next", version, suite, ()))
    return world


def refuse_successor(world: World, *, group_id: bytes = b"next", extensions: tuple[Extension, ...] = ()) -> None:
    """See that "b" refuses a new group that is not what the ReInit says, though "a" has made it."""
    bundle, usage = world.key_package("b"), ResumptionPSKUsage.REINIT
    add, psk = Add(bundle.key_package), resumption_psk(world, usage, world.states["a"])
    welcome = successor(world, world.client("a"), add, psk, usage=usage, group_id=group_id, extensions=extensions)
    with refused(rules.REINIT_PARAMETERS_MATCH):
        join(world.environment, welcome.encode(), [bundle], previous=world.states["b"])


@breaks(rules.REINIT_PARAMETERS_MATCH)
def test_reinit_parameters_match__group_id() -> None:
    refuse_successor(closed_group("a", "b"), group_id=b"another")


@breaks(rules.REINIT_PARAMETERS_MATCH)
def test_reinit_parameters_match__extensions() -> None:
    world = closed_group("a", "b")
    capable(world, "a", "b")
    refuse_successor(world, extensions=(Extension(UNKNOWN_TYPE, b""),))


@breaks(rules.REINIT_PARAMETERS_MATCH)
def test_reinit_parameters_match__version() -> None:
    refuse_successor(closed_group("a", "b", version=MLS10 + 1))


@breaks(rules.REINIT_PARAMETERS_MATCH)
def test_reinit_parameters_match__cipher_suite() -> None:
    refuse_successor(closed_group("a", "b", suite=OTHER_SUITE.number))


@breaks(rules.REINIT_KEEPS_MEMBERS)
def test_reinit_keeps_members() -> None:
    world = closed_group("a", "b", "c")
    bundles = {name: world.key_package(name) for name in "bc"}

    def next_group_of(names: str) -> MLSMessage:
        made = reinitialize(
            world.states["a"],
            world.client("a"),
            world.environment,
            [bundles[name].key_package for name in names],
            lifetime=LIFETIME,
            now=world.now,
        )
        assert made.output.pending.welcome is not None
        return made.output.pending.welcome

    with dishonest(rules.REINIT_KEEPS_MEMBERS):
        forged = next_group_of("b")
    with refused(rules.REINIT_KEEPS_MEMBERS):
        join(world.environment, forged.encode(), [bundles["b"]], previous=world.states["b"])
    with refused(rules.REINIT_KEEPS_MEMBERS):
        next_group_of("b")
    join(world.environment, next_group_of("bc").encode(), [bundles["b"]], previous=world.states["b"])

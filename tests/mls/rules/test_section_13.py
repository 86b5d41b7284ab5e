"""Section 13: extensions."""

from __future__ import annotations

from dataclasses import replace

from mls import rules
from mls.group.committing import CommitOptions, commit
from mls.group.creation import create_key_package, default_capabilities
from mls.group.group_info import group_info as honest_group_info
from mls.group.joining import join
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import propose_add, propose_update
from mls.registry import MLS10
from mls.wire.extensions import Extension
from mls.wire.group_context import GroupContext
from mls.wire.proposals import Add, GroupContextExtensions, ReInit
from mls.wire.welcome import GroupInfo
from tests.mls.rules.doors import refused_by
from tests.mls.rules.forging import (
    Path,
    dishonest,
    forged_commit,
    forged_group_info,
    forged_key_package,
    forged_welcome,
)
from tests.mls.rules.forging_groups import (
    GREASED,
    UNKNOWN_TYPE,
    capable,
    newcomer_refuses,
    outsider_refuses,
    pretend_to_support_grease,
    proposals_are_refused,
    update_to_all,
    welcome_to,
    world_where,
)
from tests.mls.rules.support import breaks, refused
from tests.mls.world import LIFETIME, World

EXTENSION = Extension(UNKNOWN_TYPE, b"")
TWICE = (EXTENSION, EXTENSION.replace(extension_data=b"again"))


# One of each type


@breaks(rules.EXTENSION_TYPES_ARE_UNIQUE)
def test_extension_types_are_unique__in_a_new_group() -> None:
    world = world_where("a", others=[])
    with refused(rules.EXTENSION_TYPES_ARE_UNIQUE):
        world.found("a", extensions=TWICE)


@breaks(rules.EXTENSION_TYPES_ARE_UNIQUE)
def test_extension_types_are_unique__in_the_group_context() -> None:
    world = world_where("a", "b", others=[])
    proposals_are_refused(world, rules.EXTENSION_TYPES_ARE_UNIQUE, GroupContextExtensions(TWICE))


@breaks(rules.EXTENSION_TYPES_ARE_UNIQUE)
def test_extension_types_are_unique__in_a_reinit() -> None:
    world = World.of("a", "b")
    proposals_are_refused(world, rules.EXTENSION_TYPES_ARE_UNIQUE, ReInit(b"next", MLS10, 1, TWICE))


@breaks(rules.EXTENSION_TYPES_ARE_UNIQUE)
def test_extension_types_are_unique__in_a_key_package() -> None:
    world = world_where("a", "b", others=[])
    capable(world, "c")
    forged = forged_key_package(world.key_package("c"), extensions=TWICE)
    proposals_are_refused(world, rules.EXTENSION_TYPES_ARE_UNIQUE, Add(forged.key_package))
    with refused(rules.EXTENSION_TYPES_ARE_UNIQUE):
        create_key_package(world.client("c"), world.environment, lifetime=LIFETIME, extensions=TWICE)


@breaks(rules.EXTENSION_TYPES_ARE_UNIQUE)
def test_extension_types_are_unique__in_an_added_leaf() -> None:
    world = world_where("a", "b", others=[])
    supporting = world.client("a").capabilities
    forged = forged_key_package(world.key_package("c"), leaf={"extensions": TWICE, "capabilities": supporting})
    proposals_are_refused(world, rules.EXTENSION_TYPES_ARE_UNIQUE, Add(forged.key_package))


@breaks(rules.EXTENSION_TYPES_ARE_UNIQUE)
def test_extension_types_are_unique__in_an_update() -> None:
    world = world_where("a", "b", "c", others=[])
    with dishonest(rules.EXTENSION_TYPES_ARE_UNIQUE):
        proposed = update_to_all(world, "c", LeafChanges(extensions=TWICE))
    proposals_are_refused(world, rules.EXTENSION_TYPES_ARE_UNIQUE, proposed)
    with refused(rules.EXTENSION_TYPES_ARE_UNIQUE):
        propose_update(world.states["c"], world.environment, leaf_changes=LeafChanges(extensions=TWICE))


@breaks(rules.EXTENSION_TYPES_ARE_UNIQUE)
def test_extension_types_are_unique__in_ones_own_leaf() -> None:
    world = world_where("a", others=[])
    world.clients["a"] = replace(world.client("a"), extensions=TWICE)
    with refused(rules.EXTENSION_TYPES_ARE_UNIQUE):
        world.found("a")
    with refused(rules.EXTENSION_TYPES_ARE_UNIQUE):
        world.key_package("a")


@breaks(rules.EXTENSION_TYPES_ARE_UNIQUE)
def test_extension_types_are_unique__in_a_path() -> None:
    world = world_where("a", "b", others=[])
    author = world.states["a"]
    forged = forged_commit(author, world.environment, path=Path(leaf=lambda leaf: leaf.replace(extensions=TWICE)))
    refused_by(world, "b", rules.EXTENSION_TYPES_ARE_UNIQUE, forged.sent_by(author))
    with refused(rules.EXTENSION_TYPES_ARE_UNIQUE):
        commit(
            world.states["a"],
            world.environment,
            now=world.now,
            options=CommitOptions(leaf_changes=LeafChanges(extensions=TWICE)),
        )


@breaks(rules.EXTENSION_TYPES_ARE_UNIQUE)
def test_extension_types_are_unique__in_a_group_info() -> None:
    world = World.of("a", "b")
    bundle = world.key_package("c")

    def with_two(info: GroupInfo) -> GroupInfo:
        return info.replace(extensions=(*info.extensions, *TWICE))

    group_info = forged_group_info(world.states["a"], info=with_two)
    outsider_refuses(world, "d", rules.EXTENSION_TYPES_ARE_UNIQUE, group_info)
    welcome = forged_welcome(world.states["a"], bundle, world.environment, info=with_two)
    newcomer_refuses(world, welcome, bundle, rules.EXTENSION_TYPES_ARE_UNIQUE)
    with refused(rules.EXTENSION_TYPES_ARE_UNIQUE):
        honest_group_info(world.states["a"], extensions=TWICE)


@breaks(rules.EXTENSION_TYPES_ARE_UNIQUE)
def test_extension_types_are_unique__in_a_joined_group_context() -> None:
    world = world_where("a", "b", others=[])
    supporter = replace(world.client("c"), capabilities=world.client("a").capabilities)
    bundle = create_key_package(supporter, world.environment, lifetime=LIFETIME)
    welcome = forged_welcome(
        world.states["a"], bundle, world.environment, context=lambda context: context.replace(extensions=TWICE)
    )
    newcomer_refuses(world, welcome, bundle, rules.EXTENSION_TYPES_ARE_UNIQUE)


# Who supports the group's


@breaks(rules.LEAF_SUPPORTS_GROUP_EXTENSIONS)
def test_leaf_supports_group_extensions__added() -> None:
    world = world_where("a", "b", others=[], extensions=(EXTENSION,))
    bundle = world.key_package("c")
    proposals_are_refused(world, rules.LEAF_SUPPORTS_GROUP_EXTENSIONS, Add(bundle.key_package))
    with refused(rules.LEAF_SUPPORTS_GROUP_EXTENSIONS):
        propose_add(world.states["a"], world.environment, bundle.key_package, now=world.now)
    world.commit("a", GroupContextExtensions(()), Add(bundle.key_package), joiners=[("c", bundle)])


@breaks(rules.LEAF_SUPPORTS_GROUP_EXTENSIONS)
def test_leaf_supports_group_extensions__updated() -> None:
    world = world_where("a", "b", "c", others=[], extensions=(EXTENSION,))
    less = LeafChanges(capabilities=default_capabilities([world.suite_number]))
    with refused(rules.LEAF_SUPPORTS_GROUP_EXTENSIONS):
        propose_update(world.states["c"], world.environment, leaf_changes=less)
    with dishonest(rules.LEAF_SUPPORTS_GROUP_EXTENSIONS):
        proposed = update_to_all(world, "c", less)
    proposals_are_refused(world, rules.LEAF_SUPPORTS_GROUP_EXTENSIONS, proposed)


@breaks(rules.LEAF_SUPPORTS_GROUP_EXTENSIONS)
def test_leaf_supports_group_extensions__in_a_path() -> None:
    world = world_where("a", "b", others=[], extensions=(EXTENSION,))
    author, less = world.states["a"], default_capabilities([world.suite_number])
    forged = forged_commit(author, world.environment, path=Path(leaf=lambda leaf: leaf.replace(capabilities=less)))
    refused_by(world, "b", rules.LEAF_SUPPORTS_GROUP_EXTENSIONS, forged.sent_by(author))
    options = CommitOptions(leaf_changes=LeafChanges(capabilities=less))
    with refused(rules.LEAF_SUPPORTS_GROUP_EXTENSIONS):
        commit(world.states["a"], world.environment, now=world.now, options=options)


@breaks(rules.LEAF_SUPPORTS_GROUP_EXTENSIONS)
def test_leaf_supports_group_extensions__in_a_joined_tree() -> None:
    world = world_where("a", "b", others=["c"])
    capable(world, "d", "e")
    bundle, state = world.key_package("d"), world.states["a"]

    def extended(context: GroupContext) -> GroupContext:
        return context.replace(extensions=(EXTENSION,))

    outsider_refuses(world, "e", rules.LEAF_SUPPORTS_GROUP_EXTENSIONS, forged_group_info(state, context=extended))
    welcome = forged_welcome(state, bundle, world.environment, context=extended)
    newcomer_refuses(world, welcome, bundle, rules.LEAF_SUPPORTS_GROUP_EXTENSIONS)


@breaks(rules.JOINER_SUPPORTS_GROUP_EXTENSIONS)
def test_joiner_supports_group_extensions() -> None:
    world = world_where("a", "b", others=[], extensions=(EXTENSION,))
    bundle = world.key_package("c")
    with dishonest(rules.LEAF_SUPPORTS_GROUP_EXTENSIONS):
        made = commit(world.states["a"], world.environment, now=world.now, proposals=[Add(bundle.key_package)])
    welcome = made.output.pending.welcome
    assert welcome is not None
    with refused(rules.JOINER_SUPPORTS_GROUP_EXTENSIONS):
        join(world.environment, welcome.encode(), [bundle])


@breaks(rules.JOINER_SUPPORTS_GROUP_EXTENSIONS)
def test_joiner_supports_group_extensions__by_an_external_commit() -> None:
    world = world_where("a", "b", others=[], extensions=(EXTENSION,))
    outsider_refuses(world, "c", rules.JOINER_SUPPORTS_GROUP_EXTENSIONS, forged_group_info(world.states["a"]))


@breaks(rules.JOINER_SUPPORTS_GROUP_EXTENSIONS)
def test_joiner_supports_group_extensions__but_for_grease() -> None:
    world = World()
    pretend_to_support_grease(world, "a", "b", "c")
    with dishonest(rules.NEW_GROUP_EXTENSIONS_ARE_SUPPORTED):
        world.found("a", extensions=(Extension(GREASED, b""),))
    bundle = world.key_package("b")
    with refused(rules.JOINER_SUPPORTS_GROUP_EXTENSIONS):
        join(world.environment, welcome_to(world, bundle), [bundle])
    outsider_refuses(world, "c", rules.JOINER_SUPPORTS_GROUP_EXTENSIONS, forged_group_info(world.states["a"]))

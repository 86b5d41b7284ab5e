"""Sections 12.4.3.1 and 12.4.3.3: the ratchet tree that a joiner is given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mls import rules
from mls.group.environment import Limits
from mls.group.group_info import group_info
from mls.group.joining import join
from mls.wire.proposals import Remove
from mls.wire.tree import ParentNode, RatchetTreeExtension
from tests.mls.rules.forging import (
    changed_tree,
    forged_group_info,
    forged_welcome,
    with_leaf,
)
from tests.mls.rules.forging_groups import (
    newcomer_refuses,
    outsider_refuses,
    welcome_to,
    with_forged_path,
)
from tests.mls.rules.support import breaks, refused
from tests.mls.world import World

if TYPE_CHECKING:
    from mls.rules import Rule
    from mls.tree.ratchet_tree import RatchetTree


def refuse_group_info(
    world: World, rule: Rule, *, tree: RatchetTree | None = None, extension: RatchetTreeExtension | None = None
) -> None:
    """See that nobody joins a group with such a tree, neither by a Welcome nor by an external Commit.

    `tree` is that of the group without the newcomer, `extension` what is said to be the tree with it.
    """
    state, bundle = world.states["a"], world.key_package("newcomer")
    joined = with_leaf(tree or state.public.tree, bundle)
    forged = forged_welcome(state, bundle, world.environment, tree=joined, ratchet_tree=extension)
    outsider_refuses(world, "outsider", rule, forged_group_info(state, tree=tree, ratchet_tree=extension))
    newcomer_refuses(world, forged, bundle, rule)


@breaks(rules.TREE_IS_AVAILABLE)
def test_tree_is_available() -> None:
    world = World.of("a", "b")
    bundle = world.key_package("c")
    welcome = welcome_to(world, bundle, with_tree=False)
    newcomer_refuses(world, welcome, bundle, rules.TREE_IS_AVAILABLE)
    outsider_refuses(world, "d", rules.TREE_IS_AVAILABLE, group_info(world.states["a"], with_tree=False))


@breaks(rules.TREE_HASH_MATCHES)
def test_tree_hash_matches() -> None:
    world = World.of("a", "b")
    bundle, spy = world.key_package("c"), world.key_package("spy")
    with_spy = with_leaf(with_leaf(world.states["a"].public.tree, bundle), spy).to_extension()
    forged = forged_welcome(world.states["a"], bundle, world.environment, ratchet_tree=with_spy)
    newcomer_refuses(world, forged, bundle, rules.TREE_HASH_MATCHES)


@breaks(rules.TREE_HASH_MATCHES)
def test_tree_hash_matches__for_an_external_commit() -> None:
    world = World.of("a", "b")
    with_spy = with_leaf(world.states["a"].public.tree, world.key_package("spy")).to_extension()
    info = forged_group_info(world.states["a"], ratchet_tree=with_spy)
    outsider_refuses(world, "c", rules.TREE_HASH_MATCHES, info)


@breaks(rules.TREE_HASH_MATCHES)
def test_tree_hash_matches__beside_the_welcome() -> None:
    world = World.of("a", "b")
    bundle = world.key_package("c")
    welcome = welcome_to(world, bundle, with_tree=False)
    with refused(rules.TREE_HASH_MATCHES):
        join(world.environment, welcome, [bundle], tree=world.states["a"].public.tree.to_extension())


def parent(tree: RatchetTree, index: int) -> ParentNode:
    node = dict(tree.parents())[index]  # type: ignore[index]  # a plain number is shorter here
    assert isinstance(node, ParentNode)
    return node


@breaks(rules.UNMERGED_LEAF_IS_A_DESCENDANT)
def test_unmerged_leaf_is_a_descendant() -> None:
    world = World.of("a", "b", "c", "d", "e")
    world.commit("a")
    tree = world.states["a"].public.tree
    elsewhere = parent(tree, 3).replace(unmerged_leaves=(4,))  # node 3 is above the leaves 0 to 3
    refuse_group_info(world, rules.UNMERGED_LEAF_IS_A_DESCENDANT, tree=changed_tree(tree, {3: elsewhere}))


@breaks(rules.UNMERGED_LEAF_IS_A_DESCENDANT)
def test_unmerged_leaf_is_a_descendant__blank() -> None:
    world = World.of("a", "b", "c", "d", "e")
    world.commit("a")
    tree = world.states["a"].public.tree
    blank = parent(tree, 7).replace(unmerged_leaves=(7,))
    refuse_group_info(world, rules.UNMERGED_LEAF_IS_A_DESCENDANT, tree=changed_tree(tree, {7: blank}))


@breaks(rules.UNMERGED_LEAF_IS_LISTED_BETWEEN)
def test_unmerged_leaf_is_listed_between() -> None:
    world = World.of("a", "b", "c", "d", "e", "f", "g")
    world.commit("e")
    # "a" makes its path as if "g" had come after it, so that nothing at the root is for "g"; but node 11, which is
    # between, includes "g". All parent hashes are true.
    key = world.states["a"].signature_key
    tree = with_forged_path(world, world.states["a"].public.tree, 0, key, unmerged_leaves={7: (6,)})
    refuse_group_info(world, rules.UNMERGED_LEAF_IS_LISTED_BETWEEN, tree=tree)


@breaks(rules.PARENT_KEY_IS_UNIQUE)
def test_parent_key_is_unique() -> None:
    world = World.of("a", "b", "c", "d")
    taken = world.states["b"].private_tree.leaf_key.public_key
    key = world.states["a"].signature_key
    tree = with_forged_path(world, world.states["a"].public.tree, 0, key, public_keys={3: taken})
    refuse_group_info(world, rules.PARENT_KEY_IS_UNIQUE, tree=tree)


@breaks(rules.TREE_LAST_NODE_IS_NOT_BLANK)
def test_tree_last_node_is_not_blank() -> None:
    world = World.of("a", "b", "c", "d", "e")
    state, bundle = world.states["a"], world.key_package("f")
    for tree, joins in ((state.public.tree, False), (with_leaf(state.public.tree, bundle), True)):
        nodes = tree.to_extension().nodes
        for padded in (RatchetTreeExtension((*nodes, None)), RatchetTreeExtension(())):
            if joins:
                forged = forged_welcome(state, bundle, world.environment, ratchet_tree=padded)
                with refused(rules.TREE_LAST_NODE_IS_NOT_BLANK):
                    join(world.environment, forged.encode(), [bundle])
            else:
                info = forged_group_info(state, ratchet_tree=padded)
                outsider_refuses(world, "f", rules.TREE_LAST_NODE_IS_NOT_BLANK, info)


@breaks(rules.TREE_NODES_ALTERNATE)
def test_tree_nodes_alternate__parent_as_a_leaf() -> None:
    world = World.of("a", "b", "c", "d", "e")
    world.commit("a", Remove(world.leaf("b")))
    del world.states["b"]
    stray = ParentNode(world.suite.derive_key_pair(bytes(32)).public_key, b"", ())
    with_stray = changed_tree(world.states["a"].public.tree, {2: stray})  # the place of leaf 1, blank now
    tree = with_forged_path(world, with_stray, 0, world.states["a"].signature_key)
    refuse_group_info(world, rules.TREE_NODES_ALTERNATE, tree=tree)


@breaks(rules.TREE_NODES_ALTERNATE)
def test_tree_nodes_alternate__leaf_as_a_parent() -> None:
    world = World.of("a", "b", "c")
    nodes = list(world.states["a"].public.tree.to_extension().nodes)
    nodes[1] = world.key_package("spy").key_package.leaf_node
    refuse_group_info(world, rules.TREE_NODES_ALTERNATE, extension=RatchetTreeExtension(tuple(nodes)))


@breaks(rules.TREE_IS_WITHIN_LIMITS)
def test_tree_is_within_limits() -> None:
    world = World.of("a", "b", "c", "d")
    bundle = world.key_package("e")
    welcome = welcome_to(world, bundle)
    for limit, joins in ((4, False), (5, True)):
        limited = replace(world.environment, limits=Limits(max_members=limit))
        if joins:
            assert join(limited, welcome, [bundle]).state.public.tree.member_count == limit
        else:
            with refused(rules.TREE_IS_WITHIN_LIMITS):
                join(limited, welcome, [bundle])

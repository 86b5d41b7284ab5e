"""What forged input has slipped through once: each a variant of a rule that other files break in other ways."""

from __future__ import annotations

from dataclasses import replace

from mls import rules
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.messaging import leave, propose
from mls.tree.math import NodeIndex
from mls.tree.parent_hash import parent_hash
from mls.wire.extensions import ExternalSender, ExternalSenders, pack_extension
from mls.wire.framing import External
from mls.wire.leaf_node import CommitSource
from mls.wire.proposals import Remove, SelfRemove
from mls.wire.tree import ParentNode, RatchetTreeExtension
from mls.wire.welcome import GroupSecrets, PathSecret
from tests.mls.rules.forging import (
    changed_tree,
    forged_group_info,
    forged_welcome,
    public,
    resigned,
    signed,
    with_leaf,
)
from tests.mls.rules.forging_groups import newcomer_refuses, outsider_refuses
from tests.mls.rules.support import breaks, refused
from tests.mls.world import World


@breaks(rules.TREE_LAST_NODE_IS_NOT_BLANK)
def test_tree_last_node_is_not_blank__but_a_parent() -> None:
    world = World.of("a", "b")
    state, key = world.states["a"], world.suite.generate_hpke_key(world.environment.random)
    parent = ParentNode(key.public_key, b"", ())
    alone = changed_tree(state.public.tree, {1: parent, 2: None})
    leaf = state.public.tree.leaf(0)
    assert leaf is not None
    source = CommitSource(parent_hash(alone, parent, NodeIndex(2)))
    leaf = leaf.replace(leaf_node_source=source)
    leaf = resigned(world.suite, leaf, state.signature_key, group_id=state.group_id)
    extension = RatchetTreeExtension((leaf, parent))
    outsider_refuses(world, "c", rules.TREE_LAST_NODE_IS_NOT_BLANK, forged_group_info(state, ratchet_tree=extension))


@breaks(rules.TREE_IS_WITHIN_LIMITS)
def test_tree_is_within_limits__by_the_number_of_members() -> None:
    world = World.of("a", "b", "c", "d")
    world.set(limits=replace(world.environment.limits, max_members=3))
    outsider_refuses(world, "e", rules.TREE_IS_WITHIN_LIMITS, group_info(world.states["a"]))


@breaks(rules.SELF_REMOVE_IS_PUBLIC)
def test_self_remove_is_public__and_a_members() -> None:
    world = World()
    outside = world.client("outside")
    sender = ExternalSender(outside.signature_key.public_key, outside.credential)
    world.found("a", extensions=(pack_extension(ExternalSenders((sender,))),))
    world.add("a", "b")
    state = world.states["a"]
    message = public(state, signed(state, SelfRemove(), sender=External(0), key=outside.signature_key))
    with refused(rules.SELF_REMOVE_IS_PUBLIC):
        join_externally(world.client("c"), world.environment, group_info(state), self_removes=[message])


def _with_a_path_secret(secrets: GroupSecrets) -> GroupSecrets:
    return secrets.replace(path_secret=PathSecret(bytes(32)))


@breaks(rules.WELCOME_PATH_SECRET_MATCHES)
def test_welcome_path_secret_matches__a_blank_node() -> None:
    world = World.of("a")
    state, bundle = world.states["a"], world.key_package("b")
    tree = with_leaf(state.public.tree, bundle)
    assert tree.node(NodeIndex(1)) is None
    forged = forged_welcome(state, bundle, world.environment, tree=tree, secrets=_with_a_path_secret)
    newcomer_refuses(world, forged, bundle, rules.WELCOME_PATH_SECRET_MATCHES)


def test_leaving_twice_is_one_proposal() -> None:
    world = World.of("a", "b")
    world.adopt("b", leave(world.states["b"], world.environment))
    world.adopt("b", leave(world.states["b"], world.environment))
    assert len(world.states["b"].proposals) == 1


@breaks(rules.EPOCH_IS_NOT_THE_LAST)
def test_epoch_is_not_the_last() -> None:
    world = World.of("a", "b")
    last = forged_group_info(world.states["a"], context=lambda context: context.replace(epoch=2**64 - 1))
    outsider_refuses(world, "c", rules.EPOCH_IS_NOT_THE_LAST, last)


def test_the_same_proposal_in_a_second_message_is_a_step() -> None:
    world = World.of("a", "b", "c")
    author, revision = world.states["b"], world.states["a"].revision
    for sent in (1, 2):
        made = propose(author, world.environment, Remove(2))
        author = made.state
        world.process("a", made.output)
        assert world.states["a"].revision == revision + sent
        assert len(world.states["a"].proposals) == 1

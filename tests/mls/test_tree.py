"""The ratchet tree: its arithmetic and its edits against a naive model, its paths against all members."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mls.crypto.suite import CIPHER_SUITES
from mls.tree import math
from mls.tree.census import Census, Counts, count
from mls.tree.math import LeafIndex, NodeIndex
from mls.tree.parent_hash import verify_parent_hashes
from mls.tree.private_tree import PrivateTree
from mls.tree.ratchet_tree import RatchetTree
from mls.tree.treekem import decrypt_path, encrypt_path, merge_path, new_path
from mls.wire.leaf_node import LeafNode
from tests.mls.tree_model import SUITE, Model, below, children, fresh_leaf, fresh_parent, number, path_to

# Arithmetic


@pytest.mark.parametrize("leaves", [1, 2, 4, 8, 16, 32, 64])
def test_arithmetic(leaves: int) -> None:
    whole = (0, leaves)
    nodes = list(below(whole))
    assert [number(node) for node in nodes] == list(range(math.node_count(leaves)))
    assert math.root(leaves) == number(whole)
    for node in nodes:
        index, (first, end) = number(node), node
        assert end - first == 1 << math.level(index)
        assert list(math.leaves_below(index)) == list(range(first, end))
        assert [math.is_ancestor(index, LeafIndex(leaf)) for leaf in range(leaves)] == [
            first <= leaf < end for leaf in range(leaves)
        ]
        for child, other in zip(children(node), reversed(children(node)), strict=True):
            assert math.parent(number(child)) == index
            assert math.sibling(number(child)) == number(other)
        if children(node):
            assert [math.left(index), math.right(index)] == [number(child) for child in children(node)]
    for leaf in map(LeafIndex, range(leaves)):
        path = path_to(leaf, whole)
        assert math.leaf_node_index(leaf) == number(path[-1])
        assert math.direct_path(leaf, leaves) == [number(node) for node in reversed(path[:-1])]
        off_path = [child for node in reversed(path) for child in children(node) if child not in path]
        assert math.copath(leaf, leaves) == [number(node) for node in off_path]
        for other_leaf in map(LeafIndex, range(leaves)):
            common = [node for node in path if node in path_to(other_leaf, whole)]
            assert math.common_ancestor(leaf, other_leaf) == number(common[-1])


def test_the_smallest_tree_with_room() -> None:
    for nodes in range(1, 200):
        fitting = next(leaves for leaves in (1 << depth for depth in range(9)) if 2 * leaves - 1 >= nodes)
        assert math.full_leaf_count(nodes) == fitting


# Edits


def check_against(model: Model, tree: RatchetTree) -> None:
    assert tree.leaf_count == len(model.leaves)
    assert tree.root == number(model.whole)
    for node in below(model.whole):
        index = number(node)
        expected = model.parents.get(node) if children(node) else model.leaves[node[0]]
        assert tree.node(index) == expected
        assert tree.is_empty_below(index) == (not model.resolution(node))
        assert tree.resolution(index) == model.resolution(node)
        assert tree.tree_hash(index) == model.tree_hash(node)
        if children(node):
            assert tree.parent_node(index) == expected
    members = model.members()
    excluded = frozenset(members[::2])
    assert tree.resolution(tree.root, excluded) == model.resolution(model.whole, excluded)
    assert [index for index, _ in tree.members()] == members
    assert dict(tree.parents()) == {number(node): parent for node, parent in model.parents.items()}
    assert tree.member_count == len(members)
    for leaf in map(LeafIndex, range(len(model.leaves))):
        assert tree.leaf(leaf) == model.leaves[leaf]
        expected_path = [(number(node), number(child)) for node, child in model.filtered_path(leaf)]
        assert tree.filtered_direct_path(leaf) == expected_path
    assert tree.leaf(-1) is None
    assert tree.leaf(len(model.leaves)) is None
    check_indices(tree)


def check_indices(tree: RatchetTree) -> None:
    """See that what a tree keeps to be fast is what one finds by looking."""
    counts: Counts = {}
    for _, leaf in tree.members():
        count(counts, leaf)
    assert tree._counts == counts
    for name in Census.__slots__:
        assert getattr(tree.census, name) == getattr(Census(counts), name)
    assert tree.signature_keys == {leaf.signature_key: index for index, leaf in tree.members()}
    keys = {leaf.encryption_key: math.leaf_node_index(index) for index, leaf in tree.members()}
    assert tree.encryption_keys == keys | {parent.encryption_key: index for index, parent in tree.parents()}
    assert tree.last_leaf == max(index for index, _ in tree.members())
    copy = RatchetTree.from_extension(SUITE, tree.to_extension(), max_members=1 << 10)
    assert copy == tree
    assert copy.tree_hash() == tree.tree_hash()
    assert (copy.signature_keys, copy.encryption_keys) == (tree.signature_keys, tree.encryption_keys)


OPERATIONS = st.tuples(
    st.sampled_from(["add", "add", "remove", "update", "path", "swap"]), st.integers(0, 31), st.integers(0, 2)
)


@given(st.lists(st.lists(OPERATIONS, max_size=6), max_size=8))
def test_random_edits(rounds: list[list[tuple[str, int, int]]]) -> None:
    first = fresh_leaf()
    tree, model = RatchetTree.single(SUITE, first), Model([first])
    for operations in rounds:
        before, hash_before = tree.to_extension(), tree.tree_hash()
        edit = tree.edit()
        for kind, which, capabilities in operations:
            members = model.members()
            leaf = LeafIndex(members[which % len(members)])
            node = fresh_leaf(capabilities)
            match kind:
                case "add":
                    assert edit.add_leaf(node) == model.add(node)
                case "remove" if len(members) > 1:
                    edit.remove_leaf(leaf)
                    model.remove(leaf)
                    edit.truncate()
                    model.truncate()
                case "update":
                    edit.update_leaf(leaf, node)
                    model.blank_above(leaf)
                    model.leaves[leaf] = node
                case "swap":  # keys may move from one leaf to another within one edit
                    other = LeafIndex(members[(which + 1) % len(members)])
                    pair = edit.leaf(leaf), edit.leaf(other)
                    for place, new in zip((leaf, other), reversed(pair), strict=True):
                        assert new is not None
                        edit.vacate_leaf(place)
                        model.leaves[place] = new
                    for place in (leaf, other):
                        new = model.leaves[place]
                        assert new is not None
                        assert not edit.has_signature_key(new.signature_key) or leaf == other
                        edit.set_leaf(place, new)
                case _:
                    path = model.set_path(leaf)
                    edit.blank_path(leaf)
                    for above, parent in path.items():
                        edit.set_parent(number(above), parent)
                        assert edit.has_encryption_key(parent.encryption_key)
        assert edit.leaf_count == len(model.leaves)
        assert list(edit.leaves()) == [leaf for leaf in model.leaves if leaf is not None]
        following = edit.freeze()
        assert (tree.to_extension(), tree.tree_hash()) == (before, hash_before), "an edit changed its tree"
        check_indices(tree)
        tree = following
        check_against(model, tree)


def test_unmerged_leaves_are_sorted() -> None:
    edit = RatchetTree.single(SUITE, fresh_leaf()).edit()
    for _ in range(7):
        edit.add_leaf(fresh_leaf())
    for leaf in (1, 6, 3):
        edit.remove_leaf(LeafIndex(leaf))
    root = math.root(8)
    edit.set_parent(root, fresh_parent(unmerged=(2, 5)))
    for _ in range(3):
        edit.add_leaf(fresh_leaf())
    parent = edit.freeze().parent_node(root)
    assert parent is not None
    assert parent.unmerged_leaves == (1, 2, 3, 5, 6)


def test_trees_as_values() -> None:
    leaf = fresh_leaf()
    tree = RatchetTree.single(SUITE, leaf)
    assert tree == RatchetTree.single(SUITE, leaf) != RatchetTree.single(SUITE, fresh_leaf())
    assert tree != RatchetTree.single(CIPHER_SUITES[3], leaf)
    assert tree != "a tree"
    assert repr(tree) == "<RatchetTree: 1 members, 1 leaves>"
    with pytest.raises(TypeError):
        hash(tree)


# Keys


def signed_leaf(generator: random.Random) -> tuple[LeafNode, PrivateTree]:
    key = SUITE.generate_hpke_key(generator.randbytes)
    signature_key = SUITE.generate_signature_key(generator.randbytes)
    leaf = fresh_leaf().replace(encryption_key=key.public_key, signature_key=signature_key.public_key)
    return leaf, PrivateTree(LeafIndex(0), {NodeIndex(0): key})


@pytest.mark.parametrize("seed", range(3))
def test_paths_reach_all_others(seed: int) -> None:
    """Members come, go and draw paths at random: all others find its secret, and parent hashes stay valid."""
    generator = random.Random(seed)
    signer = SUITE.generate_signature_key(generator.randbytes)
    leaf, private = signed_leaf(generator)
    tree, members = RatchetTree.single(SUITE, leaf), {LeafIndex(0): private}
    for _ in range(25):
        edit = tree.edit()
        added = set()
        for _ in range(generator.randrange(3)):
            leaf, private = signed_leaf(generator)
            place = edit.add_leaf(leaf)
            members[place] = PrivateTree(place, {math.leaf_node_index(place): private.leaf_key})
            added.add(place)
        if len(members) - len(added) > 2:
            gone = generator.choice([place for place in members if place not in added])
            edit.remove_leaf(gone)
            del members[gone]
            edit.truncate()
        tree = edit.freeze()
        sender = generator.choice([place for place in members if place not in added])
        old = tree.leaf(sender)
        assert old is not None
        fresh = new_path(tree, sender, old, group_id=b"g", signature_key=signer, random=generator.randbytes)
        path = encrypt_path(fresh, b"context", added, generator.randbytes)
        in_place = merge_path(tree, sender, path, added)
        merged = in_place.tree
        assert merged == fresh.tree
        verify_parent_hashes(merged)
        for place, private in list(members.items()):
            if place == sender:
                members[place], _ = private.updated(merged, fresh.private_keys)
            elif place in added:  # a Welcome tells them
                told = {node: key for node, key in fresh.private_keys.items() if math.is_ancestor(node, place)}
                members[place], _ = private.updated(merged, told)
            else:
                before, _ = private.updated(tree, {})
                new, secret = decrypt_path(in_place, before, path, b"context")
                assert secret == fresh.commit_secret
                members[place], _ = before.updated(merged, new)
        for place, private in members.items():
            for index, key in private.items():
                node = merged.node(index)
                assert node is not None
                assert node.encryption_key == key.public_key
                assert math.is_ancestor(index, place)
        tree = merged


def test_a_private_tree_keeps_what_the_tree_has() -> None:
    generator = random.Random(1)
    keys = [SUITE.generate_hpke_key(generator.randbytes) for _ in range(6)]
    edit = RatchetTree.single(SUITE, fresh_leaf().replace(encryption_key=keys[0].public_key)).edit()
    for _ in range(3):
        edit.add_leaf(fresh_leaf())
    edit.set_parent(NodeIndex(1), fresh_parent().replace(encryption_key=keys[1].public_key))
    edit.set_parent(NodeIndex(3), fresh_parent())
    tree = edit.freeze()
    private = PrivateTree(LeafIndex(0), {NodeIndex(index): key for index, key in zip((0, 1, 3, 7), keys, strict=False)})
    assert repr(private) == "<PrivateTree of leaf 0: 4 keys>"
    assert (private.leaf_key, private.key(NodeIndex(7)), NodeIndex(5) in private.nodes) == (keys[0], keys[3], False)
    after, spent = private.updated(tree, {})
    assert dict(after.items()) == {0: keys[0], 1: keys[1]}
    assert spent == [keys[2].secret, keys[3].secret], "another key is there now, and no such node"
    after, spent = private.updated(tree, {NodeIndex(0): keys[4], NodeIndex(3): keys[5]})
    assert dict(after.items()) == {0: keys[4], 1: keys[1], 3: keys[5]}
    assert spent == [keys[0].secret, keys[2].secret, keys[3].secret]
    assert len(dict(private.items())) == 4


def test_a_key_that_moved_is_found_where_it_is() -> None:
    first, second, third = (fresh_leaf() for _ in range(3))
    edit = RatchetTree.single(SUITE, first).edit()
    edit.add_leaf(second)
    edit.set_leaf(LeafIndex(0), second.replace(signature=b"moved"))
    edit.set_leaf(LeafIndex(1), third)
    check_indices(edit.freeze())

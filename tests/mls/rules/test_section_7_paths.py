"""Section 7 (ratchet tree), update paths and parent hashes: each rule broken on purpose.

In a group of four whose first member has committed, and with alice's path drawn double::

             3                 A path of alice's has two nodes: 1, whose secret bob gets, and 3, whose secret the
         ====+----.            resolution of 5 gets: carol and dave each, for 5 is blank.
         1        5
       ==+-.    .-+-.
       0   2    4   6
     alice bob carol dave
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls import rules
from mls.group.processing import process
from mls.tree.math import NodeIndex
from mls.wire.commit import HPKECiphertext, UpdatePathNode
from mls.wire.leaf_node import CommitSource, LeafNode
from mls.wire.tree import ParentNode
from tests.mls.rules.doors import assert_goes_on, refused_by, refused_in_path, refused_join
from tests.mls.rules.forging import (
    Path,
    changed_tree,
    forged_commit,
    forged_external_commit,
    resigned,
    with_leaf,
)
from tests.mls.rules.support import breaks, refused
from tests.mls.world import World

if TYPE_CHECKING:
    from mls.tree.ratchet_tree import RatchetTree
    from tests.mls.rules.forging import Alteration

Nodes = tuple[UpdatePathNode, ...]


def _world() -> World:
    return World.of("alice", "bob", "carol", "dave")


# 7.5: secrets


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


BAD_CIPHERTEXTS: tuple[Alteration[HPKECiphertext], ...] = (
    lambda sealed: sealed.replace(ciphertext=_flipped(sealed.ciphertext)),
    lambda sealed: sealed.replace(ciphertext=sealed.ciphertext[:-1]),
    lambda sealed: sealed.replace(ciphertext=b""),
    lambda sealed: sealed.replace(kem_output=_flipped(sealed.kem_output)),
    lambda sealed: sealed.replace(kem_output=sealed.kem_output[:-1]),
    lambda sealed: sealed.replace(kem_output=sealed.kem_output + b"\0"),
    lambda sealed: sealed.replace(kem_output=b""),
    lambda sealed: sealed.replace(kem_output=bytes(len(sealed.kem_output))),  # of no use: no key, or a neutral one
)


def _with_ciphertext(position: int, recipient: int, alter: Alteration[HPKECiphertext]) -> Path:
    """Return a path with one altered ciphertext."""

    def altered(nodes: Nodes) -> Nodes:
        sealed = list(nodes[position].encrypted_path_secret)
        sealed[recipient] = alter(sealed[recipient])
        node = nodes[position].replace(encrypted_path_secret=tuple(sealed))
        return (*nodes[:position], node, *nodes[position + 1 :])

    return Path(nodes=altered)


@breaks(rules.PATH_SECRET_DECRYPTS)
def test_path_secret_decrypts() -> None:
    for suite in (1, 2, 4, 0x004D):
        world = World.of("alice", "bob", "carol", "dave", suite=suite)
        for alter in BAD_CIPHERTEXTS:
            refused_in_path(world, rules.PATH_SECRET_DECRYPTS, _with_ciphertext(0, 0, alter))


@breaks(rules.PATH_SECRET_DECRYPTS)
def test_path_secret_decrypts__for_others() -> None:
    """Only the victim can tell (section 16.12): all others follow, and it must find its own way back."""
    world = _world()
    alice = world.states["alice"]
    for name, position, recipient in (("bob", 0, 0), ("carol", 1, 0), ("dave", 1, 1)):
        path = _with_ciphertext(position, recipient, BAD_CIPHERTEXTS[0])
        message = forged_commit(alice, world.environment, path=path).sent_by(alice)
        for other in {"bob", "carol", "dave"} - {name}:
            process(world.states[other], world.environment, message, now=world.now)
        with refused(rules.PATH_SECRET_DECRYPTS):
            process(world.states[name], world.environment, message, now=world.now)
    assert_goes_on(world, "bob")


@breaks(rules.PATH_SECRET_DECRYPTS)
def test_path_secret_decrypts__other_recipient() -> None:
    """A secret that is encrypted to somebody else is none."""
    world = _world()
    alice = world.states["alice"]

    def swapped(nodes: Nodes) -> Nodes:
        return (nodes[0], nodes[1].replace(encrypted_path_secret=nodes[1].encrypted_path_secret[::-1]))

    bad = forged_commit(alice, world.environment, path=Path(nodes=swapped)).sent_by(alice)
    refused_by(world, "carol", rules.PATH_SECRET_DECRYPTS, bad)


@breaks(rules.PATH_SECRET_HAS_THE_RIGHT_SIZE)
def test_path_secret_has_the_right_size() -> None:
    for suite in (1, 4, 7):
        world = World.of("alice", "bob", suite=suite)
        nh = world.suite.Nh
        for size in (0, 1, nh - 1, nh + 1, 2 * nh):
            path = Path(first_secret=b"\x05" * size)
            refused_in_path(world, rules.PATH_SECRET_HAS_THE_RIGHT_SIZE, path)


@breaks(rules.PATH_KEYS_MATCH_SECRETS)
def test_path_keys_match_secrets() -> None:
    world = _world()
    other = world.suite.generate_hpke_key(world.environment.random).public_key

    def first(keys: list[bytes]) -> list[bytes]:
        return [other, *keys[1:]]

    def last(keys: list[bytes]) -> list[bytes]:
        return [*keys[:-1], other]

    for alter in (first, last):
        refused_in_path(world, rules.PATH_KEYS_MATCH_SECRETS, Path(public_keys=alter))
    alice = world.states["alice"]
    bad = forged_commit(alice, world.environment, path=Path(public_keys=last)).sent_by(alice)
    refused_by(world, "carol", rules.PATH_KEYS_MATCH_SECRETS, bad)


# 7.5, 7.6: the path's form


def _with_parent_hash(alter: Alteration[bytes]) -> Path:
    def altered(leaf: LeafNode) -> LeafNode:
        assert isinstance(leaf.leaf_node_source, CommitSource)
        return leaf.replace(leaf_node_source=CommitSource(alter(leaf.leaf_node_source.parent_hash)))

    return Path(leaf=altered)


BAD_HASHES: tuple[Alteration[bytes], ...] = (
    _flipped,
    lambda value: value[:-1],
    lambda value: value + b"\0",
    lambda _: b"",
    lambda value: bytes(len(value)),
)


@breaks(rules.LEAF_PARENT_HASH_MATCHES)
def test_leaf_parent_hash_matches() -> None:
    world = _world()
    for alter in BAD_HASHES:
        refused_in_path(world, rules.LEAF_PARENT_HASH_MATCHES, _with_parent_hash(alter))
        alice, path = world.states["alice"], _with_parent_hash(alter)
        external = forged_external_commit(alice, world.client("erin"), world.environment, path=path)
        refused_by(world, "bob", rules.LEAF_PARENT_HASH_MATCHES, external.sent_by(alice))


def _with_fresh_keys(world: World, nodes: Nodes) -> Nodes:
    """Return nodes like these with keys that are in no tree."""
    fresh = (world.suite.generate_hpke_key(world.environment.random).public_key for _ in nodes)
    return tuple(node.replace(encryption_key=key) for node, key in zip(nodes, fresh, strict=True))


@breaks(rules.PATH_LENGTH_MATCHES)
def test_path_length_matches() -> None:
    world = _world()
    alterations: tuple[Alteration[Nodes], ...] = (
        lambda nodes: nodes[:-1],
        lambda nodes: nodes[1:],
        lambda _: (),
        lambda nodes: (*nodes, *_with_fresh_keys(world, nodes[-1:])),
        lambda nodes: (*_with_fresh_keys(world, nodes[:1]), *nodes),
    )
    for alter in alterations:
        refused_in_path(world, rules.PATH_LENGTH_MATCHES, Path(nodes=alter))
        alice = world.states["alice"]
        external = forged_external_commit(alice, world.client("erin"), world.environment, path=Path(nodes=alter))
        refused_by(world, "bob", rules.PATH_LENGTH_MATCHES, external.sent_by(alice))


@breaks(rules.PATH_LENGTH_MATCHES)
def test_path_length_matches__alone() -> None:
    """Who is alone has no path to anybody; a joiner's Commit makes it one of two."""
    world = World()
    world.found("alice")
    alice = world.states["alice"]
    path = Path(nodes=lambda _: ())
    external = forged_external_commit(alice, world.client("bob"), world.environment, path=path).sent_by(alice)
    with refused(rules.PATH_LENGTH_MATCHES):
        process(alice, world.environment, external, now=world.now)


@breaks(rules.PATH_CIPHERTEXTS_MATCH_RESOLUTION)
def test_path_ciphertexts_match_resolution() -> None:
    world = _world()

    def with_ciphertexts(position: int, alter: Alteration[tuple[HPKECiphertext, ...]]) -> Path:
        def altered(nodes: Nodes) -> Nodes:
            node = nodes[position]
            node = node.replace(encrypted_path_secret=alter(node.encrypted_path_secret))
            return (*nodes[:position], node, *nodes[position + 1 :])

        return Path(nodes=altered)

    for position in (0, 1):
        for alter in (lambda sealed: sealed[:-1], lambda sealed: (*sealed, sealed[0]), lambda _: ()):
            path = with_ciphertexts(position, alter)
            refused_in_path(world, rules.PATH_CIPHERTEXTS_MATCH_RESOLUTION, path)


# 7.1, 7.9.2: parent nodes in the tree of a group to be joined


def _world_with_unmerged_leaves() -> tuple[World, RatchetTree]:
    """Return a world, and its tree with two leaves more, which its root lists as unmerged."""
    world = World.of("alice", "bob", "carol", "dave", "eve")
    tree = world.states["alice"].public.tree
    for name in ("frank", "grace"):
        tree = with_leaf(tree, world.key_package(name))
    return world, tree


def _altered_parent(tree: RatchetTree, index: int, **changes: object) -> RatchetTree:
    node = tree.parent_node(NodeIndex(index))
    assert node is not None
    return changed_tree(tree, {index: node.replace(**changes)})


@breaks(rules.UNMERGED_LEAVES_ARE_SORTED)
def test_unmerged_leaves_are_sorted() -> None:
    world, tree = _world_with_unmerged_leaves()
    root = tree.parent_node(tree.root)
    assert root is not None
    assert root.unmerged_leaves == (5, 6)
    for unmerged in ((6, 5), (5, 5, 6), (5, 6, 6), (5, 6, 5)):
        bad = _altered_parent(tree, tree.root, unmerged_leaves=unmerged)
        refused_join(world, rules.UNMERGED_LEAVES_ARE_SORTED, bad)


@breaks(rules.TREE_IS_PARENT_HASH_VALID)
def test_tree_is_parent_hash_valid() -> None:
    world = _world()
    tree = world.states["alice"].public.tree
    fresh = world.suite.generate_hpke_key(world.environment.random).public_key
    for index in (1, 3):
        refused_join(world, rules.TREE_IS_PARENT_HASH_VALID, _altered_parent(tree, index, encryption_key=fresh))
    for alter in BAD_HASHES:
        node = tree.parent_node(NodeIndex(1))
        assert node is not None
        bad = _altered_parent(tree, 1, parent_hash=alter(node.parent_hash))
        refused_join(world, rules.TREE_IS_PARENT_HASH_VALID, bad)


@breaks(rules.TREE_IS_PARENT_HASH_VALID)
def test_tree_is_parent_hash_valid__root() -> None:
    """The root's own parent hash is empty, and its children's cover that."""
    world = _world()
    tree = world.states["alice"].public.tree
    refused_join(world, rules.TREE_IS_PARENT_HASH_VALID, _altered_parent(tree, tree.root, parent_hash=bytes(32)))


@breaks(rules.TREE_IS_PARENT_HASH_VALID)
def test_tree_is_parent_hash_valid__leaf() -> None:
    """The chain ends at the committer's leaf: one with another hash, or none, breaks it."""
    world = _world()
    alice = world.states["alice"]
    tree, leaf = alice.public.tree, alice.public.tree.leaf(0)
    assert leaf is not None
    key_package_leaf = world.key_package("alice").key_package.leaf_node
    sources = (CommitSource(bytes(32)), CommitSource(b""), key_package_leaf.leaf_node_source)
    for source in sources:
        bad = leaf.replace(leaf_node_source=source)
        bad = resigned(alice.suite, bad, alice.signature_key, group_id=alice.group_id, index=0)
        refused_join(world, rules.TREE_IS_PARENT_HASH_VALID, changed_tree(tree, {0: bad}))


@breaks(rules.TREE_IS_PARENT_HASH_VALID)
def test_tree_is_parent_hash_valid__other_side() -> None:
    """A parent hash covers the sibling's subtree: nobody there can be exchanged, taken away or slipped in."""
    world = _world()
    tree = world.states["alice"].public.tree
    other = world.key_package("mallory").key_package.leaf_node
    node = ParentNode(world.suite.generate_hpke_key(world.environment.random).public_key, b"", ())
    for changes in ({6: other}, {6: None}, {2: other}, {5: node}):
        refused_join(world, rules.TREE_IS_PARENT_HASH_VALID, changed_tree(tree, changes))


@breaks(rules.TREE_IS_PARENT_HASH_VALID)
def test_tree_is_parent_hash_valid__unmerged() -> None:
    """Calling a leaf unmerged that the hash covers, or leaving out one that came later, shows."""
    world, tree = _world_with_unmerged_leaves()
    for unmerged in ((5,), (6,), (), (4, 5, 6), (1, 5, 6)):
        bad = _altered_parent(tree, tree.root, unmerged_leaves=unmerged)
        if 1 in unmerged:
            bad = _altered_parent(bad, 1, unmerged_leaves=(1,))
            bad = _altered_parent(bad, 3, unmerged_leaves=(1,))
        refused_join(world, rules.TREE_IS_PARENT_HASH_VALID, bad)

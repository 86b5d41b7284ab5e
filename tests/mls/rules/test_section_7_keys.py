"""Section 7 (ratchet tree), where a leaf comes from and which keys it brings: each rule broken on purpose."""

from __future__ import annotations

from dataclasses import replace

from mls import rules
from mls.crypto.suite import CIPHER_SUITES
from mls.group.committing import CommitOptions, commit
from mls.group.leaf_changes import LeafChanges
from mls.wire.leaf_node import CommitSource, KeyPackageSource, LeafNode, UpdateSource
from mls.wire.proposals import Add, Remove
from mls.wire.tree import ParentNode
from tests.mls.rules.doors import (
    refused_by,
    refused_in_add,
    refused_in_path,
    refused_in_tree,
    refused_in_update,
    refused_join,
)
from tests.mls.rules.forging import (
    Path,
    dishonest,
    forged_commit,
    forged_external_commit,
    forged_key_package,
    forged_update,
    public,
    signed,
)
from tests.mls.rules.support import breaks, refused
from tests.mls.world import LIFETIME, World


def _world() -> World:
    return World.of("alice", "bob", "carol")


def _leaf(world: World, name: str) -> LeafNode:
    """Return a member's leaf."""
    leaf = world.states["alice"].public.tree.leaf(world.leaf(name))
    assert leaf is not None
    return leaf


# 7.3: sources


@breaks(rules.KEY_PACKAGE_LEAF_SOURCE)
def test_key_package_leaf_source() -> None:
    world = _world()
    for source in (UpdateSource(), CommitSource(b""), CommitSource(bytes(32))):
        bundle = forged_key_package(world.key_package("mallory"), leaf={"leaf_node_source": source})
        refused_in_add(world, rules.KEY_PACKAGE_LEAF_SOURCE, bundle)


@breaks(rules.UPDATE_LEAF_SOURCE)
def test_update_leaf_source() -> None:
    world = _world()
    for source in (KeyPackageSource(LIFETIME), CommitSource(b""), CommitSource(bytes(32))):
        update = forged_update(world.states["bob"], world.environment, leaf_node_source=source)
        refused_in_update(world, rules.UPDATE_LEAF_SOURCE, update)


@breaks(rules.COMMIT_LEAF_SOURCE)
def test_commit_leaf_source() -> None:
    world = _world()
    for source in (KeyPackageSource(LIFETIME), UpdateSource()):

        def elsewhere(leaf: LeafNode, source: KeyPackageSource | UpdateSource = source) -> LeafNode:
            return leaf.replace(leaf_node_source=source)

        refused_in_path(world, rules.COMMIT_LEAF_SOURCE, Path(leaf=elsewhere))
        alice = world.states["alice"]
        external = forged_external_commit(alice, world.client("dave"), world.environment, path=Path(leaf=elsewhere))
        refused_by(world, "bob", rules.COMMIT_LEAF_SOURCE, external.sent_by(alice))


# 7.3: keys


@breaks(rules.ENCRYPTION_KEY_IS_WELL_FORMED)
def test_encryption_key_is_well_formed() -> None:
    world = _world()
    for key in (b"", b"\x01" * 31, b"\x01" * 33, b"\x01" * 64):
        _refused_key(world, key)


@breaks(rules.ENCRYPTION_KEY_IS_WELL_FORMED)
def test_encryption_key_is_well_formed__low_order() -> None:
    """Nothing can be encrypted to such a key: with one in the tree, nobody else could commit any more."""
    world = _world()
    prime = (1 << 255) - 19
    order_8 = 325606250916557431795983626356110631294008115727848805560023387167927233504
    for coordinate in (0, 1, prime - 1, order_8, prime, prime + 1, 1 << 255):
        _refused_key(world, coordinate.to_bytes(32, "little"))
    world = World.of("alice", "bob", "carol", suite=4)
    prime = (1 << 448) - (1 << 224) - 1
    for coordinate in (0, 1, prime - 1, prime, prime + 1):
        _refused_key(world, coordinate.to_bytes(56, "little"))


@breaks(rules.ENCRYPTION_KEY_IS_WELL_FORMED)
def test_encryption_key_is_well_formed__point() -> None:
    world = World.of("alice", "bob", "carol", suite=2)
    point = CIPHER_SUITES[2].generate_hpke_key(world.environment.random).public_key
    compressed = bytes([2 + (point[-1] & 1)]) + point[1:33]
    off_the_curve = point[:-1] + bytes([point[-1] ^ 1])
    for key in (compressed, off_the_curve, point[1:], point + b"\0", b"\x04" + bytes(64), b"\0"):
        _refused_key(world, key)


@breaks(rules.ENCRYPTION_KEY_IS_WELL_FORMED)
def test_encryption_key_is_well_formed__xwing() -> None:
    world = World.of("alice", "bob", "carol", suite=0x004D)
    key = world.suite.generate_hpke_key(world.environment.random).public_key
    not_reduced, low_order = b"\xff" * 1184 + key[1184:], key[:1184] + bytes(32)
    for bad in (not_reduced, low_order, key[:-1], key + b"\0", key[1184:], b""):
        _refused_key(world, bad)


def _refused_key(world: World, key: bytes) -> None:
    rule = rules.ENCRYPTION_KEY_IS_WELL_FORMED
    bundle = forged_key_package(world.key_package("mallory"), leaf={"encryption_key": key})
    refused_in_add(world, rule, bundle)
    refused_in_tree(world, rule, bundle)
    refused_in_path(world, rule, Path(leaf=lambda leaf: leaf.replace(encryption_key=key)))
    update = forged_update(world.states["bob"], world.environment, encryption_key=key)
    # Not even a dishonest member can encrypt a path to such a key.
    refused_in_update(world, rule, update, path=None)


@breaks(rules.ENCRYPTION_KEY_IS_WELL_FORMED)
def test_encryption_key_is_well_formed__parent() -> None:
    """Carol cannot see what is below alice's and bob's parent, but she will encrypt to it."""
    world = World.of("alice", "bob", "carol", "dave")
    rule = rules.ENCRYPTION_KEY_IS_WELL_FORMED
    for key in (b"no key", b"", bytes(32)):

        def with_key(keys: list[bytes], key: bytes = key) -> list[bytes]:
            return [key, *keys[1:]]

        alice = world.states["alice"]
        bad = forged_commit(alice, world.environment, path=Path(public_keys=with_key))
        refused_join(world, rule, bad.keys.public.tree)
        refused_by(world, "carol", rule, bad.sent_by(alice))


@breaks(rules.UPDATE_CHANGES_ENCRYPTION_KEY)
def test_update_changes_encryption_key() -> None:
    world = _world()
    same = _leaf(world, "bob").encryption_key
    update = forged_update(world.states["bob"], world.environment, encryption_key=same)
    refused_in_update(world, rules.UPDATE_CHANGES_ENCRYPTION_KEY, update)


@breaks(rules.UPDATE_CHANGES_ENCRYPTION_KEY)
def test_update_changes_encryption_key__resync() -> None:
    """Whoever comes back in place of an own old leaf updates it."""
    world = _world()
    alice, same = world.states["alice"], _leaf(world, "carol").encryption_key
    path = Path(leaf=lambda leaf: leaf.replace(encryption_key=same))
    back = forged_external_commit(alice, world.client("carol"), world.environment, Remove(2), path=path)
    refused_by(world, "bob", rules.UPDATE_CHANGES_ENCRYPTION_KEY, back.sent_by(alice))


# 7.3: unique keys. That two leaves have one signature key takes their owners' consent, or the same owner; an
# encryption key can be copied from any node, for its private key signs nothing.


@breaks(rules.SIGNATURE_KEY_IS_UNIQUE)
def test_signature_key_is_unique() -> None:
    world = _world()
    rule, key = rules.SIGNATURE_KEY_IS_UNIQUE, world.states["carol"].signature_key
    refused_in_tree(world, rule, forged_key_package(world.key_package("mallory"), key=key))
    path = Path(leaf=lambda leaf: leaf.replace(signature_key=key.public_key), key=key)
    refused_in_path(world, rule, path)
    with refused(rule):
        commit(
            world.states["alice"],
            world.environment,
            now=world.now,
            options=CommitOptions(leaf_changes=LeafChanges(signature_key=key)),
        )
    update = forged_update(world.states["bob"], world.environment, key=key, signature_key=key.public_key)
    refused_in_update(world, rule, update)


@breaks(rules.SIGNATURE_KEY_IS_UNIQUE)
def test_signature_key_is_unique__external_joiner() -> None:
    world = _world()
    alice = world.states["alice"]
    twin = replace(world.client("dave"), signature_key=world.states["carol"].signature_key)
    bad = forged_external_commit(alice, twin, world.environment)
    refused_by(world, "bob", rules.SIGNATURE_KEY_IS_UNIQUE, bad.sent_by(alice))


@breaks(rules.SIGNATURE_KEY_IS_UNIQUE)
def test_signature_key_is_unique__two_updates() -> None:
    world = World.of("alice", "bob", "carol", "dave")
    key = world.client("mallory").signature_key
    for name in ("bob", "carol"):
        state = world.states[name]
        update = forged_update(state, world.environment, key=key, signature_key=key.public_key)
        for receiver in ("alice", "dave"):
            world.process(receiver, public(state, signed(state, update)))
    alice = world.states["alice"]
    with dishonest():
        bad = forged_commit(alice, world.environment, *alice.proposals)
    refused_by(world, "dave", rules.SIGNATURE_KEY_IS_UNIQUE, bad.sent_by(alice))


@breaks(rules.ENCRYPTION_KEY_IS_UNIQUE)
def test_encryption_key_is_unique() -> None:
    world = _world()
    rule, key = rules.ENCRYPTION_KEY_IS_UNIQUE, _leaf(world, "carol").encryption_key
    bundle = forged_key_package(world.key_package("mallory"), leaf={"encryption_key": key})
    refused_in_tree(world, rule, bundle)
    refused_in_add(world, rule, bundle)
    refused_in_update(world, rule, forged_update(world.states["bob"], world.environment, encryption_key=key))


@breaks(rules.ENCRYPTION_KEY_IS_UNIQUE)
def test_encryption_key_is_unique__parent() -> None:
    world = _world()
    rule, tree = rules.ENCRYPTION_KEY_IS_UNIQUE, world.states["alice"].public.tree
    root = tree.node(tree.root)
    assert isinstance(root, ParentNode)
    bundle = forged_key_package(world.key_package("mallory"), leaf={"encryption_key": root.encryption_key})
    refused_in_tree(world, rule, bundle)
    refused_in_add(world, rule, bundle)


@breaks(rules.ENCRYPTION_KEY_IS_UNIQUE)
def test_encryption_key_is_unique__two_adds() -> None:
    world = _world()
    first = world.key_package("dave").key_package
    second = forged_key_package(
        world.key_package("erin"), leaf={"encryption_key": first.leaf_node.encryption_key}
    ).key_package
    alice = world.states["alice"]
    with refused(rules.ENCRYPTION_KEY_IS_UNIQUE):
        commit(alice, world.environment, now=world.now, proposals=[Add(first), Add(second)])
    with dishonest():
        bad = forged_commit(alice, world.environment, Add(first), Add(second))
    refused_by(world, "bob", rules.ENCRYPTION_KEY_IS_UNIQUE, bad.sent_by(alice))

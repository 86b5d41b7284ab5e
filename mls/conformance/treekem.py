"""TreeKEM: update paths processed and made, by every member of a tree whose private keys are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mls.codec import UInt32, UInt64
from mls.conformance.checks import CheckError, at, expect, expect_equal
from mls.conformance.fields import Entry, Expected, Hex
from mls.conformance.keys import load_hpke_key, load_signature_key
from mls.conformance.stand_ins import LIMITS, permissive_environment
from mls.crypto.secret import Secret
from mls.crypto.suite import CipherSuite
from mls.group.applying import check_path
from mls.group.proposal_list import Applied
from mls.registry import MLS10
from mls.tree import math
from mls.tree.math import LeafIndex, NodeIndex
from mls.tree.private_tree import PrivateTree
from mls.tree.ratchet_tree import RatchetTree
from mls.tree.treekem import MergedPath, decrypt_path, derive_path, encrypt_path, new_path
from mls.wire.commit import UpdatePath
from mls.wire.group_context import GroupContext
from mls.wire.leaf_node import LeafNode
from mls.wire.tree import RatchetTreeExtension

if TYPE_CHECKING:
    from mls.crypto.kem import HPKEPrivateKey
    from mls.crypto.random import Random
    from mls.crypto.signature import SignaturePrivateKey
    from mls.group.environment import Environment

__all__ = ["TreeKEM"]


@dataclass(frozen=True, slots=True)
class KnownPathSecret:
    """A node's path secret, as a leaf below it knows it."""

    node: UInt32
    path_secret: Secret


@dataclass(frozen=True, slots=True)
class PrivateLeaf:
    """What one member knows."""

    index: UInt32
    encryption_priv: Hex
    signature_priv: Hex
    path_secrets: tuple[KnownPathSecret, ...]


@dataclass(frozen=True, slots=True)
class StatedPath:
    """One member's update path, and what the others make of it. Each is for the tree as given: none builds on another.

    `path_secrets` has a value for each leaf: what its member decrypts, null for the sender and for blank leaves.
    """

    sender: UInt32
    update_path: Expected[UpdatePath]
    path_secrets: Expected[tuple[Secret | None, ...]]
    commit_secret: Expected[Hex]
    tree_hash_after: Expected[Hex]


@dataclass(frozen=True, slots=True)
class TreeKEM(Entry):
    """A tree with all its members' private keys, and update paths for it."""

    cipher_suite: CipherSuite
    group_id: Hex
    epoch: UInt64
    confirmed_transcript_hash: Hex
    ratchet_tree: RatchetTreeExtension
    leaves_private: tuple[PrivateLeaf, ...]
    update_paths: tuple[StatedPath, ...]

    def check(self, random: Random) -> None:
        with at("ratchet_tree"):
            tree = RatchetTree.from_extension(self.cipher_suite, self.ratchet_tree, max_members=LIMITS.max_members)
        group = _Group(tree, self.group_id, self.epoch, self.confirmed_transcript_hash, permissive_environment(random))
        for position, leaf in enumerate(self.leaves_private):
            with at("leaves_private", position):
                group.admit(leaf)
        missing = [index for index, _ in tree.members() if index not in group.private_trees]
        expect(not missing, f"does not have the keys of leaves {missing}", "leaves_private")
        expect(bool(self.update_paths), "is empty", "update_paths")
        for position, stated in enumerate(self.update_paths):
            with at("update_paths", position):
                _check_stated_path(group, stated)
                _check_created_path(group, LeafIndex(stated.sender))


@dataclass(frozen=True, slots=True)
class _Group:
    """The public tree, and every member's private state."""

    tree: RatchetTree
    group_id: bytes
    epoch: int
    confirmed_transcript_hash: bytes
    environment: Environment
    private_trees: dict[LeafIndex, PrivateTree] = field(default_factory=dict)
    signature_keys: dict[LeafIndex, SignaturePrivateKey] = field(default_factory=dict)

    def admit(self, private: PrivateLeaf) -> None:
        """Take in one member's private state, after checking it against the public tree."""
        suite, index = self.tree.suite, LeafIndex(private.index)
        expect(index not in self.private_trees, f"leaf {index} stands here twice", "index")
        leaf = self.leaf(index, "index")
        with at("encryption_priv"):
            keys = {math.leaf_node_index(index): load_hpke_key(suite, private.encryption_priv)}
            _expect_key_fits(keys[math.leaf_node_index(index)], leaf.encryption_key)
        with at("signature_priv"):
            signature_key = load_signature_key(suite, private.signature_priv)
            expect_equal(signature_key.public_key, leaf.signature_key)
        for position, known in enumerate(private.path_secrets):
            with at("path_secrets", position):
                node = NodeIndex(known.node)
                expect(node in math.direct_path(index, self.tree.leaf_count), "is not above the leaf", "node")
                parent = self.tree.parent_node(node)
                _, (key,), _ = derive_path(suite, bytes(known.path_secret.value), 1)
                _expect_key_fits(key, None if parent is None else parent.encryption_key)
                keys[node] = key
        self.private_trees[index] = PrivateTree(index, keys)
        self.signature_keys[index] = signature_key

    def leaf(self, index: LeafIndex, place: str) -> LeafNode:
        """Return a member's leaf."""
        leaf = self.tree.leaf(index)
        if leaf is None:
            raise CheckError((place,), f"leaf {index} is blank, or outside the tree")
        return leaf

    def merge(self, sender: LeafIndex, path: UpdatePath) -> MergedPath:
        """Check a path as one in a Commit without proposals, and return it merged."""
        context = self.context(self.tree)
        old = self.leaf(sender, "sender")
        return check_path(path, sender, old, self.tree, Applied(self.tree, ()), context, self.environment)

    def context(self, tree: RatchetTree) -> GroupContext:
        """Return the context that the path to `tree` is encrypted under."""
        return GroupContext(
            MLS10,
            tree.suite.number,
            self.group_id,
            self.epoch,
            tree.tree_hash(),
            self.confirmed_transcript_hash,
            (),
        )

    def decrypt(self, receiver: LeafIndex, path: UpdatePath, merged: MergedPath) -> tuple[list[HPKEPrivateKey], bytes]:
        """Have a member decrypt a path; return its new private keys, from the lowest node up, and the commit secret."""
        context = self.context(merged.tree).encode()
        keys, commit_secret = decrypt_path(merged, self.private_trees[receiver], path, context)
        return list(keys.values()), commit_secret


def _expect_key_fits(key: HPKEPrivateKey, public_key: bytes | None) -> None:
    expect(public_key is not None, "the node is blank")
    expect_equal(key.public_key, public_key)


def _check_stated_path(group: _Group, stated: StatedPath) -> None:
    """Have everyone process the vector's path."""
    sender = LeafIndex(stated.sender)
    group.leaf(sender, "sender")
    with at("update_path"):
        merged = group.merge(sender, stated.update_path)
    expect_equal(merged.tree.tree_hash(), stated.tree_hash_after, "tree_hash_after")
    with at("path_secrets"):
        leaves = group.tree.leaf_count
        expect(len(stated.path_secrets) == leaves, f"has {len(stated.path_secrets)} values for {leaves} leaves")
        for index, secret in enumerate(stated.path_secrets):
            with at(index):
                receives = index in group.private_trees and index != sender
                expect((secret is not None) == receives, "is null" if receives else "should be null")
    public_keys = _PathKeys(group.tree.suite)
    for index, secret in enumerate(stated.path_secrets):
        if secret is None:
            continue
        with at("update_path", "for_leaf", index):
            keys, commit_secret = group.decrypt(LeafIndex(index), stated.update_path, merged)
        # The engine hands out no path secrets: see whether this one gives the keys that it derived.
        with at("path_secrets", index):
            expect_equal(group.tree.suite.Nh, len(secret), "length")  # HMAC would not mind zeros at the end
            same = public_keys.from_secret(secret, len(keys)) == [key.public_key for key in keys]
            expect(same, "is not what the member decrypts")
        expect_equal(commit_secret, stated.commit_secret, "commit_secret")


class _PathKeys:
    """The public keys that path secrets lead to, kept: all members below a node have the same secret."""

    def __init__(self, suite: CipherSuite) -> None:
        self._suite = suite
        self._known: dict[tuple[bytes, int], list[bytes]] = {}

    def from_secret(self, path_secret: Secret, count: int) -> list[bytes]:
        """Return `count` public keys, from the lowest node up."""
        given = bytes(path_secret.value), count
        if given not in self._known:
            _, keys, _ = derive_path(self._suite, *given)
            self._known[given] = [key.public_key for key in keys]
        return self._known[given]


def _check_created_path(group: _Group, sender: LeafIndex) -> None:
    """Make a path for the same sender, and have everyone process that."""
    random = group.environment.random
    with at("created"):
        fresh = new_path(
            group.tree,
            sender,
            group.leaf(sender, "sender"),
            group_id=group.group_id,
            signature_key=group.signature_keys[sender],
            random=random,
        )
        path = encrypt_path(fresh, group.context(fresh.tree).encode(), (), random)
        path = UpdatePath.decode(path.encode())
        merged = group.merge(sender, path)
        expect_equal(merged.tree.tree_hash(), fresh.tree.tree_hash(), "tree_hash")
        for receiver in group.private_trees:
            if receiver != sender:
                with at("for_leaf", receiver):
                    _, commit_secret = group.decrypt(receiver, path, merged)
                    expect_equal(commit_secret, fresh.commit_secret, "commit_secret")

"""TreeKEM: update paths processed and made, by every member of a tree whose private keys are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mls.codec import UInt32, UInt64
from mls.conformance.checks import at, expect, expect_equal
from mls.conformance.fields import Entry, Expected, Hex
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
from mls.tree.treekem import decrypt_path, derive_path, encrypt_path, new_path
from mls.wire.commit import UpdatePath
from mls.wire.group_context import GroupContext
from mls.wire.leaf_node import LeafNode
from mls.wire.tree import RatchetTreeExtension

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mls.crypto.kem import HPKEPrivateKey
    from mls.crypto.random import Random
    from mls.crypto.signature import SignaturePrivateKey
    from mls.group.environment import Environment

__all__ = ["TreeKEM"]


@dataclass(frozen=True, slots=True)
class KnownPathSecret:
    """A node's path secret, known to a leaf below."""

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
    """One member's update path, and what the others make of it. Each stands alone: none builds on another.

    `path_secrets` has a value for each leaf: what its member decrypts, null for the sender and for blank leaves.
    """

    sender: UInt32
    update_path: UpdatePath
    path_secrets: Expected[tuple[Secret | None, ...]]
    commit_secret: Expected[Hex]
    tree_hash_after: Expected[Hex]


@dataclass(frozen=True, slots=True)
class _Member:
    """A member with its private state."""

    private_tree: PrivateTree
    signature_key: SignaturePrivateKey


@dataclass(frozen=True, slots=True)
class TreeKEM(Entry):
    """A tree with all members' private keys, and update paths for it."""

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
        members: dict[LeafIndex, _Member] = {}
        for position, leaf in enumerate(self.leaves_private):
            with at("leaves_private", position):
                expect(leaf.index not in members, "index", "has had its keys before")
                members[LeafIndex(leaf.index)] = _load_member(leaf, tree)
        present = {index for index, _ in tree.members()}
        expect(members.keys() == present, "leaves_private", "does not have the keys of all members")
        for position, stated in enumerate(self.update_paths):
            with at("update_paths", position):
                self._check_stated_path(stated, tree, members, permissive_environment(random))

    def _check_stated_path(
        self, stated: StatedPath, tree: RatchetTree, members: Mapping[LeafIndex, _Member], environment: Environment
    ) -> None:
        sender = LeafIndex(stated.sender)
        leaf = tree.leaf(sender)
        if leaf is None:
            expect(holds=False, place="sender", reason="is not a member")
            return
        with at("update_path"):
            merged = self._merge(stated.update_path, sender, leaf, tree, environment)
        expect_equal(merged.tree_hash(), stated.tree_hash_after, "tree_hash_after")
        with at("path_secrets"):
            expect_equal(tree.leaf_count, len(stated.path_secrets), "length")
            for index, secret in enumerate(stated.path_secrets):
                receives = index in members and index != sender
                expect((secret is not None) == receives, index, "should be null" if secret else "is null")
        for index, secret in enumerate(stated.path_secrets):
            if secret is None:
                continue
            private_tree = members[LeafIndex(index)].private_tree
            with at("path_secrets", index):
                keys, commit_secret = decrypt_path(
                    merged, private_tree, sender, stated.update_path, self._context(merged), ()
                )
                # The engine hands out no path secrets: see whether this one gives all that it derived.
                _, derived, following = derive_path(self.cipher_suite, bytes(secret.value), len(keys))
                expect(_bytes(derived) == _bytes(keys.values()), "", "is not what the member decrypts")
        with at("created"):
            self._check_created_path(sender, leaf, tree, members, environment)

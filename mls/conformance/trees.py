"""Ratchet trees' public part: changed by proposals, and validated as a joiner does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mls.codec import Struct, UInt32, struct
from mls.conformance.checks import CheckError, at, expect, expect_equal
from mls.conformance.fields import Entry, Expected, Hex
from mls.conformance.stand_ins import LIMITS, permissive_environment
from mls.crypto.suite import CipherSuite
from mls.group.tree_validation import check_tree
from mls.registry import MLS10
from mls.tree import math
from mls.tree.math import LeafIndex, NodeIndex
from mls.tree.ratchet_tree import RatchetTree
from mls.wire.group_context import GroupContext
from mls.wire.proposals import Add, Proposal, Remove, Update
from mls.wire.tree import RatchetTreeExtension

if TYPE_CHECKING:
    from mls.crypto.random import Random

__all__ = ["BareProposal", "TreeOperations", "TreeValidation"]


@struct()
class BareProposal(Struct):
    """A Proposal outside of any message, as the vectors have it: the engine only ever meets them inside."""

    proposal: Proposal


@dataclass(frozen=True, slots=True)
class TreeOperations(Entry):
    """A tree, a proposal, and the tree that it makes."""

    cipher_suite: CipherSuite
    tree_before: RatchetTreeExtension
    proposal: BareProposal
    proposal_sender: UInt32
    tree_hash_before: Expected[Hex]
    tree_after: Expected[Hex]
    tree_hash_after: Expected[Hex]

    def check(self, random: Random) -> None:  # noqa: ARG002 - the interface of every format
        suite = self.cipher_suite
        with at("tree_before"):
            before = RatchetTree.from_extension(suite, self.tree_before, max_members=LIMITS.max_members)
        expect_equal(before.tree_hash(), self.tree_hash_before, "tree_hash_before")
        with at("proposal"):
            after = self._apply(before)
        expect_equal(after.to_extension().encode(), self.tree_after, "tree_after")
        expect_equal(after.tree_hash(), self.tree_hash_after, "tree_hash_after")

    def _apply(self, tree: RatchetTree) -> RatchetTree:
        edit = tree.edit()
        match self.proposal.proposal:
            case Add(key_package=key_package):
                edit.add_leaf(key_package.leaf_node)
            case Update(leaf_node=leaf):
                expect(tree.leaf(self.proposal_sender) is not None, "is not a member", "sender")
                edit.update_leaf(LeafIndex(self.proposal_sender), leaf)
            case Remove(removed=removed):
                others = tree.member_count > 1 and tree.leaf(removed) is not None
                expect(others, "is not a member, or the only one", "removed")
                edit.remove_leaf(LeafIndex(removed))
                edit.truncate()
            case other:
                raise CheckError((), f"is a {type(other).__name__}, not an Add, Update or Remove")
        return edit.freeze()


@dataclass(frozen=True, slots=True)
class TreeValidation(Entry):
    """A tree with the resolution and tree hash of each node."""

    cipher_suite: CipherSuite
    tree: RatchetTreeExtension
    group_id: Hex
    resolutions: Expected[tuple[tuple[UInt32, ...], ...]]
    tree_hashes: Expected[tuple[Hex, ...]]

    def check(self, random: Random) -> None:
        suite = self.cipher_suite
        with at("tree"):
            tree = RatchetTree.from_extension(suite, self.tree, max_members=LIMITS.max_members)
        nodes = [NodeIndex(index) for index in range(math.node_count(tree.leaf_count))]
        expect_equal(len(nodes), len(self.resolutions), "resolutions")
        expect_equal(len(nodes), len(self.tree_hashes), "tree_hashes")
        for node in nodes:
            with at("resolutions"):
                expect_equal(tuple(tree.resolution(node)), self.resolutions[node], node)
            with at("tree_hashes"):
                expect_equal(tree.tree_hash(node), self.tree_hashes[node], node)
        # Parent hashes and leaf signatures, and all else that a joiner checks.
        context = GroupContext(MLS10, suite.number, self.group_id, 0, tree.tree_hash(), b"", ())
        with at("tree"):
            check_tree(tree, context, permissive_environment(random))

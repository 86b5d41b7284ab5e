"""The whole tree, as a joiner must check it (RFC 9420, section 12.4.3.1)."""

from __future__ import annotations

from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from mls import rules
from mls.group.leaf_validation import PendingChecks, check_leaf, check_leaf_against_members
from mls.tree import math
from mls.tree.parent_hash import verify_parent_hashes
from mls.tree.ratchet_tree import RatchetTree
from mls.wire.tree import RatchetTreeExtension

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mls.crypto.suite import CipherSuite
    from mls.group.environment import Environment
    from mls.tree.math import LeafIndex, NodeIndex
    from mls.wire.group_context import GroupContext

__all__ = ["check_tree", "load_tree"]


def load_tree(
    suite: CipherSuite, extension: RatchetTreeExtension, context: GroupContext, environment: Environment
) -> RatchetTree:
    """Return the tree of a group that is about to be joined, all checks passed. Raises `RuleError`."""
    tree = RatchetTree.from_extension(suite, extension, max_members=environment.limits.max_members)
    rules.TREE_HASH_MATCHES.require(tree.tree_hash() == context.tree_hash)
    check_tree(tree, context, environment)
    return tree


def check_tree(tree: RatchetTree, context: GroupContext, environment: Environment) -> None:
    """Check every node of a tree. Raises `RuleError`."""
    for place, node in tree.parents():
        well_formed = tree.suite.is_hpke_public_key(node.encryption_key)
        rules.ENCRYPTION_KEY_IS_WELL_FORMED.require(well_formed, f"node {place}")
    _check_unmerged_leaves(tree)
    verify_parent_hashes(tree)
    checks = PendingChecks(tree.suite)
    for index, leaf in tree.members():
        check_leaf(leaf, index, context.group_id, environment, checks)
    for _, leaf in tree.members():
        check_leaf_against_members(leaf, tree, context.extensions)
    checks.settle()


def _check_unmerged_leaves(tree: RatchetTree) -> None:
    listed = {index: frozenset(node.unmerged_leaves) for index, node in tree.parents()}
    for index, node in tree.parents():
        unmerged = node.unmerged_leaves
        rules.UNMERGED_LEAVES_ARE_SORTED.require(all(a < b for a, b in pairwise(unmerged)), f"node {index}")
        below = math.leaves_below(index)
        for leaf in unmerged:
            rules.UNMERGED_LEAF_IS_A_DESCENDANT.require(
                leaf in below and tree.leaf(leaf) is not None, f"leaf {leaf} at node {index}"
            )
            rules.UNMERGED_LEAF_IS_LISTED_BETWEEN.require(
                _is_listed_between(tree, listed, math.LeafIndex(leaf), index), f"leaf {leaf} at node {index}"
            )


def _is_listed_between(
    tree: RatchetTree, listed: Mapping[NodeIndex, frozenset[int]], leaf: LeafIndex, top: NodeIndex
) -> bool:
    """Return whether each non-blank parent node between a leaf and `top` lists the leaf as unmerged."""
    between = takewhile(lambda index: index != top, math.direct_path(leaf, tree.leaf_count))
    return all(leaf in listed[index] for index in between if index in listed)

"""Parent hashes (RFC 9420, section 7.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls import rules
from mls.tree import math
from mls.tree.hash_inputs import leaf_hash_input, parent_hash_input
from mls.wire.leaf_node import CommitSource, LeafNode
from mls.wire.tree import AnyNode, ParentHashInput, ParentNode

if TYPE_CHECKING:
    from mls.tree.math import NodeIndex
    from mls.tree.ratchet_tree import RatchetTree

__all__ = ["parent_hash", "verify_parent_hashes"]


def parent_hash(tree: RatchetTree, node: ParentNode, sibling: NodeIndex) -> bytes:
    """Return the parent hash of `node` with copath child `sibling`: `Nh` bytes."""
    original = _original_tree_hash(tree, sibling, frozenset(node.unmerged_leaves))
    return tree.suite.hash(ParentHashInput(node.encryption_key, node.parent_hash, original).encode())


def _original_tree_hash(tree: RatchetTree, index: NodeIndex, removed: frozenset[int]) -> bytes:
    """Return the tree hash of a subtree as it was before the leaves in `removed` were added."""
    if not removed:  # as after every path: the rest is for joiners
        return tree.tree_hash(index)
    below = math.leaves_below(index)
    here = frozenset(leaf for leaf in removed if leaf in below)
    if not here:
        return tree.tree_hash(index)
    node = tree.node(index)
    if index & 1 == 0:
        return tree.suite.hash(leaf_hash_input(index // 2, None))
    if isinstance(node, ParentNode) and here.intersection(node.unmerged_leaves):
        node = node.replace(unmerged_leaves=tuple(leaf for leaf in node.unmerged_leaves if leaf not in here))
    left = _original_tree_hash(tree, math.left(index), here)
    right = _original_tree_hash(tree, math.right(index), here)
    return tree.suite.hash(parent_hash_input(node, left, right))


def verify_parent_hashes(tree: RatchetTree) -> None:
    """Check that each non-blank parent node is parent-hash valid (section 7.9.2). Raises `ValidationError`.

    From the top down: exactly one descendant of each parent node must carry its parent hash.
    """
    for index, node in tree.parents():
        unmerged = frozenset(node.unmerged_leaves)
        left, right = math.left(index), math.right(index)
        found = _count_children(tree, node, left, right, unmerged) + _count_children(tree, node, right, left, unmerged)
        rules.TREE_IS_PARENT_HASH_VALID.require(found == 1, f"node {index}")


def _count_children(
    tree: RatchetTree, node: ParentNode, child: NodeIndex, sibling: NodeIndex, unmerged: frozenset[int]
) -> int:
    """Return how many nodes below `child` have a parent hash that is valid with respect to `node`."""
    resolution = tree.resolution(child)
    below = math.leaves_below(child)
    unmerged_here = {2 * leaf for leaf in unmerged if leaf in below}
    # All of the resolution but the node itself must be unmerged at `node`: anything else rules the side out.
    candidates = [index for index in resolution if index not in unmerged_here]
    if len(candidates) != 1 or len(resolution) != len(unmerged_here) + 1:
        return 0
    found = _parent_hash_of(tree.node(candidates[0]))
    return 1 if found is not None and found == parent_hash(tree, node, sibling) else 0


def _parent_hash_of(node: AnyNode | None) -> bytes | None:
    match node:
        case ParentNode():
            return node.parent_hash
        case LeafNode(leaf_node_source=CommitSource(parent_hash=value)):
            return value
        case _:
            return None

"""Arithmetic of array-based trees (RFC 9420, appendix C).

Nodes are numbered from left to right, leaves and parents in turn; leaf `i` is node `2 * i`. A tree with 2**d
leaves is full, and everything follows from the bits of a node's index::

                              7
                      .-------+-------.
                      3               11
                  .---+---.       .---+---.
                  1       5       9       13
                .-+-.   .-+-.   .-+-.   .-+-.
                0   2   4   6   8   10  12  14      nodes
                0   1   2   3   4   5   6   7       leaves

A node's level is the number of one bits at the low end of its index.
"""

from __future__ import annotations

from typing import NewType

__all__ = [
    "LeafIndex",
    "NodeIndex",
    "common_ancestor",
    "copath",
    "direct_path",
    "full_leaf_count",
    "is_ancestor",
    "leaf_node_index",
    "leaves_below",
    "left",
    "level",
    "node_count",
    "parent",
    "right",
    "root",
    "sibling",
]

LeafIndex = NewType("LeafIndex", int)
NodeIndex = NewType("NodeIndex", int)


def level(node: NodeIndex) -> int:
    """Return the node's height above the leaves: 0 for a leaf."""
    return (~node & (node + 1)).bit_length() - 1


def node_count(leaf_count: int) -> int:
    """Return how many nodes a full tree with `leaf_count` leaves has."""
    return 2 * leaf_count - 1


def full_leaf_count(nodes: int) -> int:
    """Return the leaves of the smallest full tree that has room for `nodes` nodes from the left."""
    return 1 << (nodes // 2).bit_length()


def leaf_node_index(leaf: LeafIndex) -> NodeIndex:
    """Return the node at which a leaf stands."""
    return NodeIndex(2 * leaf)


def root(leaf_count: int) -> NodeIndex:
    """Return the root of a full tree."""
    return NodeIndex(leaf_count - 1)


def left(node: NodeIndex) -> NodeIndex:
    """Return the left child of a parent node."""
    return NodeIndex(node ^ (1 << (level(node) - 1)))


def right(node: NodeIndex) -> NodeIndex:
    """Return the right child of a parent node."""
    return NodeIndex(node ^ (3 << (level(node) - 1)))


def parent(node: NodeIndex) -> NodeIndex:
    """Return the node's parent. The caller knows that it is not the root."""
    bit = 1 << level(node)
    return NodeIndex((node | bit) & ~(bit << 1))


def sibling(node: NodeIndex) -> NodeIndex:
    """Return the other child of the node's parent. The caller knows that it is not the root."""
    return NodeIndex(node ^ (2 << level(node)))


def direct_path(leaf: LeafIndex, leaf_count: int) -> list[NodeIndex]:
    """Return the leaf's ancestors, from its parent up to the root."""
    path = []
    node, bit = 2 * leaf, 1
    while bit < leaf_count:
        node = (node | bit) & ~(bit << 1)
        path.append(NodeIndex(node))
        bit <<= 1
    return path


def copath(leaf: LeafIndex, leaf_count: int) -> list[NodeIndex]:
    """Return, for each node of the direct path, its child that is not an ancestor of the leaf."""
    path = [leaf_node_index(leaf), *direct_path(leaf, leaf_count)]
    return [sibling(node) for node in path[:-1]]


def is_ancestor(node: NodeIndex, leaf: LeafIndex) -> bool:
    """Return whether the leaf stands below `node`, or is it."""
    height = level(node)
    return node >> (height + 1) == (2 * leaf) >> (height + 1)


def leaves_below(node: NodeIndex) -> range:
    """Return the indices of the leaves below `node`."""
    half = (1 << level(node)) - 1
    return range((node - half) // 2, (node + half) // 2 + 1)


def common_ancestor(a: LeafIndex, b: LeafIndex) -> NodeIndex:
    """Return the lowest node that is above both leaves (the leaf's own node if they are the same)."""
    height = (a ^ b).bit_length()
    return NodeIndex((((2 * a) >> (height + 1)) << (height + 1)) + (1 << height) - 1)

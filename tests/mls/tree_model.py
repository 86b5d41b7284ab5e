"""The ratchet tree as the RFC describes it: leaf ranges and recursion instead of indices and bits, and no shortcut."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count as counting
from typing import TYPE_CHECKING, TypeAlias

from mls.crypto.suite import CIPHER_SUITES
from mls.group.creation import default_capabilities
from mls.tree.math import NodeIndex
from mls.wire.credentials import BasicCredential, UnknownCredential
from mls.wire.leaf_node import Capabilities, LeafNode, UpdateSource
from mls.wire.tree import ParentNode

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SUITE", "Model", "below", "children", "fresh_leaf", "fresh_parent", "number", "path_to"]

SUITE = CIPHER_SUITES[1]

Subtree: TypeAlias = tuple[int, int]
"""The leaves below a node: the first one, and the one behind the last."""


def number(subtree: Subtree) -> NodeIndex:
    """Return a node's index: nodes are numbered in order, and before its middle stand all below its left child."""
    first, end = subtree
    return NodeIndex(2 * first + (end - first) - 1)


def children(subtree: Subtree) -> list[Subtree]:
    first, end = subtree
    middle = (first + end) // 2
    return [] if end - first == 1 else [(first, middle), (middle, end)]


def below(subtree: Subtree) -> Iterator[Subtree]:
    """Yield a subtree's nodes from left to right."""
    match children(subtree):
        case [left, right]:
            yield from below(left)
            yield subtree
            yield from below(right)
        case _:
            yield subtree


def path_to(leaf: int, subtree: Subtree) -> list[Subtree]:
    """Return the nodes above a leaf, from the top down, and the leaf's own."""
    following = [child for child in children(subtree) if child[0] <= leaf < child[1]]
    return [subtree, *(node for child in following for node in path_to(leaf, child))]


_serial = counting()

KINDS = [
    default_capabilities([1]),
    default_capabilities([1], extensions=[0xF001], proposals=[0xF001, 0xF002]),
    Capabilities((1,), (1,), (0xF001,), (0xF002,), (1, 0xF001)),
]


def fresh_leaf(kind: int = 0) -> LeafNode:
    """Return a leaf with keys that no other has. Nobody looks at its signature here."""
    serial = next(_serial).to_bytes(32, "big")
    credential = UnknownCredential(0xF001, serial) if kind == 2 else BasicCredential(serial)
    return LeafNode(b"e" + serial, b"s" + serial, credential, KINDS[kind], UpdateSource(), (), b"")


def fresh_parent(unmerged: tuple[int, ...] = ()) -> ParentNode:
    return ParentNode(b"p" + next(_serial).to_bytes(32, "big"), b"", unmerged)


@dataclass
class Model:
    """A tree as the RFC describes it: leaves in a row, and parents over ranges of them."""

    leaves: list[LeafNode | None]
    parents: dict[Subtree, ParentNode] = field(default_factory=dict)

    @property
    def whole(self) -> Subtree:
        return 0, len(self.leaves)

    def above(self, leaf: int) -> list[Subtree]:
        return path_to(leaf, self.whole)[:-1]

    def blank_above(self, leaf: int) -> None:
        for node in self.above(leaf):
            self.parents.pop(node, None)

    def add(self, node: LeafNode) -> int:
        if None not in self.leaves:
            self.leaves += [None] * len(self.leaves)
        place = self.leaves.index(None)
        self.leaves[place] = node
        for above in self.above(place):
            if above in self.parents:
                unmerged = tuple(sorted({*self.parents[above].unmerged_leaves, place}))
                self.parents[above] = self.parents[above].replace(unmerged_leaves=unmerged)
        return place

    def remove(self, leaf: int) -> None:
        self.blank_above(leaf)
        self.leaves[leaf] = None

    def truncate(self) -> None:
        while len(self.leaves) > 1 and not any(self.leaves[len(self.leaves) // 2 :]):
            del self.leaves[len(self.leaves) // 2 :]
        self.parents = {node: parent for node, parent in self.parents.items() if node[1] <= len(self.leaves)}

    def resolution(self, node: Subtree, excluded: frozenset[int] = frozenset()) -> list[NodeIndex]:
        if node in self.parents:
            unmerged = [leaf for leaf in self.parents[node].unmerged_leaves if leaf not in excluded]
            return [number(node), *(number((leaf, leaf + 1)) for leaf in unmerged)]
        if not children(node):
            leaf = node[0]
            return [] if self.leaves[leaf] is None or leaf in excluded else [number(node)]
        return [index for child in children(node) for index in self.resolution(child, excluded)]

    def filtered_path(self, leaf: int) -> list[tuple[Subtree, Subtree]]:
        path = path_to(leaf, self.whole)
        pairs = [(node, child) for node in path[:-1] for child in children(node) if child not in path]
        return [(node, child) for node, child in reversed(pairs) if self.resolution(child)]

    def set_path(self, leaf: int) -> dict[Subtree, ParentNode]:
        path = {node: fresh_parent() for node, _ in self.filtered_path(leaf)}
        self.blank_above(leaf)
        self.parents |= path
        return path

    def members(self) -> list[int]:
        return [index for index, leaf in enumerate(self.leaves) if leaf is not None]

    def tree_hash(self, node: Subtree) -> bytes:
        """Section 7.8, word for word."""
        match children(node):
            case [left, right]:
                parent = self.parents.get(node)
                hashes = b"".join(b"\x20" + self.tree_hash(child) for child in (left, right))
                return SUITE.hash(b"\x02" + (b"\0" if parent is None else b"\x01" + parent.encode()) + hashes)
            case _:
                leaf = self.leaves[node[0]]
                content = b"\0" if leaf is None else b"\x01" + leaf.encode()
                return SUITE.hash(b"\x01" + node[0].to_bytes(4, "big") + content)

"""The ratchet tree's public part (RFC 9420, sections 4.1, 7.7, 7.8 and 12.1).

`RatchetTree` is immutable. `edit()` gives a working copy, `TreeEdit.freeze()` the next tree. What did not change
is shared: nodes and tree hashes are the same objects in both, so a change costs a copy of two lists of pointers
and the hashes on the changed paths.
"""

from __future__ import annotations

from bisect import insort
from itertools import compress
from typing import TYPE_CHECKING

from mls import rules
from mls.tree import math
from mls.tree.census import Census, Counts, count, uncount
from mls.tree.hash_inputs import leaf_hash_input, parent_hash_input
from mls.tree.math import LeafIndex, NodeIndex
from mls.wire.leaf_node import LeafNode
from mls.wire.tree import AnyNode, ParentNode, RatchetTreeExtension

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mls.crypto.suite import CipherSuite

__all__ = ["RatchetTree", "TreeEdit"]

EMPTY: frozenset[int] = frozenset()


class RatchetTree:
    """An immutable ratchet tree. Its size is a power of two; blank nodes are `None`."""

    __slots__ = (
        "_census",
        "_counts",
        "_hashes",
        "_nodes",
        "encryption_keys",
        "last_leaf",
        "leaf_count",
        "member_count",
        "signature_keys",
        "suite",
    )

    def __init__(
        self,
        suite: CipherSuite,
        nodes: list[AnyNode | None],
        hashes: list[bytes | None],
        encryption_keys: dict[bytes, NodeIndex],
        signature_keys: dict[bytes, LeafIndex],
        counts: Counts,
        last_leaf: LeafIndex | None = None,
        census: Census | None = None,
    ) -> None:
        """Take ownership of what is given: for `TreeEdit`; see `from_extension` and `single`."""
        self.suite = suite
        self._nodes = nodes
        self._hashes = hashes
        self.leaf_count = (len(nodes) + 1) // 2
        self.encryption_keys = encryption_keys
        self.signature_keys = signature_keys
        self.member_count = len(signature_keys)
        self.last_leaf = max(signature_keys.values(), default=LeafIndex(0)) if last_leaf is None else last_leaf
        self._counts = counts
        self._census = census

    @classmethod
    def single(cls, suite: CipherSuite, leaf: LeafNode) -> RatchetTree:
        """Return the tree of a new group: its creator's leaf alone."""
        keys = {leaf.encryption_key: NodeIndex(0)}
        counts: Counts = {}
        count(counts, leaf)
        return cls(suite, [leaf], [None], keys, {leaf.signature_key: LeafIndex(0)}, counts)

    @classmethod
    def from_extension(cls, suite: CipherSuite, extension: RatchetTreeExtension, *, max_members: int) -> RatchetTree:
        """Return the tree that a `ratchet_tree` extension describes.

        Checks the shape and that keys are unique (sections 12.4.3.3, 12.4.3.1 and 7.3); the rest of a tree's
        validity needs a group: `mls.group.tree_validation`. Raises `RuleError`.
        """
        given = extension.nodes
        # No path sets a parent without members on both sides, so what stands last is a leaf.
        rules.TREE_LAST_NODE_IS_NOT_BLANK.require(bool(given) and isinstance(given[-1], LeafNode))
        leaf_count = math.full_leaf_count(len(given))
        rules.TREE_IS_WITHIN_LIMITS.require(leaf_count < 2 * max_members, f"{leaf_count} leaves")
        nodes = [*given, *[None] * (math.node_count(leaf_count) - len(given))]
        encryption_keys: dict[bytes, NodeIndex] = {}
        signature_keys: dict[bytes, LeafIndex] = {}
        counts: Counts = {}
        for index, node in enumerate(nodes):
            if node is None:
                continue
            is_leaf = isinstance(node, LeafNode)
            rules.TREE_NODES_ALTERNATE.require(is_leaf == (index % 2 == 0), f"node {index}")
            if isinstance(node, LeafNode):
                rules.ENCRYPTION_KEY_IS_UNIQUE.require(node.encryption_key not in encryption_keys, f"node {index}")
                rules.SIGNATURE_KEY_IS_UNIQUE.require(node.signature_key not in signature_keys, f"node {index}")
                signature_keys[node.signature_key] = LeafIndex(index // 2)
                count(counts, node)
            else:
                rules.PARENT_KEY_IS_UNIQUE.require(node.encryption_key not in encryption_keys, f"node {index}")
            encryption_keys[node.encryption_key] = NodeIndex(index)
        rules.TREE_IS_WITHIN_LIMITS.require(len(signature_keys) <= max_members, f"{len(signature_keys)} members")
        return cls(suite, nodes, [None] * len(nodes), encryption_keys, signature_keys, counts)

    def to_extension(self) -> RatchetTreeExtension:
        """Return the tree as a `ratchet_tree` extension's content, without the blank nodes at its right end."""
        return RatchetTreeExtension(tuple(self._nodes[: 2 * self.last_leaf + 1]))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RatchetTree):
            return NotImplemented
        return self.suite is other.suite and self._nodes == other._nodes

    __hash__ = None  # type: ignore[assignment]  # nobody needs trees as keys; hashing 1,000 nodes would be a trap

    def __repr__(self) -> str:
        return f"<RatchetTree: {self.member_count} members, {self.leaf_count} leaves>"

    # Reading

    @property
    def root(self) -> NodeIndex:
        """The root node's index."""
        return math.root(self.leaf_count)

    @property
    def census(self) -> Census:
        """What the members support, together."""
        if self._census is None:
            self._census = Census(self._counts)
        return self._census

    def node(self, index: NodeIndex) -> AnyNode | None:
        """Return the node at `index`, `None` if it is blank."""
        return self._nodes[index]

    def leaf(self, index: int) -> LeafNode | None:
        """Return the leaf at `index`; `None` if it is blank or lies outside the tree."""
        if not 0 <= index < self.leaf_count:
            return None
        leaf = self._nodes[2 * index]
        return leaf if isinstance(leaf, LeafNode) else None

    def parent_node(self, index: NodeIndex) -> ParentNode | None:
        """Return the parent node at `index`; `None` if it is blank."""
        node = self._nodes[index]
        return node if isinstance(node, ParentNode) else None

    def members(self) -> Iterator[tuple[LeafIndex, LeafNode]]:
        """Yield each member's leaf with its index, from left to right."""
        for index, node in enumerate(self._nodes[::2]):
            if isinstance(node, LeafNode):
                yield LeafIndex(index), node

    def parents(self) -> Iterator[tuple[NodeIndex, ParentNode]]:
        """Yield each parent node that is not blank, with its index."""
        for index, node in enumerate(self._nodes[1::2]):
            if isinstance(node, ParentNode):
                yield NodeIndex(2 * index + 1), node

    def resolution(self, index: NodeIndex, excluded: Collection[int] = EMPTY) -> list[NodeIndex]:
        """Return the node's resolution (section 4.1.1) without the leaves in `excluded` (section 7.5)."""
        found: list[NodeIndex] = []
        nodes, last = self._nodes, self.last_leaf
        pending = [(index, (1 << math.level(index)) >> 1)]  # a node, and how far its children are from it
        while pending:
            index, reach = pending.pop()
            node = nodes[index]
            if node is None:
                first, end = index - 2 * reach + 1, index + 2 * reach
                if not reach or first > 2 * last:
                    continue  # no member below
                if any(nodes[first + 1 : end : 2]):
                    pending.append((NodeIndex(index + reach), reach >> 1))
                    pending.append((NodeIndex(index - reach), reach >> 1))
                else:  # leaves alone: found without a walk, as in a large group where few have committed
                    leaves = map(NodeIndex, compress(range(first, end, 2), nodes[first:end:2]))
                    found += [leaf for leaf in leaves if leaf // 2 not in excluded] if excluded else leaves
            elif isinstance(node, ParentNode):
                found.append(index)
                found += [NodeIndex(2 * leaf) for leaf in node.unmerged_leaves if leaf not in excluded]
            elif index // 2 not in excluded:
                found.append(index)
        return found

    def encryption_keys_below(self, index: NodeIndex, excluded: Collection[int] = EMPTY) -> list[bytes]:
        """Return the public keys of the node's resolution, in its order."""
        found = (self._nodes[place] for place in self.resolution(index, excluded))
        return [node.encryption_key for node in found if node is not None]

    def is_empty_below(self, index: NodeIndex) -> bool:
        """Return whether the node's resolution is empty: whether nothing at or below it is set."""
        half = (1 << math.level(index)) - 1
        first = index - half
        if first > 2 * self.last_leaf:
            return True
        if self._nodes[index] is not None or self._nodes[first] is not None:
            return False
        return not any(self._nodes[first : index + half + 1])

    def filtered_direct_path(self, leaf: LeafIndex) -> list[tuple[NodeIndex, NodeIndex]]:
        """Return the filtered direct path of a leaf, from the leaf up: each node with its child on the copath."""
        path = math.direct_path(leaf, self.leaf_count)
        pairs = zip(path, math.copath(leaf, self.leaf_count), strict=True)
        return [(node, child) for node, child in pairs if not self.is_empty_below(child)]

    # Tree hashes (section 7.8)

    def tree_hash(self, index: NodeIndex | None = None) -> bytes:
        """Return the tree hash of a node, the root's if none is named. Computed once for each node."""
        index = self.root if index is None else index
        return self._hashes[index] or self._hash(index)

    def _hash(self, index: NodeIndex) -> bytes:
        node = self._nodes[index]
        if index & 1 == 0:
            value = self.suite.hash(leaf_hash_input(index // 2, node))
        else:
            left, right = math.left(index), math.right(index)
            hash_left = self._hashes[left] or self._hash(left)
            hash_right = self._hashes[right] or self._hash(right)
            value = self.suite.hash(parent_hash_input(node, hash_left, hash_right))
        self._hashes[index] = value  # a cache: the tree that can be seen does not change
        return value

    def edit(self) -> TreeEdit:
        """Return a working copy."""
        return TreeEdit(self)


class TreeEdit:
    """A ratchet tree that is being changed. `freeze` ends its use."""

    __slots__ = (
        "_counts",
        "_encryption_keys",
        "_hashes",
        "_last_leaf",
        "_next_blank",
        "_nodes",
        "_signature_keys",
        "_suite",
        "_tree",
    )

    def __init__(self, tree: RatchetTree) -> None:
        self._suite = tree.suite
        self._nodes = tree._nodes.copy()  # noqa: SLF001 - the two classes are one concept
        self._hashes = tree._hashes.copy()  # noqa: SLF001
        self._encryption_keys = tree.encryption_keys.copy()
        self._signature_keys = tree.signature_keys.copy()
        self._counts = tree._counts.copy()  # noqa: SLF001
        self._next_blank = 0
        self._last_leaf: LeafIndex | None = tree.last_leaf
        self._tree = tree

    def freeze(self) -> RatchetTree:
        """Return the tree as it is now."""
        census = self._tree.census if self._counts == self._tree._counts else None  # noqa: SLF001
        return RatchetTree(
            self._suite,
            self._nodes,
            self._hashes,
            self._encryption_keys,
            self._signature_keys,
            self._counts,
            self._last_leaf,
            census,
        )

    @property
    def leaf_count(self) -> int:
        """The number of leaves, blank ones included."""
        return (len(self._nodes) + 1) // 2

    def leaf(self, index: int) -> LeafNode | None:
        """Return the leaf at `index`; `None` if it is blank or lies outside the tree."""
        node = self._nodes[2 * index] if 0 <= index < self.leaf_count else None
        return node if isinstance(node, LeafNode) else None

    def leaves(self) -> Iterator[LeafNode]:
        """Yield the leaves that are not blank, from left to right."""
        return (node for node in self._nodes[::2] if isinstance(node, LeafNode))

    def has_encryption_key(self, key: bytes) -> bool:
        """Return whether any node has this key."""
        return key in self._encryption_keys

    def has_signature_key(self, key: bytes) -> bool:
        """Return whether any leaf has this key."""
        return key in self._signature_keys

    def update_leaf(self, leaf: LeafIndex, node: LeafNode) -> None:
        """Replace a leaf, and blank its direct path (section 12.1.2)."""
        self.blank_path(leaf)
        self.set_leaf(leaf, node)

    def vacate_leaf(self, leaf: LeafIndex) -> None:
        """Blank a leaf alone: for one that is about to be replaced, so that its keys are free."""
        self._set(math.leaf_node_index(leaf), None)

    def remove_leaf(self, leaf: LeafIndex) -> None:
        """Blank a leaf and its direct path (section 12.1.3). `truncate` follows when all are removed."""
        self.blank_path(leaf)
        self._set(math.leaf_node_index(leaf), None)
        self._next_blank = min(self._next_blank, leaf)

    def add_leaf(self, node: LeafNode) -> LeafIndex:
        """Put a leaf into the leftmost blank place, extending the tree if there is none (section 12.1.1)."""
        leaf = self.leftmost_blank()
        for index in math.direct_path(leaf, self.leaf_count):
            parent = self._nodes[index]
            if isinstance(parent, ParentNode):
                unmerged = list(parent.unmerged_leaves)
                insort(unmerged, leaf)  # section 7.1: in increasing order
                self._set(index, parent.replace(unmerged_leaves=tuple(unmerged)))
        self.set_leaf(leaf, node)
        return leaf

    def leftmost_blank(self) -> LeafIndex:
        """Return the leftmost blank leaf, extending the tree to the right if there is none (section 7.7)."""
        leaf = self._next_blank
        while leaf < self.leaf_count and self._nodes[2 * leaf] is not None:
            leaf += 1
        self._next_blank = leaf
        if leaf == self.leaf_count:
            new = len(self._nodes) + 1
            self._nodes += [None] * new
            self._hashes += [None] * new
        return LeafIndex(leaf)

    def truncate(self) -> None:
        """Halve the tree while its right half has no members (section 7.7)."""
        while self.leaf_count > 1 and not any(self._nodes[self.leaf_count :: 2]):
            half = self.leaf_count - 1
            for index in range(half, len(self._nodes)):
                self._set(NodeIndex(index), None)
            del self._nodes[half:]
            del self._hashes[half:]

    def blank_path(self, leaf: LeafIndex, replaced: Collection[NodeIndex] = ()) -> None:
        """Blank all nodes on the leaf's direct path, but those that are about to be replaced."""
        for index in math.direct_path(leaf, self.leaf_count):
            if self._nodes[index] is not None and index not in replaced:
                self._set(index, None)

    def set_leaf(self, leaf: LeafIndex, node: LeafNode) -> None:
        """Put a node at a leaf, whatever was there."""
        self._set(math.leaf_node_index(leaf), node)

    def set_parent(self, index: NodeIndex, node: ParentNode) -> None:
        """Put a node at a parent's place, whatever was there."""
        self._set(index, node)

    def _set(self, index: NodeIndex, node: AnyNode | None) -> None:
        old = self._nodes[index]
        if old is not None and self._encryption_keys.get(old.encryption_key) == index:
            del self._encryption_keys[old.encryption_key]
        if isinstance(old, LeafNode):
            if node is None and index // 2 == self._last_leaf:
                self._last_leaf = None
            uncount(self._counts, old)
            if self._signature_keys.get(old.signature_key) == index // 2:
                del self._signature_keys[old.signature_key]
        self._nodes[index] = node
        if node is not None:
            self._encryption_keys[node.encryption_key] = index
        if isinstance(node, LeafNode):
            self._signature_keys[node.signature_key] = LeafIndex(index // 2)
            count(self._counts, node)
            if self._last_leaf is not None:
                self._last_leaf = max(self._last_leaf, LeafIndex(index // 2))
        self._forget_hashes(index)

    def _forget_hashes(self, index: NodeIndex) -> None:
        """Drop the hashes of a node and its ancestors. Where one is dropped, those above it are too."""
        place, bit, top = int(index), 1 << math.level(index), math.root(self.leaf_count)
        while self._hashes[place] is not None:
            self._hashes[place] = None
            if place == top:
                return
            place = (place | bit) & ~(bit << 1)  # its parent, as in `math.parent`
            bit <<= 1

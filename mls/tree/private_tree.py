"""The private keys that one member knows of a ratchet tree (RFC 9420, section 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls.tree import math

if TYPE_CHECKING:
    from collections.abc import Iterator, KeysView, Mapping

    from mls.crypto.kem import HPKEPrivateKey
    from mls.crypto.secret import Secret
    from mls.tree.math import LeafIndex, NodeIndex
    from mls.tree.ratchet_tree import RatchetTree

__all__ = ["PrivateTree"]


class PrivateTree:
    """One member's leaf index and its private keys, by node. Immutable."""

    __slots__ = ("_keys", "leaf_index")

    def __init__(self, leaf_index: LeafIndex, keys: Mapping[NodeIndex, HPKEPrivateKey]) -> None:
        self.leaf_index = leaf_index
        self._keys = dict(keys)

    def __repr__(self) -> str:
        return f"<PrivateTree of leaf {self.leaf_index}: {len(self._keys)} keys>"

    @property
    def nodes(self) -> KeysView[NodeIndex]:
        """The nodes whose private keys this member knows."""
        return self._keys.keys()

    def key(self, index: NodeIndex) -> HPKEPrivateKey:
        """Return the private key of one of `nodes`."""
        return self._keys[index]

    def items(self) -> Iterator[tuple[NodeIndex, HPKEPrivateKey]]:
        """Yield each node with its private key."""
        yield from self._keys.items()

    @property
    def leaf_key(self) -> HPKEPrivateKey:
        """The private key of the member's own leaf."""
        return self._keys[math.leaf_node_index(self.leaf_index)]

    def updated(self, tree: RatchetTree, new: Mapping[NodeIndex, HPKEPrivateKey]) -> tuple[PrivateTree, list[Secret]]:
        """Return the keys that match `tree`, out of these and `new`, and the secrets of those that fell away.

        What a tree no longer holds, its owner must not keep (section 7.5).
        """
        keys: dict[NodeIndex, HPKEPrivateKey] = {}
        spent: list[Secret] = []
        for index, key in self._keys.items():
            node = tree.node(index) if index < 2 * tree.leaf_count - 1 else None
            if index not in new and node is not None and node.encryption_key == key.public_key:
                keys[index] = key
            else:
                spent.append(key.secret)
        return PrivateTree(self.leaf_index, keys | dict(new)), spent

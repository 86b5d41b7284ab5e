"""The ratchet tree's nodes on the wire (RFC 9420, sections 7.1, 7.8, 7.9 and 12.4.3.3)."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from mls.codec import Opaque, Struct, Tagged, UInt32, struct
from mls.registry import NodeType
from mls.wire.leaf_node import LeafNode

__all__ = ["AnyNode", "Node", "ParentHashInput", "ParentNode", "RatchetTreeExtension"]


@struct(retain=True)
class ParentNode(Struct):
    """An inner node: a key that the members below it share, but for those who have not been told yet."""

    encryption_key: Opaque
    parent_hash: Opaque
    unmerged_leaves: tuple[UInt32, ...]


@struct()
class ParentHashInput(Struct):
    """What a parent hash covers (section 7.9)."""

    encryption_key: Opaque
    parent_hash: Opaque
    original_sibling_tree_hash: Opaque


AnyNode: TypeAlias = LeafNode | ParentNode
Node: TypeAlias = Annotated[AnyNode, Tagged(NodeType, cases={NodeType.LEAF: LeafNode, NodeType.PARENT: ParentNode})]


@struct()
class RatchetTreeExtension(Struct):
    """`ratchet_tree`: the nodes from left to right, blank ones as absent, up to the last that is not blank."""

    nodes: tuple[Node | None, ...]

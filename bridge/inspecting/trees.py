"""Ratchet trees, in words: who is in, what is blank, and what a Commit has to encrypt to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from bridge.inspecting.drawing import draw
from bridge.inspecting.explanation import Blob, Drawing, Explanation, Field, Several
from bridge.inspecting.look import Look
from bridge.inspecting.people import who
from mls import rules
from mls.crypto.suite import CIPHER_SUITES
from mls.errors import RuleError
from mls.tree import math
from mls.tree.math import NodeIndex
from mls.tree.ratchet_tree import RatchetTree
from mls.wire.leaf_node import LeafNode
from mls.wire.tree import AnyNode, ParentNode, RatchetTreeExtension

__all__ = ["MAX_MEMBERS", "explain_tree"]

MAX_MEMBERS: Final = 1 << 17
"""What the codec's longest vector has room for."""

_MAX_DRAWN: Final = 64
"""Leaves."""

_ANY_SUITE: Final = CIPHER_SUITES[1]
"""A tree's shape does not depend on the suite; its hashes do, and are not asked for."""

Nodes: TypeAlias = Sequence[AnyNode | None]


def explain_tree(data: bytes, look: Look) -> Explanation:
    """Explain the content of a `ratchet_tree` extension. Raises `MlsError` for what cannot be laid out as a tree."""
    extension = RatchetTreeExtension.decode(data)
    nodes = _laid_out(extension)
    try:
        RatchetTree.from_extension(_ANY_SUITE, extension, max_members=MAX_MEMBERS)
    except RuleError as error:
        look.problem("ratchet tree", error)
    sizes = _resolution_sizes(nodes)
    leaves, parents = nodes[::2], nodes[1::2]
    members = [(index, leaf) for index, leaf in enumerate(leaves) if isinstance(leaf, LeafNode)]
    unmerged = sum(len(parent.unmerged_leaves) for parent in parents if isinstance(parent, ParentNode))
    fields = [
        Field("leaves", len(leaves)),
        Field("members", len(members)),
        Field("parents", len(parents)),
        Field("blank_parents", parents.count(None)),
        Field("unmerged_leaves", unmerged),
        Field("root_resolution", sizes[math.root(len(leaves))]),
    ]
    if len(leaves) <= _MAX_DRAWN:
        told = Several(tuple(_node(index, node, sizes) for index, node in enumerate(nodes)), len(nodes))
        fields.append(Field("nodes", Drawing(draw(nodes, sizes), told)))
    else:
        fields.append(Field("levels", _levels(nodes, sizes)))
        fields.append(
            Field("first_members", look.several(members, lambda item: f"leaf {item[0]}: {who(item[1].credential)}"))
        )
    return Explanation(
        "ratchet_tree", "Ratchet tree", "who is in the group, and the keys that they share", tuple(fields)
    )


def _laid_out(extension: RatchetTreeExtension) -> Nodes:
    """Return the full tree, blank nodes at its right end included (RFC 9420, section 12.4.3.3)."""
    given = extension.nodes
    rules.TREE_LAST_NODE_IS_NOT_BLANK.require(bool(given) and isinstance(given[-1], LeafNode))
    for index, node in enumerate(given):
        rules.TREE_NODES_ALTERNATE.require(
            node is None or isinstance(node, LeafNode) == (index % 2 == 0), f"node {index}"
        )
    return [*given, *[None] * (math.node_count(math.full_leaf_count(len(given))) - len(given))]


def _resolution_sizes(nodes: Nodes) -> list[int]:
    """Return how many keys it takes to reach everybody below each node (section 4.1.1)."""
    sizes = [0 if node is None else 1 for node in nodes]
    step = 2
    while step <= len(nodes):
        for index in range(step - 1, len(nodes), 2 * step):
            node = nodes[index]
            if isinstance(node, ParentNode):
                sizes[index] += len(node.unmerged_leaves)
            else:
                sizes[index] = sizes[index - step // 2] + sizes[index + step // 2]
        step *= 2
    return sizes


def _node(index: int, node: AnyNode | None, sizes: Sequence[int]) -> Explanation:
    place = [Field("node", index), Field("level", math.level(NodeIndex(index))), Field("resolution", sizes[index])]
    match node:
        case None:
            return Explanation("blank_node", "Blank node", "", tuple(place))
        case LeafNode(credential=credential, encryption_key=key):
            fields = (
                *place,
                Field("leaf", index // 2),
                Field("who", who(credential)),
                Field("encryption_key", Blob(key)),
            )
            return Explanation("leaf", "Leaf", "", fields)
        case ParentNode(encryption_key=key, unmerged_leaves=unmerged):
            told = Several(unmerged[:_MAX_DRAWN], len(unmerged))
            return Explanation(
                "parent_node",
                "Parent node",
                "",
                (*place, Field("encryption_key", Blob(key)), Field("unmerged_leaves", told)),
            )


def _levels(nodes: Nodes, sizes: Sequence[int]) -> Drawing:
    """Return what a large tree is like, from its leaves up."""
    lines: list[str] = []
    told: list[Explanation] = []
    step = 1
    while step <= len(nodes):
        level, reach = nodes[step - 1 :: 2 * step], sizes[step - 1 :: 2 * step]
        counts = {
            "level": len(told),
            "nodes": len(level),
            "blank": level.count(None),
            "unmerged_leaves": sum(len(node.unmerged_leaves) for node in level if isinstance(node, ParentNode)),
            "smallest_resolution": min(reach),
            "largest_resolution": max(reach),
        }
        lines.append(
            "level {level}: {nodes} nodes, {blank} blank, {unmerged_leaves} unmerged leaves,"
            " resolutions {smallest_resolution} to {largest_resolution}".format_map(counts)
        )
        told.append(Explanation("level", "Level", "", tuple(Field(*count) for count in counts.items())))
        step *= 2
    return Drawing(tuple(lines), Several(tuple(told), len(told)))

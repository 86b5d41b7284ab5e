r"""A ratchet tree, drawn on its side in ASCII.

::

    [3] blank, resolution 3
    |-- [1] parent, key 6f1c0a52, unmerged: leaf 1
    |   |-- [0] leaf 0: matrix:u/alice:example.org (laptop)
    |   `-- [2] leaf 1: xmpp:carol@example.net (phone)
    `-- [5] blank, resolution 1
        |-- [4] leaf 2: matrix:u/bob:example.org (phone)
        `-- [6] leaf 3: blank

The number in brackets is the node's index (RFC 9420, appendix C).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from bridge.inspecting.people import who
from mls.tree import math
from mls.tree.math import NodeIndex
from mls.wire.leaf_node import LeafNode
from mls.wire.tree import AnyNode, ParentNode

__all__ = ["draw"]

_KEY: Final = 4
"""Bytes of a key that are shown: to tell it from its neighbours."""

_MAX_UNMERGED: Final = 16


def draw(nodes: Sequence[AnyNode | None], sizes: Sequence[int]) -> tuple[str, ...]:
    """Return the lines. `nodes` is a full tree, `sizes` each node's resolution's size."""
    root = math.root((len(nodes) + 1) // 2)
    return tuple(_draw(root, "", "", nodes, sizes))


def _draw(
    index: NodeIndex, own: str, below: str, nodes: Sequence[AnyNode | None], sizes: Sequence[int]
) -> Iterator[str]:
    """Yield a subtree's lines, the first behind `own`, the others behind `below`."""
    level = math.level(index)
    yield f"{own}[{index}] {_label(index, nodes[index], sizes[index])}"
    if level == 0 or (nodes[index] is None and sizes[index] == 0):
        return
    yield from _draw(math.left(index), f"{below}|-- ", f"{below}|   ", nodes, sizes)
    yield from _draw(math.right(index), f"{below}`-- ", f"{below}    ", nodes, sizes)


def _label(index: NodeIndex, node: AnyNode | None, size: int) -> str:
    match node:
        case LeafNode(credential=credential):
            return f"leaf {index // 2}: {who(credential)}"
        case ParentNode(encryption_key=key, unmerged_leaves=unmerged):
            return f"parent, key {key[:_KEY].hex()}{_unmerged(unmerged)}"
        case None if math.level(index) == 0:
            return f"leaf {index // 2}: blank"
        case None if size == 0:
            below = math.leaves_below(index)
            return f"blank, and nobody below: leaves {below[0]} to {below[-1]}"
        case None:
            return f"blank, resolution {size}"


def _unmerged(leaves: tuple[int, ...]) -> str:
    if not leaves:
        return ""
    shown = ", ".join(str(leaf) for leaf in leaves[:_MAX_UNMERGED])
    more = f" and {len(leaves) - _MAX_UNMERGED} more" if len(leaves) > _MAX_UNMERGED else ""
    return f", unmerged: {'leaf' if len(leaves) == 1 else 'leaves'} {shown}{more}"

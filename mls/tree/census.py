"""What the members of a tree support, counted, so that questions about all of them need no walk over the tree."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, TypeAlias

from mls.registry import GREASE
from mls.wire.credentials import credential_type

if TYPE_CHECKING:
    from mls.wire.leaf_node import Capabilities, LeafNode

__all__ = ["Census", "Counts", "count", "uncount"]

Counts: TypeAlias = "dict[tuple[bytes, int], tuple[int, Capabilities]]"
"""How many leaves have which capabilities (encoded) and credential type. Most groups have few kinds."""


def count(counts: Counts, leaf: LeafNode) -> None:
    """Add a leaf."""
    key = (leaf.capabilities.encode(), credential_type(leaf.credential))
    counts[key] = (counts[key][0] + 1 if key in counts else 1, leaf.capabilities)


def uncount(counts: Counts, leaf: LeafNode) -> None:
    """Take a leaf away."""
    key = (leaf.capabilities.encode(), credential_type(leaf.credential))
    number, capabilities = counts[key]
    if number == 1:
        del counts[key]
    else:
        counts[key] = (number - 1, capabilities)


class Census:
    """The summary of some counts. `common_*` holds what every member lists; credentials that anyone has are in use.

    GREASE values are common to none: who lists one supports nothing by it, oneself included (section 13.5).
    """

    __slots__ = ("common_credentials", "common_extensions", "common_proposals", "credentials_in_use")

    def __init__(self, counts: Counts) -> None:
        kinds = [capabilities for _, capabilities in counts.values()]
        self.credentials_in_use = frozenset(kind for _, kind in counts)
        self.common_credentials = _common([kind.credentials for kind in kinds])
        self.common_extensions = _common([kind.extensions for kind in kinds])
        self.common_proposals = _common([kind.proposals for kind in kinds])


def _common(lists: list[tuple[int, ...]]) -> frozenset[int]:
    return reduce(frozenset.intersection, (frozenset(values) for values in set(lists))) - GREASE

"""Who does first what all could do: numbers that are another for each member, and that everybody could work out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.member.state import Session

__all__ = ["fraction", "rank"]


def fraction(session: Session, subject: bytes) -> float:
    """Return a number in [0, 1) that depends on leaf, epoch and subject, and is another for each member."""
    group = session.group
    if group is None:
        return 0.0
    seed = group.own_leaf.to_bytes(4, "big") + group.epoch.to_bytes(8, "big") + subject
    return int.from_bytes(hashlib.sha256(seed).digest()[:6], "big") / 2**48


def rank(session: Session, nonce: bytes, *, without: int | None = None) -> int:
    """Return this member's place among those who could answer a request: 0 for who answers first.

    `without` is the leaf that asks, where that is known: it does not answer itself.
    """
    group = session.group
    if group is None:
        return 0
    seed = group.epoch.to_bytes(8, "big") + nonce
    helpers = [leaf for leaf, _ in group.members() if leaf != without]
    order = sorted(helpers, key=lambda leaf: hashlib.sha256(seed + leaf.to_bytes(4, "big")).digest())
    return order.index(group.own_leaf)

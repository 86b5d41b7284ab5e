"""What a fuzz target is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Prepared", "Target"]


class Prepared(NamedTuple):
    """A target at work."""

    attack: Callable[[bytes], None]
    """Raises for what must not happen. Leaves nothing behind: the same bytes always do the same."""
    seeds: Sequence[bytes]


@dataclass(frozen=True)
class Target:
    """Something to throw bytes at."""

    name: str
    about: str
    prepare: Callable[[], Prepared]
    weight: int = 1
    """How many inputs of a decoder's take as long as one of this target's."""

"""The cipher suites, with each way to send a handshake.

Suite 1 takes all eight variants; the others, which share its code, those two that differ most, or, where computing
takes long, one of them. Of the experimental ones each construction is there once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, product
from typing import TYPE_CHECKING

import pytest

from mls.group.committing import CommitOptions
from mls.registry import WireFormat
from tests.mls.world import World

if TYPE_CHECKING:
    from mls.wire.extensions import Extension

__all__ = ["Variant", "in_all_variants"]


@dataclass(frozen=True)
class Variant:
    """A cipher suite, and how Commits and proposals are sent in it."""

    suite: int
    wire_format: WireFormat
    with_path: bool
    with_tree: bool

    def __str__(self) -> str:
        path, tree = "path" if self.with_path else "no path", "tree" if self.with_tree else "no tree"
        return f"suite {self.suite}, {self.wire_format.name.split('_')[0].lower()}, {path}, {tree}"

    @property
    def options(self) -> CommitOptions:
        return CommitOptions(wire_format=self.wire_format, with_path=self.with_path, welcome_with_tree=self.with_tree)

    def world(self, *names: str, extensions: tuple[Extension, ...] = ()) -> World:
        """Return a world in which these clients are in the group, all added by the first one at once."""
        world = World(self.suite, seed=self.suite)
        world.found(names[0], extensions=extensions)
        if len(names) > 1:
            world.add(names[0], *names[1:], options=self.options)
        return world


_FORMATS = (WireFormat.PRIVATE_MESSAGE, WireFormat.PUBLIC_MESSAGE)

_VARIANTS = [Variant(1, *choice) for choice in product(_FORMATS, (True, False), (True, False))]
_ONCE = (4, 5, 6, 7, 0x004D, 0x004E, 0x004F, 0x0053, 0x0054)
_VARIANTS += [
    Variant(suite, wire_format, with_path=wire_format is _FORMATS[0], with_tree=wire_format is _FORMATS[0])
    for suite, wire_format in [*product((2, 3), _FORMATS), *zip(_ONCE, cycle(_FORMATS), strict=False)]
]

in_all_variants = pytest.mark.parametrize("variant", _VARIANTS, ids=str)
"""Mark a test that takes a `variant`."""

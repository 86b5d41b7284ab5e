"""A member whose Commits are good for some and bad for others."""

from __future__ import annotations

from collections.abc import Collection

from mls.crypto.random import Random
from mls.tree.treekem import FreshPath, encrypt_path
from mls.wire.commit import UpdatePath
from tests.mls.spoiling import spoiled
from tests.simulation.life import LIFE
from tests.simulation.watching import Watch

__all__ = ["Spoiler"]


class Spoiler:
    """Makes the paths of Commits, in place of the engine's function."""

    def __init__(self, watch: Watch) -> None:
        self.wanted = 0
        """For whom the next Commit with a path shall carry garbage: a bit for each node of it, the lowest first."""
        self._watch = watch

    def encrypt_path(self, fresh: FreshPath, context: bytes, excluded: Collection[int], random: Random) -> UpdatePath:
        """Make a Commit's path."""
        path = encrypt_path(fresh, context, excluded, random)
        chosen = {place for place in range(len(path.nodes)) if self.wanted >> place & 1}
        if not chosen:
            return path
        self.wanted = 0
        self._watch.count("fault", "a Commit that is good for some")
        life = LIFE.get(None)
        self._watch.note(f"{'' if life is None else life.name} spoils its Commit at {sorted(chosen)}")
        return spoiled(path, chosen)

"""A store as simple as can be, for tests: it applies changes, compares revisions, and counts what it writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mls.persistence import Changes, PartKey, changes, load

if TYPE_CHECKING:
    from mls.group.state import GroupState

__all__ = ["MemoryStore", "reload"]


@dataclass
class MemoryStore:
    """The parts of one state."""

    parts: dict[PartKey, bytes] = field(default_factory=dict)
    revision: int | None = None

    def save(self, before: GroupState | None, after: GroupState) -> Changes:
        """Apply what a step changed."""
        found = changes(before, after)
        assert found.revision_before == self.revision, "somebody else has made a step meanwhile"
        for key in found.delete:
            del self.parts[key]
        self.parts |= {part.key: part.data for part in found.put}
        self.revision = found.revision_after
        return found

    def load(self) -> GroupState:
        return load(self.parts, experimental=True)


def reload(state: GroupState) -> GroupState:
    """Return the state as it comes back after a restart."""
    store = MemoryStore()
    store.save(None, state)
    return store.load()

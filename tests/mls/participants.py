"""Who uses the Delivery Service (`tests.mls.delivery`), and what passes through it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mls.group.state import Status
from tests.mls.stored import MemoryStore
from tests.mls.world import fingerprint

if TYPE_CHECKING:
    from mls.group.creation import KeyPackageBundle
    from mls.group.state import GroupState
    from mls.tree.ratchet_tree import RatchetTree

__all__ = ["Entry", "Invitation", "Letter", "Member"]


@dataclass(eq=False)
class Member:
    """A client while it is in the group, from one join to the next."""

    name: str
    state: GroupState
    position: int
    """Where in the log it reads on."""
    store: MemoryStore = field(default_factory=MemoryStore)
    left: list[tuple[int, int]] = field(default_factory=list)
    """The epochs that it was in before, newest first, and when each ended."""
    heard: set[int] = field(default_factory=set)
    """The application messages that it has decrypted."""
    as_it_was: tuple[object, ...] = field(init=False)
    """The state's fingerprint, from when it came to be."""

    def __post_init__(self) -> None:
        self.store.save(None, self.state)
        self.as_it_was = fingerprint(self.state)

    @property
    def is_active(self) -> bool:
        return self.state.status is Status.ACTIVE


@dataclass(frozen=True, eq=False)
class Entry:
    """A handshake message in the log."""

    data: bytes
    epoch: int
    """The epoch that it is for."""
    author: Member | None
    counts: bool
    """Whether its epoch was the group's when it came."""
    is_commit: bool
    is_repeated: bool = False
    removes: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Letter:
    """An application message."""

    number: int
    data: bytes
    text: bytes
    epoch: int
    author: Member


@dataclass(frozen=True, eq=False)
class Invitation:
    """A Welcome that one client has not used yet."""

    welcome: bytes
    bundle: KeyPackageBundle
    tree: RatchetTree
    position: int

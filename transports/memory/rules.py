"""What a room in memory is like: whose order it has, what it takes, what it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from random import Random

__all__ = ["Delay", "Rate", "RoomKind", "RoomRules"]


class RoomKind(Enum):
    """Which network's ways the room has."""

    MUC = "muc"
    """XMPP: one order for all, and the archive has the same. A kick leaves the affiliation. A message that is sent
    twice is there twice."""
    MATRIX = "matrix"
    """Each homeserver has an order of its own, and its archive another one. A kick ends the membership. A transaction
    that comes again is dropped."""


@dataclass(frozen=True, slots=True)
class Delay:
    """How long something takes, in milliseconds: drawn anew each time."""

    least: int = 0
    most: int = 0

    def draw(self, random: Random) -> int:
        """Return one delay."""
        return random.randint(self.least, self.most) if self.most else 0


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast one account may post: `burst` at once, then `per_second`."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class RoomRules:
    """What the servers of a room enforce."""

    envelope_bytes: int = 45_000
    rate: Rate | None = None
    is_open: bool = True
    """Whether anybody may join, or only who is invited (or has an affiliation) may."""
    power_to_post: int = 0
    archive_events: int | None = None
    """How many events the archive keeps; `None`: all; 0: there is no archive."""
    archive_milliseconds: int | None = None
    """How long the archive keeps an event."""
    gap_events: int = 100
    """Who missed more than this many is told them in the order of the archive, not of their arrival."""
    posting: Delay = Delay()
    """From an account to its server."""
    federation: Delay = Delay(20, 120)
    """From one homeserver to another."""
    federation_overtakes: bool = False
    """Whether one event may arrive there before another that was sent earlier, as after a gap that is filled later."""

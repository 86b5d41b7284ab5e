"""Who is served next, where many post and one of them posts junk. Pure.

Each sender has a lane. What a sender posts waits in its own lane alone, and lanes are served in turn: a flood makes
its sender wait, and nobody else. A lane is served no faster than the quota says: who used it up waits too, and nothing
is dropped. (The quota is the generic cell rate algorithm of ATM: one time for each lane, no timers.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mls.codec import Opaque, Struct, UInt64, struct

__all__ = ["NO_LANES", "ByteQuota", "Lane", "Lanes"]

_MINUTE: Final = 60_000


@dataclass(frozen=True, slots=True)
class ByteQuota:
    """How much one sender may have served: as much as in a minute at once, then that much in each minute."""

    per_minute: int
    each: int = 256
    """What each item counts beyond its own bytes: many small ones are work too."""

    def milliseconds(self, size: int) -> int:
        """Return how much of a sender's time an item takes."""
        return (size + self.each) * _MINUTE // self.per_minute


@struct()
class Lane(Struct):
    """One sender's lane. The numbers of its items only grow while it exists."""

    sender: Opaque
    first: UInt64
    """The number of the item at its head."""
    end: UInt64
    """The number behind its last item."""
    due: UInt64
    """When the item at its head may be served."""
    used_until: UInt64
    """The time that the sender has used up: it may run a minute ahead."""
    turn: UInt64
    """When it was served last, in turns."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits in it."""
        return self.first == self.end


@struct()
class Lanes(Struct):
    """All lanes. Immutable; the encoding is what is stored."""

    turn: UInt64
    lanes: tuple[Lane, ...]

    def push(
        self, sender: bytes, size: int, quota: ByteQuota, *, now: int, not_before: int = 0
    ) -> tuple[Lanes, Lane, int]:
        """Add an item at the end of a sender's lane. Returns the lanes, that one, and when the item is due."""
        lane = self._find(sender) or Lane(sender, 0, 0, 0, 0, 0)
        used_until = max(lane.used_until, now)
        due = max(not_before, now, used_until - _MINUTE)
        pushed = lane.replace(
            end=lane.end + 1,
            due=due if lane.is_empty else lane.due,
            used_until=used_until + quota.milliseconds(size),
        )
        return Lanes(self.turn, self._with(pushed)), pushed, due

    def next_lane(self, now: int) -> Lane | None:
        """Return the lane whose turn it is, `None` where nothing is due."""
        due = [lane for lane in self.lanes if not lane.is_empty and lane.due <= now]
        return min(due, key=lambda lane: (lane.turn, lane.due), default=None)

    def pop(self, lane: Lane, next_due: int) -> Lanes:
        """Take the item at the head of a lane; `next_due` is when the one behind it is due."""
        turn = self.turn + 1
        return Lanes(turn, self._with(lane.replace(first=lane.first + 1, due=next_due, turn=turn)))

    def put_back(self, sender: bytes, due: int) -> tuple[Lanes, Lane]:
        """Let the item that was taken last from a sender's lane stand at its head again, until it is due."""
        lane = self._find(sender)
        if lane is None or not lane.first:
            raise LookupError("nothing was taken from this lane")
        lane = lane.replace(first=lane.first - 1, due=due)
        return Lanes(self.turn, self._with(lane)), lane

    def next_due(self) -> int | None:
        """Return when something is due, `None` where nothing waits."""
        return min((lane.due for lane in self.lanes if not lane.is_empty), default=None)

    def pruned(self, now: int) -> Lanes:
        """Forget lanes that are empty and whose senders have used up nothing."""
        kept = tuple(lane for lane in self.lanes if not lane.is_empty or lane.used_until > now)
        return self if len(kept) == len(self.lanes) else self.replace(lanes=kept)

    @property
    def count(self) -> int:
        """How many items wait."""
        return sum(lane.end - lane.first for lane in self.lanes)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits in any lane."""
        return all(lane.is_empty for lane in self.lanes)

    def _find(self, sender: bytes) -> Lane | None:
        return next((lane for lane in self.lanes if lane.sender == sender), None)

    def _with(self, changed: Lane) -> tuple[Lane, ...]:
        return (*(lane for lane in self.lanes if lane.sender != changed.sender), changed)


NO_LANES: Final = Lanes(0, ())

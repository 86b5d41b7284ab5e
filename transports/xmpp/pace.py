"""How long to wait for what: every pause and time limit of the transport, in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["Pace"]

_SLOWEST_SHAPER: Final = 1_000
"""Bytes a second. ejabberd's `normal` shaper lets 3,000 through, measured with what it adds: 2,300."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The defaults suit real servers; tests want shorter ones."""

    connect_within: float = 30.0
    answer_within: float = 60.0
    """For a request that the server answers at once when it is well: a page of an archive has 8 MB at the most."""
    ping_after: float = 60.0
    """A connection or a room that was silent for so long is asked whether it is there."""
    pong_within: float = 20.0
    """A connection that does not answer for so long is dead, whatever TCP says."""
    reconnect_first: float = 1.0
    reconnect_longest: float = 60.0
    refused_again: float = 300.0
    """When to try a room again that refused us."""
    reread_members: float = 900.0
    """When to read a room's members again, should the room have told of a change to others only."""

    def receipt_within(self, pending_bytes: int) -> float:
        """How long the reflection of what was sent may take, as slow as servers shape."""
        return self.answer_within + pending_bytes / _SLOWEST_SHAPER

    def reconnect_after(self, attempt: int, jitter: float) -> float:
        """The pause before an attempt, counted from 0: doubled each time, and shortened by up to half.

        Without the `jitter` (from 0 to 1) all clients of a server that was restarted would come at once.
        """
        pause = min(self.reconnect_longest, self.reconnect_first * 2 ** min(attempt, 16))
        return float(pause * (1 - jitter / 2))

"""What of the order this member misses. Kept in memory alone: after a start it is found out anew."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.protocol.bodies import LogPosition

__all__ = ["Fetching"]


@dataclass(frozen=True, slots=True)
class Fetching:
    """What this member misses. All times are in milliseconds since 1970."""

    stands_at: tuple[int, int] | None = None
    """Where it stands as long as it misses something: a seal's number, and how many entries of the next are taken."""
    due: int = 0
    """When it asks."""
    tries: int = 0
    """How often it has asked since it came to stand there."""
    is_under_way: bool = False
    """Whether what it missed has begun to come."""
    is_deferred: bool = False
    """Whether it has let somebody else ask, since it last asked."""
    named: LogPosition | None = None
    """The newest seal that somebody has named, where it is not known here."""
    deaf_until: int = 0
    """Until when what is named is not asked for: nobody had it."""
    head_due: int | None = None
    """When to ask for the newest seal, `None` for not at all."""
    head_tries: int = 0

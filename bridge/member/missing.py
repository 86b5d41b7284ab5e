"""What of the order is missing, and who misses what: kept in memory alone.

After a start both are found out anew: a member looks at what it has, and who still misses something asks again.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.protocol.asking import Wanted
from bridge.protocol.bodies import LogPosition

__all__ = ["Asked", "Fetching", "Supplying"]


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


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for parts of the order that this member may have."""

    nonce: bytes
    wanted: Wanted
    due: int


@dataclass(frozen=True, slots=True)
class Supplying:
    """What others miss."""

    pending: tuple[Asked, ...] = ()
    answered: tuple[int, ...] = ()
    """When this member has answered, the newest first."""

"""What a role looks like to the service: something that takes in a room's events, batch by batch.

A step is one transaction: the role reads its state, writes what follows from the events (new state, outbox entries),
and the service writes the role's position, all or nothing. What a role holds in memory changes only in the function
that it returns, which is called after the commit: when a transaction fails, the role stands where it stood.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from bridge.store import StoredEvent, Transaction
from transports.room import Account, RoomAddress

__all__ = ["AfterCommit", "Consumer"]

AfterCommit: TypeAlias = Callable[[], None]
"""Takes over the new state, wipes what is spent, tells listeners. Quick; does not raise."""


class Consumer(Protocol):
    """One role in one room, seen through one account. All times are milliseconds since 1970."""

    name: str
    """Unique in the process and stable across restarts: the position is stored under it."""
    account: Account
    room: RoomAddress

    async def start(self, tx: Transaction, *, now: int) -> AfterCommit:
        """Read the stored state, before the first `take`; post what is to be posted at a start."""
        ...

    async def take(self, tx: Transaction, events: Sequence[StoredEvent], *, now: int) -> AfterCommit:
        """Take in the next events, at least one, in the order of the room. Each whole envelope comes once."""
        ...

    async def caught_up(self, tx: Transaction, *, now: int) -> AfterCommit:
        """Go on from the past to the present: all that stood in the room when the program came has been taken in."""
        ...

    def next_wake(self) -> int | None:
        """Return when `wake` is to be called, `None` for not at all. Asked after each step."""
        ...

    async def wake(self, tx: Transaction, *, now: int) -> AfterCommit:
        """Do what is due by now."""
        ...

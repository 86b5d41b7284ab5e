"""The way of one account's envelopes into one room, in the order of the outbox.

::

    WAITING --publish--> ON_THE_WAY --the server answers--> PUBLISHED --the room shows it--> gone
       ^                     |                                  |
       +---- it may not have arrived ---------------------------+ too long, or the connection was lost meanwhile
       +---- the room does not let us

The next envelope goes without waiting for the room to show the one before. That keeps the order: what gets lost is the
end of what was sent over a connection that broke, and what has not come back is published again, in its order, before
anything new. Who has a copy already drops it.

A room that does not let the account in, or post, holds its lane up: what waits there is tried again, at the longest
every minute, until people have mended it. Only an envelope that is itself to blame is given up.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Protocol

import structlog

from bridge.protocol.envelope import open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.fragments import split
from bridge.service.clock import Clock
from bridge.service.transactions import of_fragment
from bridge.service.waiting import NEVER, Backoff, Bell, Pause, crew
from bridge.store import OutboxEntry, StoredOutboxEntry
from mls.crypto.random import Random
from transports.errors import (
    ForbiddenError,
    LoginError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    RoomNotFoundError,
    TooLargeError,
    UnsuitableRoomError,
    UntrustedServerError,
)
from transports.room import Network, RoomAddress, Transport

__all__ = ["Lane", "Ledger"]

log = structlog.get_logger("service")

REFLECTION_PATIENCE: Final = 30_000
"""Milliseconds after which an envelope that was published and has not come back is published again."""

LONGEST_PATIENCE: Final = 16 * REFLECTION_PATIENCE
"""It doubles each time that nothing has come back."""

MAX_UNREFLECTED: Final = 64
"""Envelopes that are on their way or published, and have not come back."""

AT_ONCE: Final = {Network.MATRIX: 1, Network.XMPP: 32, Network.MEMORY: 1}
"""Envelopes on their way at the same time. An XMPP stream keeps their order, and an answer takes as long as the room's
reflection; Matrix requests overtake each other."""


class Ledger(Protocol):
    """Who keeps the account's books: what becomes of each entry."""

    @property
    def resume_at(self) -> int:
        """When anything may be published over this connection; `NEVER`: not before the lane is rung."""
        ...

    def hold(self, pause: int) -> None:
        """Publish nothing for so many milliseconds: the server asked for patience."""
        ...

    def published(self, stored: StoredOutboxEntry) -> None:
        """Note that the server has answered."""
        ...

    def attempted(self, stored: StoredOutboxEntry, reason: str) -> None:
        """Note that it may not have arrived; it stays in the outbox."""
        ...

    def held(self, stored: StoredOutboxEntry, error: PermanentError) -> None:
        """Note that the room does not let the account post; the entry stays in the outbox."""
        ...

    def failed(self, stored: StoredOutboxEntry, error: PermanentError | ProtocolError) -> None:
        """Note that it never will arrive."""
        ...

    def refused(self, error: PermanentError) -> None:
        """Note that the server lets the account in no more."""
        ...


class _State(Enum):
    WAITING = auto()
    ON_THE_WAY = auto()
    PUBLISHED = auto()


@dataclass(slots=True, eq=False)
class _Item:
    """An entry of the outbox in this lane."""

    stored: StoredOutboxEntry
    state: _State = _State.WAITING
    published_at: int = 0
    limit: int = 0
    """What the room took when the envelope was split."""
    arrived: set[int] = field(default_factory=set)
    """Fragments that the server has."""


class Lane:
    """One room's way. `run` does the work; everything else tells it what has happened, and returns at once."""

    def __init__(
        self, room: RoomAddress, transport: Transport, ledger: Ledger, *, limit: int, clock: Clock, random: Random
    ) -> None:
        self.room = room
        self._transport = transport
        self._ledger = ledger
        self._limit = limit
        self._clock = clock
        self._bell = Bell(clock)
        self._backoff = Backoff(random)
        self._retry = Pause(clock)
        self._patience = REFLECTION_PATIENCE
        self._items: dict[str, _Item] = {}
        """By transaction, in the order of the outbox."""

    def __len__(self) -> int:
        return len(self._items)

    @property
    def size(self) -> int:
        """The bytes of all envelopes that this lane has in hand."""
        return sum(len(item.stored.entry.envelope) for item in self._items.values())

    @property
    def has_unpublished(self) -> bool:
        """Whether the server has not answered to something yet."""
        return any(item.state is not _State.PUBLISHED for item in self._items.values())

    def add(self, stored: StoredOutboxEntry) -> None:
        """Publish this one after all others."""
        self._items[stored.entry.transaction] = _Item(stored)
        self._bell.ring()

    def reflected(self, transaction: str) -> None:
        """Forget an envelope: the room has shown it."""
        if self._items.pop(transaction, None) is not None:
            self._patience = REFLECTION_PATIENCE
            self._bell.ring()

    def reconnected(self) -> None:
        """Publish again what has not come back: the connection was lost, and all that the room has is known by now."""
        self._republish()
        self._retry.begin(0)
        self._bell.ring()

    def ring(self) -> None:
        """Look again at what the ledger says."""
        self._bell.ring()

    async def run(self) -> None:
        """Publish, until cancelled."""
        async with crew() as tasks:
            while True:
                now = self._clock.now()
                if self._overdue_at() <= now:
                    log.warning("not seen in the room, publishing again", room=self.room)
                    self._republish()
                    self._patience = min(self._patience * 2, LONGEST_PATIENCE)
                item = self._next()
                start = NEVER if item is None else max(self._retry.ends_at, self._ledger.resume_at)
                if item is not None and start <= now:
                    item.state = _State.ON_THE_WAY
                    tasks.create_task(self._publish(item))
                else:
                    await self._bell.wait(min(start, self._overdue_at()))

    def _next(self) -> _Item | None:
        """Return what may go now, as far as what is before it is concerned."""
        on_the_way = 0
        for place, item in enumerate(self._items.values()):
            if item.state is _State.WAITING:
                return item if on_the_way < AT_ONCE[self._transport.network] and place < MAX_UNREFLECTED else None
            on_the_way += item.state is _State.ON_THE_WAY
        return None

    def _overdue_at(self) -> int:
        """Return when the oldest envelope that was published should have come back."""
        oldest = next((item for item in self._items.values() if item.state is _State.PUBLISHED), None)
        if oldest is None:
            return NEVER
        oldest.published_at = min(oldest.published_at, self._clock.now())  # the clock may have been set back
        return max(oldest.published_at + self._patience, self._ledger.resume_at)

    def _republish(self) -> None:
        for item in self._items.values():
            if item.state is _State.PUBLISHED:
                item.state = _State.WAITING
                item.arrived.clear()

    async def _publish(self, item: _Item) -> None:
        try:
            await self._post(item)
        except TooLargeError as error:
            if error.limit is None or error.limit >= item.limit:
                self._fail(item, error)
            else:  # the server knows better than the room's description
                self._limit = min(self._limit, error.limit)
                item.state = _State.WAITING
        except (LoginError, UntrustedServerError) as error:
            self._ledger.refused(error)
            self._try_again(item, self._pause(), error.what)
        except (ForbiddenError, RoomNotFoundError, UnsuitableRoomError) as error:
            self._hold(item, error)
        except (PermanentError, ProtocolError) as error:
            self._fail(item, error)
        except RateLimitedError as error:
            pause = self._pause(error)
            self._ledger.hold(pause)
            self._try_again(item, pause, error.what)
        except RetryableError as error:
            self._try_again(item, self._pause(error), error.what)
        except Exception as error:  # a fault of ours, or of a library: the envelope is not to blame
            log.exception("publishing failed unexpectedly", room=self.room)
            self._try_again(item, self._pause(), type(error).__name__)
        else:
            self._backoff.reset()
            item.state, item.published_at = _State.PUBLISHED, self._clock.now()
            self._ledger.published(item.stored)
        self._bell.ring()

    async def _post(self, item: _Item) -> None:
        entry = item.stored.entry
        if item.limit != self._limit:
            item.limit = self._limit
            item.arrived.clear()
        parts = split(open_envelope(entry.envelope), item.limit)
        at_once = AT_ONCE[self._transport.network]
        missing = [index for index in range(len(parts)) if index not in item.arrived]
        for start in range(0, len(missing), at_once):
            posts = [
                # Tasks begin in the order in which they are made, and so does what they send.
                asyncio.create_task(self._post_part(entry, parts[index], index, len(parts)))
                for index in missing[start : start + at_once]
            ]
            try:
                for index, post in zip(missing[start:], posts, strict=False):
                    await post
                    item.arrived.add(index)
            finally:
                await _end(posts)

    async def _post_part(self, entry: OutboxEntry, part: bytes, index: int, count: int) -> None:
        await self._transport.publish(
            self.room,
            part,
            transaction=entry.transaction if count == 1 else of_fragment(entry.transaction, index),
            note=entry.note,
            # Once is enough for who can read nothing else.
            fallback=entry.fallback if index == count - 1 else None,
        )

    def _try_again(self, item: _Item, pause: int, reason: str) -> None:
        item.state = _State.WAITING
        self._retry.begin(pause)
        if self._is_here(item):
            self._ledger.attempted(item.stored, reason)

    def _hold(self, item: _Item, error: PermanentError) -> None:
        item.state = _State.WAITING
        self._retry.begin(self._pause())
        if self._is_here(item):
            self._ledger.held(item.stored, error)

    def _fail(self, item: _Item, error: PermanentError | ProtocolError) -> None:
        if self._is_here(item):
            del self._items[item.stored.entry.transaction]
            self._ledger.failed(item.stored, error)

    def _is_here(self, item: _Item) -> bool:
        """Whether the room has not shown it: it may, before the server's answer comes, or where that gets lost."""
        return self._items.get(item.stored.entry.transaction) is item

    def _pause(self, error: RetryableError | None = None) -> int:
        """Return how many milliseconds to wait: as long as the server says, where it says so."""
        if error is not None and error.after is not None:
            return round(error.after * 1000)
        # What was on its way together fails together, and counts as one failure.
        return self._retry.left or self._backoff.pause()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Let no task go on by itself, nor its error be missed."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

"""From the outbox to the rooms: one publisher to an account, one lane to each of its rooms.

The outbox is the truth. What lanes hold in memory is a part of it, read in its order; what becomes of an entry is
written back, many at a time, in the same transaction that reads on. A crash in between costs a copy, which whoever has
it already drops, and never an entry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from bridge.observing.metrics import Metrics
from bridge.protocol.errors import ProtocolError
from bridge.service.clock import Clock
from bridge.service.lane import Lane
from bridge.service.waiting import NEVER, Bell, Pause, crew
from bridge.store import OutboxEntry, Store, StoredOutboxEntry, Transaction
from mls.crypto.random import Random
from transports.errors import PermanentError
from transports.room import Account, JoinedRoom, RoomAddress, Transport

__all__ = ["FailedEntry", "Publisher"]

log = structlog.get_logger("service")

LANE_ENTRIES: Final = 256
LANE_BYTES: Final = 8 << 20
"""What a lane holds, about and at the most; the others stay in the store alone."""

ACCOUNT_BYTES: Final = 32 << 20
"""What all lanes of an account hold, before those that hold something get no more."""

CATCH_UP_PATIENCE: Final = 2_000
"""Milliseconds to wait, once a connection stands, for a batch that says so: what it brings need not be sent again."""

MAX_ERROR: Final = 200
"""Characters of what is noted about a failed attempt."""


@dataclass(frozen=True, slots=True)
class FailedEntry:
    """An envelope that cannot be posted."""

    entry: OutboxEntry
    reason: str
    """For people: what to change."""
    is_held: bool = False
    """Whether it waits, with all behind it, and is tried again: it is the room that takes nothing. Told once, until it
    takes something again. Otherwise the envelope will never be there."""


@dataclass(slots=True)
class _Books:
    """What has become of entries since the store was told."""

    attempts: list[tuple[int, int, str]] = field(default_factory=list)
    failed: set[int] = field(default_factory=set)

    async def write(self, tx: Transaction) -> None:
        for entry_id, at, reason in self.attempts:
            await tx.outbox.mark_attempt(entry_id, at, reason)
        for entry_id in self.failed:
            await tx.outbox.drop(entry_id)

    def __bool__(self) -> bool:
        return bool(self.attempts or self.failed)


@dataclass(frozen=True, slots=True)
class _OpenRoom:
    """A room that the account is in."""

    name: str
    envelope_bytes: int


class Publisher:
    """One account's. `run` does the work, and raises `StoreError`; everything else returns at once."""

    def __init__(
        self,
        name: str,
        transport: Transport,
        store: Store,
        *,
        clock: Clock,
        random: Random,
        metrics: Metrics,
        on_failed: Callable[[FailedEntry], None],
        on_held: Callable[[RoomAddress], None],
        on_refused: Callable[[PermanentError], None],
    ) -> None:
        self._name = name
        self._transport = transport
        self._store = store
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._on_failed = on_failed
        self._on_held = on_held
        self._on_refused = on_refused
        self._bell = Bell(clock)
        self._books = _Books()
        self._account: Account | None = None
        """Whose entries these are; `None` before the first `run`, which reads all of them."""
        self._rooms: dict[RoomAddress, _OpenRoom] = {}
        self._lanes: dict[RoomAddress, Lane] = {}
        self._work: dict[RoomAddress, asyncio.Task[None]] = {}
        self._newest: dict[RoomAddress, int] = {}
        """The newest entry of each room."""
        self._read_through: dict[RoomAddress, int] = {}
        """The newest one that its lane has, or had, in hand."""
        self._looked_through = 0
        self._held: dict[RoomAddress, str] = {}
        """Rooms that take nothing, and why."""
        self._is_read = False
        self._is_connected = False
        self._is_exchanging = False
        self._connects_at = NEVER
        self._patience = Pause(clock)
        self._crew: asyncio.TaskGroup | None = None
        self._progress = asyncio.Event()

    # What happens elsewhere.

    def open_room(self, room: JoinedRoom, name: str) -> None:
        """Publish into this room: the account is in it. `name` is one's own, for figures."""
        self._rooms[room.address] = _OpenRoom(name, room.limits.envelope_bytes)
        self._bell.ring()

    def close_room(self, room: RoomAddress) -> None:
        """Publish nothing more into this room. What waits for it stays in the store."""
        self._rooms.pop(room, None)
        self._lanes.pop(room, None)
        self._held.pop(room, None)
        if (work := self._work.pop(room, None)) is not None:
            work.cancel()
        self._tell()

    def problem_of(self, room: RoomAddress) -> str | None:
        """Return why the room takes nothing of what waits for it."""
        lane = self._lanes.get(room)
        return self._held.get(room) if lane is not None and lane.has_unpublished else None

    def post(self, added: Sequence[StoredOutboxEntry]) -> None:
        """Publish these new entries, as far as they are this account's: they are in the store by now."""
        for stored in added:
            if stored.entry.account == self._account and not self._take_in(stored):
                self._is_read = False  # and nothing behind it is taken in before the store was asked
                self._bell.ring()

    def reflected(self, transactions: Collection[str]) -> None:
        """Forget what the rooms have shown."""
        for transaction in transactions:
            for lane in self._lanes.values():
                lane.reflected(transaction)
        if transactions:
            self._metrics.outbox.labels(self._name).dec(len(transactions))
            self._bell.ring()

    def reconnecting(self) -> None:
        """Go on soon: the connection stands, but what the rooms have may not have been told yet."""
        if not self._is_connected:
            self._connects_at = self._clock.now() + CATCH_UP_PATIENCE
            self._bell.ring()

    def connected(self) -> None:
        """Go on: the connection stands, and what the rooms have is known."""
        self._connects_at = NEVER
        if not self._is_connected:
            self._is_connected = True
            for lane in self._lanes.values():
                lane.reconnected()

    def disconnected(self) -> None:
        """Publish nothing until `connected`."""
        self._is_connected = False
        self._connects_at = NEVER
        self._progress.set()

    # What lanes ask and tell (`bridge.service.lane.Ledger`).

    @property
    def resume_at(self) -> int:
        return self._patience.ends_at if self._is_connected else NEVER

    def hold(self, pause: int) -> None:
        self._patience.begin(max(self._patience.left, pause))

    def published(self, stored: StoredOutboxEntry) -> None:
        if self._held.pop(stored.entry.room, None) is not None:
            log.info("the room takes envelopes again", account=self._name, room=stored.entry.room)
        self._tell()

    def attempted(self, stored: StoredOutboxEntry, reason: str) -> None:
        log.info("publishing failed for now", account=self._name, room=stored.entry.room, reason=reason)
        self._books.attempts.append((stored.id, self._clock.now(), reason[:MAX_ERROR]))
        self._tell()

    def held(self, stored: StoredOutboxEntry, error: PermanentError) -> None:
        room = stored.entry.room
        is_new = room not in self._held
        self._held[room] = error.what
        self._books.attempts.append((stored.id, self._clock.now(), error.what[:MAX_ERROR]))
        self._tell()
        if is_new:
            log.warning("the room takes nothing", account=self._name, room=room, reason=error.what)
            self._on_failed(FailedEntry(stored.entry, error.what, is_held=True))
        self._on_held(room)

    def failed(self, stored: StoredOutboxEntry, error: PermanentError | ProtocolError) -> None:
        reason = error.what
        log.error(
            "publishing failed for good",
            account=self._name,
            room=stored.entry.room,
            purpose=stored.entry.purpose,
            reason=reason,
        )
        room = self._rooms.get(stored.entry.room)
        self._metrics.refused.labels("other" if room is None else room.name, "unpublishable").inc()
        self._books.failed.add(stored.id)
        self._tell()
        self._on_failed(FailedEntry(stored.entry, reason))

    def refused(self, error: PermanentError) -> None:
        self._is_connected = False
        self._on_refused(error)

    # The work.

    async def run(self) -> None:
        """Publish what the outbox holds, until cancelled."""
        self._account = self._transport.account
        async with crew() as tasks:
            self._crew = tasks
            try:
                while True:
                    await self._exchange()
                    await self._bell.wait(self._connects_at)
                    if self._connects_at <= self._clock.now():
                        self.connected()
            finally:
                self._crew = None

    async def drained(self) -> None:
        """Return once servers have answered to all that the outbox holds, or none is there."""
        while (self._is_connected or self._connects_at != NEVER) and self._has_work:
            self._progress.clear()
            await self._progress.wait()

    @property
    def _has_work(self) -> bool:
        is_busy = any(lane.has_unpublished for lane in self._lanes.values()) or any(map(self._has_more, self._rooms))
        return is_busy or not self._is_read or bool(self._books) or self._is_exchanging

    def _take_in(self, stored: StoredOutboxEntry) -> bool:
        """Hand a new entry to its lane without asking the store. `False` where only the store knows its turn."""
        room = stored.entry.room
        if stored.id <= self._looked_through:
            return True  # whoever asked the store meanwhile has found it
        if self._crew is None or room not in self._rooms or not self._is_read or self._is_exchanging:
            return False
        if self._has_more(room):
            return False
        lane = self._lane(room, self._crew)
        if len(lane) >= LANE_ENTRIES or self._left_for(lane) < len(stored.entry.envelope):
            return False
        lane.add(stored)
        self._looked_through = self._newest[room] = self._read_through[room] = stored.id
        self._metrics.outbox.labels(self._name).inc()
        return True

    async def _exchange(self) -> None:
        """Tell the store what has become of entries, and take in new ones."""
        if self._is_read and not self._books and not any(map(self._has_more, self._rooms)):
            self._progress.set()
            return
        self._is_exchanging = True  # what is taken in hand here stands in neither place until the store has answered
        try:
            await self._exchange_with_store()
        finally:
            self._is_exchanging = False
        self._progress.set()

    async def _exchange_with_store(self) -> None:
        books, self._books = self._books, _Books()
        is_read, self._is_read = self._is_read, True
        account = self._transport.account
        async with self._store.transaction() as tx:
            await books.write(tx)
            if not is_read:
                newest = await tx.outbox.newest(account, self._looked_through)
                self._newest |= newest
                self._looked_through = max(newest.values(), default=self._looked_through)
                self._metrics.outbox.labels(self._name).set(await tx.outbox.count(account))
            for room in tuple(self._rooms):
                await self._fill(tx, room)

    async def _fill(self, tx: Transaction, room: RoomAddress) -> None:
        """Read on in what waits for a room, until its lane has enough in hand."""
        while self._crew is not None and self._has_more(room) and room in self._rooms:
            lane = self._lane(room, self._crew)
            left = self._left_for(lane)
            if len(lane) and (len(lane) > LANE_ENTRIES // 2 or left < LANE_BYTES // 2):
                return
            after = self._read_through.get(room, 0)
            stored = await tx.outbox.waiting(self._transport.account, room, LANE_ENTRIES, after=after, max_bytes=left)
            for one in stored:
                lane.add(one)
            self._read_through[room] = stored[-1].id if stored else self._newest[room]

    def _left_for(self, lane: Lane) -> int:
        """Return how many bytes more a lane may have in hand."""
        return min(LANE_BYTES - lane.size, ACCOUNT_BYTES - sum(one.size for one in self._lanes.values()))

    def _has_more(self, room: RoomAddress) -> bool:
        return self._newest.get(room, 0) > self._read_through.get(room, 0)

    def _lane(self, room: RoomAddress, tasks: asyncio.TaskGroup) -> Lane:
        lane = self._lanes.get(room)
        if lane is None:
            limit = self._rooms[room].envelope_bytes
            lane = Lane(room, self._transport, self, limit=limit, clock=self._clock, random=self._random)
            self._lanes[room] = lane
            self._work[room] = tasks.create_task(lane.run())
        return lane

    def _tell(self) -> None:
        self._bell.ring()
        self._progress.set()

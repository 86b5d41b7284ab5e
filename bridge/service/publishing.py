"""From the outbox to the rooms: one publisher to an account, one lane to each of its rooms.

The outbox is the truth. What lanes hold in memory is a part of it, read in its order; what becomes of an entry is
written back, many at a time, in the same transaction that reads on. A crash in between costs a copy, which whoever has
it already drops, and never an entry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import structlog

from bridge.observing.metrics import Metrics
from bridge.protocol.errors import ProtocolError
from bridge.service.clock import Clock
from bridge.service.lane import Lane
from bridge.service.waiting import NEVER, Bell, crew
from bridge.store import OutboxEntry, Store, StoredOutboxEntry, Transaction
from mls.crypto.random import Random
from transports.errors import PermanentError
from transports.room import JoinedRoom, RoomAddress, Transport

__all__ = ["FailedEntry", "Publisher"]

log = structlog.get_logger("service")

IN_HAND: Final = 512
"""Entries of an account that lanes hold, at the most; the others stay in the store alone."""

MAX_ERROR: Final = 200
"""Characters of what is noted about a failed attempt."""


@dataclass(frozen=True, slots=True)
class FailedEntry:
    """An envelope that will never be in its room."""

    entry: OutboxEntry
    reason: str
    """For people: what to change."""


@dataclass(slots=True)
class _Books:
    """What has become of entries since the store was told."""

    published: dict[int, int] = field(default_factory=dict)
    """From an entry's id to the time."""
    attempts: list[tuple[int, int, str]] = field(default_factory=list)
    failed: set[int] = field(default_factory=set)

    async def write(self, tx: Transaction) -> None:
        for entry_id, at in self.published.items():
            await tx.outbox.mark_published(entry_id, at)
        for entry_id, at, reason in self.attempts:
            await tx.outbox.mark_attempt(entry_id, at, reason)
        for entry_id in self.failed:
            await tx.outbox.drop(entry_id)

    def __bool__(self) -> bool:
        return bool(self.published or self.attempts or self.failed)


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
        on_refused: Callable[[PermanentError], None],
    ) -> None:
        self._name = name
        self._transport = transport
        self._store = store
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._on_failed = on_failed
        self._on_refused = on_refused
        self._bell = Bell(clock)
        self._books = _Books()
        self._rooms: dict[RoomAddress, JoinedRoom] = {}
        self._lanes: dict[RoomAddress, Lane] = {}
        self._has_more = False
        self._is_read = False
        self._is_connected = False
        self._held_until = 0
        self._progress = asyncio.Event()

    # What happens elsewhere.

    def open_room(self, room: JoinedRoom) -> None:
        """Publish into this room: the account is in it."""
        self._rooms[room.address] = room
        self._bell.ring()

    def kick(self) -> None:
        """Look for new entries."""
        self._is_read = False
        self._bell.ring()

    def reflected(self, transactions: Iterable[str]) -> None:
        """Forget what the rooms have shown."""
        for transaction in transactions:
            for lane in self._lanes.values():
                lane.reflected(transaction)
        self._bell.ring()

    def connected(self) -> None:
        """Go on: the connection stands, and what the rooms have is known."""
        if not self._is_connected:
            self._is_connected = True
            for lane in self._lanes.values():
                lane.reconnected()

    def disconnected(self) -> None:
        """Publish nothing until `connected`."""
        self._is_connected = False
        self._progress.set()

    # What lanes ask and tell (`bridge.service.lane.Ledger`).

    @property
    def resume_at(self) -> int:
        return self._held_until if self._is_connected else NEVER

    def hold_until(self, at: int) -> None:
        self._held_until = max(self._held_until, at)

    def published(self, stored: StoredOutboxEntry) -> None:
        self._books.published[stored.id] = self._clock.now()
        self._tell()

    def attempted(self, stored: StoredOutboxEntry, reason: str) -> None:
        log.info("publishing failed for now", account=self._name, room=stored.entry.room, reason=reason)
        self._books.attempts.append((stored.id, self._clock.now(), reason[:MAX_ERROR]))
        self._tell()

    def failed(self, stored: StoredOutboxEntry, error: PermanentError | ProtocolError) -> None:
        reason = error.what
        log.error(
            "publishing failed for good",
            account=self._name,
            room=stored.entry.room,
            purpose=stored.entry.purpose,
            reason=reason,
        )
        self._metrics.refused.labels(self._name, "unpublishable").inc()
        self._books.failed.add(stored.id)
        self._tell()
        self._on_failed(FailedEntry(stored.entry, reason))

    def refused(self, error: PermanentError) -> None:
        self._is_connected = False
        self._on_refused(error)

    # The work.

    async def run(self) -> None:
        """Publish what the outbox holds, until cancelled."""
        async with crew() as tasks:
            while True:
                await self._exchange(tasks)
                await self._bell.wait(NEVER)

    async def drained(self) -> None:
        """Return once servers have answered to all that the outbox holds, and the store knows it, or none is there."""
        while self._is_connected and self._has_work:
            self._progress.clear()
            await self._progress.wait()

    @property
    def _has_work(self) -> bool:
        lanes = any(lane.has_unpublished for lane in self._lanes.values())
        return lanes or not self._is_read or self._has_more or bool(self._books)

    async def _exchange(self, tasks: asyncio.TaskGroup) -> None:
        """Tell the store what has become of entries, and take in new ones."""
        books, self._books = self._books, _Books()
        in_hand = set[int]().union(*(lane.entry_ids for lane in self._lanes.values()))
        is_reading = len(in_hand) <= IN_HAND // 2
        self._is_read = self._is_read or is_reading
        account = self._transport.account
        async with self._store.transaction() as tx:
            await books.write(tx)
            stored = await tx.outbox.waiting(account, IN_HAND) if is_reading else []
            self._metrics.outbox.labels(self._name).set(await tx.outbox.count(account))
        self._has_more = not is_reading or len(stored) == IN_HAND
        for one in stored:
            if one.id not in in_hand and one.entry.room in self._rooms:
                self._lane(one.entry.room, tasks).add(one)
        self._progress.set()

    def _lane(self, room: RoomAddress, tasks: asyncio.TaskGroup) -> Lane:
        lane = self._lanes.get(room)
        if lane is None:
            limit = self._rooms[room].limits.envelope_bytes
            lane = Lane(room, self._transport, self, limit=limit, clock=self._clock, random=self._random)
            self._lanes[room] = lane
            tasks.create_task(lane.run())
        return lane

    def _tell(self) -> None:
        self._bell.ring()
        self._progress.set()

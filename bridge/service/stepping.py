"""One role in one room at work: its events in order, its alarms, and what a person asks of it, one step at a time.

A step is one transaction and what follows its commit. Nothing interrupts one half-way: whoever asked for it may give
up waiting, and the step ends all the same, so that what the role holds in memory and what is stored never part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import structlog

from bridge.service.clock import Clock
from bridge.service.consumer import AfterCommit, Consumer
from bridge.service.errors import ConsumerFailedError, ServiceError, StateLostError
from bridge.service.waiting import NEVER, Backoff, Bell, Pause
from bridge.store import Store, StoredEvent, StoredOutboxEntry, Transaction
from bridge.store.errors import CorruptStoreError, DiskFullError, UnavailableStoreError
from mls.crypto.random import Random
from transports.room import EnvelopeSeen

__all__ = ["FATAL", "Action", "Stepper"]

log = structlog.get_logger("service")

Action: TypeAlias = Callable[[Transaction, int], Awaitable[AfterCommit]]
"""What is done within a step, with the time."""

FATAL: Final = (CorruptStoreError, DiskFullError, UnavailableStoreError)
"""What no second attempt mends: the service stops at once, and says what to do."""

BATCH: Final = 100
"""Events of one step, at the most."""

MAX_IDLE: Final = 500
"""Events of which nothing came that are taken in again after a crash, about."""

MAX_ATTEMPTS: Final = 3

SHORTEST_WAIT: Final = 10
"""Milliseconds between two alarms, whatever the role asks for."""


class Stepper:
    """Runs one consumer. `run` ends when it is stopped; what it raises is the end of the service."""

    def __init__(
        self,
        consumer: Consumer,
        store: Store,
        *,
        clock: Clock,
        random: Random,
        on_posts: Callable[[Sequence[StoredOutboxEntry]], None],
        on_taken: Callable[[int], None],
        has_read: Callable[[], bool],
    ) -> None:
        self.consumer = consumer
        self._store = store
        self._clock = clock
        self._on_posts = on_posts
        self._on_taken = on_taken
        self._has_read = has_read
        self._bell = Bell(clock)
        self._backoff = Backoff(random)
        self._lock = asyncio.Lock()
        self._started = asyncio.Event()
        self._is_stopping = False
        self._has_news = True
        self._is_current = False
        self._rest = Pause(clock)
        self.position: int | None = None
        """The last event that was taken in; `None` before the start."""
        self._stored_position: int | None = None
        self._idle = 0
        """Events that were taken in since that was stored: nothing came of them."""

    def ring(self) -> None:
        """Look for new events."""
        self._has_news = True
        self._bell.ring()

    def stop(self) -> None:
        """End after the step at hand."""
        self._is_stopping = True
        self._bell.ring()

    async def run(self) -> None:
        """Take in what comes, until stopped. Raises `StoreError`, `ServiceError`."""
        try:
            await self._insist(self._start)
            self._started.set()
            while not self._is_stopping:
                if self._has_news:
                    await self._insist(self._take)
                    continue
                if not self._is_current and self._has_read():
                    await self._insist(self._catch_up)
                    continue
                due = self._due_at()
                if due <= self._clock.now():
                    await self._insist(self._wake)
                else:
                    await self._bell.wait(due)
        finally:
            self._is_stopping = True
            self._started.set()

    async def act(self, action: Action) -> None:
        """Do what a person asks for. Raises what `action` raises, and then nothing has changed; `ServiceError`."""
        await self._started.wait()
        if self._is_stopping:
            raise ServiceError(f"{self.consumer.name}: not running")
        # In a task of its own, so that whoever asked may be cancelled, and the step is not.
        await asyncio.shield(asyncio.create_task(self._step(self._keeping_position(action))))
        self._bell.ring()  # the next alarm may be another one now

    def _due_at(self) -> int:
        due = self.consumer.next_wake()
        return NEVER if due is None else max(due, self._rest.ends_at)

    async def _insist(self, work: Callable[[], Awaitable[bool]]) -> bool:
        """Try until it works; not for ever."""
        while True:
            try:
                done = await work()
            except (*FATAL, ServiceError):
                raise
            except Exception as error:  # a fault of ours: the step is undone, and may work again
                log.exception("step failed", consumer=self.consumer.name, position=self.position)
                retry_at = self._clock.now() + self._backoff.pause()
                if self._backoff.failures >= MAX_ATTEMPTS:
                    raise ConsumerFailedError(self.consumer.name, attempts=MAX_ATTEMPTS) from error
                while not self._is_stopping and self._clock.now() < retry_at:
                    await self._bell.wait(retry_at)
                if self._is_stopping:
                    return False
            else:
                self._backoff.reset()
                return done

    async def _start(self) -> bool:
        async def start(tx: Transaction, now: int) -> AfterCommit:
            position = await tx.positions.get(self.consumer.name)
            self._stored_position = position
            after = await self.consumer.start(tx, now=now)

            def begin() -> None:
                self.position = position
                after()

            return begin

        await self._step(start)
        return True

    async def _take(self) -> bool:
        """Take in the next events. Returns whether there were any."""
        events: list[StoredEvent] = []

        async def take(tx: Transaction, now: int) -> AfterCommit:
            nonlocal events
            consumer = self.consumer
            self._has_news = False
            events, is_last = await tx.events.after(consumer.account, consumer.room, self.position or 0, BATCH)
            self._has_news = self._has_news or not is_last
            if not events:
                return _nothing
            after = await consumer.take(tx, events, now=now)
            return await self._reach(tx, events[-1].position, len(events), after)

        try:
            await self._step(take)
        except BaseException:
            self._has_news = True
            raise
        if events:
            self._on_taken(sum(isinstance(stored.event, EnvelopeSeen) for stored in events))
        return bool(events)

    async def _catch_up(self) -> bool:
        async def catch_up(tx: Transaction, now: int) -> AfterCommit:
            return await self.consumer.caught_up(tx, now=now)

        await self._step(self._keeping_position(catch_up))
        self._is_current = True
        return True

    async def _wake(self) -> bool:
        async def wake(tx: Transaction, now: int) -> AfterCommit:
            return await self.consumer.wake(tx, now=now)

        self._rest.begin(SHORTEST_WAIT)
        await self._step(self._keeping_position(wake))
        return True

    async def _step(self, action: Action) -> None:
        async with self._lock:
            async with self._store.transaction() as tx:
                after = await action(tx, self._clock.now())
            try:
                after()
            except Exception as error:  # whatever it is: what is stored and what is in memory have parted
                log.exception("state could not be taken over", consumer=self.consumer.name)
                raise StateLostError(self.consumer.name) from error
        if tx.outbox.added:
            self._on_posts(tx.outbox.added)

    def _keeping_position(self, action: Action) -> Action:
        """Return an action that takes nothing in, and stores how far the role has come if it writes anything."""

        async def act(tx: Transaction, now: int) -> AfterCommit:
            after = await action(tx, now)
            return after if self.position is None else await self._reach(tx, self.position, 0, after)

        return act

    async def _reach(self, tx: Transaction, position: int, taken: int, after: AfterCommit) -> AfterCommit:
        """Store how far the role has come, with what came of it.

        Where nothing came of it that is not worth a commit: after a crash it is taken in again, and nothing comes of
        it again. But what is stored later must not meet it a second time, so the next step that writes stores it too.
        """
        idle = self._idle + taken
        is_stored = tx.has_changes or idle >= MAX_IDLE
        if is_stored and position != self._stored_position:
            await tx.positions.put(self.consumer.name, position)

        def after_commit() -> None:
            self.position = position
            self._stored_position, self._idle = (position, 0) if is_stored else (self._stored_position, idle)
            after()

        return after_commit


def _nothing() -> None:
    """Change nothing."""

"""One role in one room at work: its events in order, its alarms, and what a person asks of it, one step at a time.

A step is one transaction and what follows its commit. Nothing interrupts one half-way: whoever asked for it may give
up waiting, and the step ends all the same, so that what the role holds in memory and what is stored never part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final, TypeAlias

import structlog

from bridge.service.clock import Clock
from bridge.service.consumer import AfterCommit, Consumer
from bridge.service.errors import ConsumerFailedError, ServiceError, StateLostError
from bridge.service.waiting import NEVER, Backoff, Bell
from bridge.store import Store, Transaction
from bridge.store.errors import CorruptStoreError, DiskFullError, UnavailableStoreError
from mls.crypto.random import Random
from transports.room import Account, EnvelopeSeen

__all__ = ["FATAL", "Action", "Stepper"]

log = structlog.get_logger("service")

Action: TypeAlias = Callable[[Transaction, int], Awaitable[AfterCommit]]
"""What is done within a step, with the time."""

FATAL: Final = (CorruptStoreError, DiskFullError, UnavailableStoreError)
"""What no second attempt mends: the service stops at once, and says what to do."""

BATCH: Final = 100
"""Events of one step, at the most."""

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
        on_posts: Callable[[Collection[Account]], None],
        on_taken: Callable[[int], None],
    ) -> None:
        self.consumer = consumer
        self._store = store
        self._clock = clock
        self._on_posts = on_posts
        self._on_taken = on_taken
        self._bell = Bell(clock)
        self._backoff = Backoff(random)
        self._lock = asyncio.Lock()
        self._started = asyncio.Event()
        self._is_stopping = False
        self._wakes_again = 0
        self._envelopes = 0
        self.position: int | None = None
        """The last event that was taken in; `None` before the start."""

    def ring(self) -> None:
        """Look for new events."""
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
                if await self._insist(self._take):
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
        await asyncio.shield(asyncio.create_task(self._step(action)))
        self._bell.ring()  # the next alarm may be another one now

    def _due_at(self) -> int:
        due = self.consumer.next_wake()
        return NEVER if due is None else max(due, self._wakes_again)

    async def _insist(self, work: Callable[[], Awaitable[bool]]) -> bool:
        """Try until it works; not for ever."""
        while True:
            try:
                done = await work()
            except (*FATAL, ServiceError):
                raise
            except Exception as error:
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
            after = await self.consumer.start(tx, now=now)
            return self._then(position, after)

        await self._step(start)
        return True

    async def _take(self) -> bool:
        """Take in the next events. Returns whether there were any."""
        taken = 0

        async def take(tx: Transaction, now: int) -> AfterCommit:
            nonlocal taken
            consumer = self.consumer
            events = await tx.events.after(consumer.account, consumer.room, self.position or 0, BATCH)
            if not events:
                return _nothing
            after = await consumer.take(tx, events, now=now)
            await tx.positions.put(consumer.name, events[-1].position)
            taken = len(events)
            self._envelopes = sum(isinstance(stored.event, EnvelopeSeen) for stored in events)
            return self._then(events[-1].position, after)

        await self._step(take)
        if taken:
            self._on_taken(self._envelopes)
        return bool(taken)

    async def _wake(self) -> bool:
        async def wake(tx: Transaction, now: int) -> AfterCommit:
            return await self.consumer.wake(tx, now=now)

        self._wakes_again = self._clock.now() + SHORTEST_WAIT
        await self._step(wake)
        return True

    async def _step(self, action: Action) -> None:
        async with self._lock:
            async with self._store.transaction() as tx:
                after = await action(tx, self._clock.now())
            try:
                after()
            except Exception as error:
                log.exception("state could not be taken over", consumer=self.consumer.name)
                raise StateLostError(self.consumer.name) from error
        if tx.outbox.added:
            self._on_posts(tx.outbox.added)

    def _then(self, position: int, after: AfterCommit) -> AfterCommit:
        def both() -> None:
            self.position = position
            after()

        return both


def _nothing() -> None:
    """Change nothing."""

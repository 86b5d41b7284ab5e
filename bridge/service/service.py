"""The service: accounts on one side, roles on the other, one store between them.

::

    transport --batch--> ingest --> events --take--> role --> outbox --> publisher --> transport
                           (one transaction)     (one transaction)

Nothing goes from one to the next but through the store: whatever the process dies of, it goes on from there.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

import structlog

from bridge.observing.health import Readiness
from bridge.observing.metrics import Metrics
from bridge.service.account import AccountRunner
from bridge.service.clock import Clock
from bridge.service.consumer import Consumer
from bridge.service.entering import WantedRoom
from bridge.service.errors import ServiceError
from bridge.service.publishing import FailedEntry
from bridge.service.stepping import FATAL, Action, Stepper
from bridge.service.waiting import to_the_end
from bridge.store import Store, StoredOutboxEntry
from mls.crypto.random import Random
from transports.room import Account, RoomAddress, Transport

__all__ = ["Service"]

log = structlog.get_logger("service")

FLUSH: Final = 5_000
"""Milliseconds that a clean stop gives to what is still to be published."""

PRUNE_EVERY: Final = 600_000
"""Milliseconds between two rounds of forgetting."""

DAY: Final = 86_400_000

KEEP_IDS: Final = 30 * DAY
"""For how long it is known which events and envelopes were there: longer than archives are read back."""

KEEP_SENT: Final = 7 * DAY
"""For how long what was sent is kept after the own room has shown it."""

KEEP_FRAGMENTS: Final = DAY
"""For how long the missing fragments of an envelope may come."""


class Service:
    """Runs accounts and consumers until `stop`. Both may be added before `run` and while it runs."""

    def __init__(self, store: Store, *, clock: Clock, random: Random, metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._random = random
        self._metrics = metrics
        store.on_transaction = metrics.store_transaction.observe
        self._accounts: dict[str, AccountRunner] = {}
        self._steppers: dict[str, Stepper] = {}
        self._listeners: dict[tuple[Account, RoomAddress], list[Callable[[FailedEntry], None]]] = defaultdict(list)
        self._alarms: list[tuple[str, Callable[[], str | None]]] = []
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._waits_to_run: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._is_running = False
        self._stopping = asyncio.Event()
        self._error: BaseException | None = None
        self.forgets = False
        """Whether events are forgotten that all consumers have taken: to be set once all consumers are added."""

    # What is composed.

    def add_account(
        self,
        name: str,
        transport: Transport,
        rooms: Sequence[WantedRoom],
        *,
        log_in: Callable[[], Awaitable[None]] | None = None,
    ) -> AccountRunner:
        """Run an account. `name` is one's own, for figures and logs. `log_in` stands in place of `transport.start`."""
        runner = AccountRunner(
            name,
            transport,
            rooms,
            log_in=log_in or transport.start,
            store=self._store,
            clock=self._clock,
            random=self._random,
            metrics=self._metrics,
            on_events=self._events_came,
            on_failed=self._entry_failed,
        )
        self._accounts[name] = runner
        self._begin(f"account {name}", runner.run)
        return runner

    def add_consumer(
        self,
        consumer: Consumer,
        *,
        role: str,
        room_name: str,
        on_failed: Callable[[FailedEntry], None] | None = None,
        alarm: Callable[[], str | None] | None = None,
    ) -> None:
        """Run a role. `role` and `room_name` are for figures.

        `on_failed` is told what cannot be published there. `alarm` says why the role does not do its work.
        """
        if consumer.name in self._steppers:
            raise ValueError(f"there is a consumer called {consumer.name} already")
        network = consumer.account.partition(":")[0]
        counter = self._metrics.messages_in.labels(room_name, network, role)
        stepper = Stepper(
            consumer,
            self._store,
            clock=self._clock,
            random=self._random,
            on_posts=self._post,
            on_taken=counter.inc,
            has_read=lambda: self._has_read(consumer),
        )
        self._steppers[consumer.name] = stepper
        if on_failed is not None:
            self._listeners[consumer.account, consumer.room].append(on_failed)
        if alarm is not None:
            self._alarms.append((room_name, alarm))
        self._begin(consumer.name, stepper.run)

    # What is asked of it.

    async def run(self) -> None:
        """Run until `stop`, then stop cleanly and close the store. Raises what made the service stop by itself.

        That is a `StoreError`, or a `ServiceError`; anything else is a fault of ours.
        """
        self._is_running = True
        for name, work in self._waits_to_run:
            self._spawn(name, work)
        self._waits_to_run.clear()
        self._spawn("pruning", self._prune_regularly)
        try:
            await self._stopping.wait()
        finally:
            await self._shut_down()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Begin to stop."""
        self._stopping.set()

    async def act(self, consumer: Consumer, action: Action) -> None:
        """Do what a person asks of a role, in one step of it.

        Raises what `action` raises, and then nothing has changed; `ServiceError` where the role does not run.
        """
        try:
            await self._steppers[consumer.name].act(action)
        except FATAL as error:
            self._fail(consumer.name, error)
            raise
        except ServiceError as error:
            # Whoever asks while the service stops comes too late: that is no failure of the service.
            if not self._stopping.is_set():
                self._fail(consumer.name, error)
            raise

    def readiness(self) -> Readiness:
        """Return how things stand."""
        rooms: dict[str, str | None] = {}
        for account in self._accounts.values():
            for name, problem in account.room_problems.items():
                rooms[name] = rooms.get(name) or problem
        for name, alarm in self._alarms:
            rooms[name] = rooms.get(name) or alarm()
        return Readiness({name: account.state for name, account in self._accounts.items()}, rooms)

    # What happens.

    def _has_read(self, consumer: Consumer) -> bool:
        """Whether all that stood in a consumer's room when its account came is in the store."""
        return any(
            runner.has_read(consumer.room) for runner in self._accounts.values() if runner.is_of(consumer.account)
        )

    def _events_came(self, account: Account, rooms: Iterable[RoomAddress]) -> None:
        for stepper in self._steppers.values():
            if stepper.consumer.account == account and stepper.consumer.room in rooms:
                stepper.ring()

    def _post(self, added: Sequence[StoredOutboxEntry]) -> None:
        for runner in self._accounts.values():
            runner.publisher.post(added)

    def _entry_failed(self, failed: FailedEntry) -> None:
        for listener in self._listeners[failed.entry.account, failed.entry.room]:
            listener(failed)
        # Who posts there may want to do something about it, and be woken for that.
        self._events_came(failed.entry.account, (failed.entry.room,))

    def _begin(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        if self._is_running:
            self._spawn(name, work)
        else:
            self._waits_to_run.append((name, work))

    def _spawn(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        async def guarded() -> None:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - `run` raises it
                self._fail(name, error)

        task = asyncio.create_task(guarded())
        self._tasks[task] = name
        task.add_done_callback(lambda ended: self._tasks.pop(ended, None))

    def _fail(self, name: str, error: Exception) -> None:
        """Stop because of an error; the first one is what `run` raises."""
        if self._error is None:
            log.critical("the service stops", because_of=name, reason=str(error), exc_info=error)
            self._error = error
        self.stop()

    # How it ends.

    async def _shut_down(self) -> None:
        try:
            await self._let_finish()
        except asyncio.CancelledError:  # in a hurry: what waits is sent after the next start
            for task in self._tasks:
                task.cancel()
            raise
        finally:
            await to_the_end(self._close())

    async def _let_finish(self) -> None:
        for stepper in self._steppers.values():
            stepper.stop()
        steppers = [task for task, name in self._tasks.items() if name in self._steppers]
        if steppers:
            await asyncio.wait(steppers)
        if self._error is None:
            await self._flush()

    async def _close(self) -> None:
        for account in self._accounts.values():
            account.stop()
        for task, name in self._tasks.items():
            if name == "pruning":
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for account in self._accounts.values():
            await account.close()
        await self._store.close()
        log.info("stopped")

    async def _flush(self) -> None:
        """Let publishers finish, for a while."""
        flushing = [asyncio.create_task(account.publisher.drained()) for account in self._accounts.values()]
        limit = asyncio.create_task(self._clock.sleep_until(self._clock.now() + FLUSH))
        limit.add_done_callback(lambda _: [task.cancel() for task in flushing])
        try:
            await asyncio.gather(*flushing, return_exceptions=True)
        finally:
            limit.cancel()

    # What is forgotten.

    async def _prune_regularly(self) -> None:
        while True:
            await self._clock.sleep_until(self._clock.now() + PRUNE_EVERY)
            await self.prune()

    async def prune(self) -> None:
        """Forget what nobody needs any more."""
        now = self._clock.now()
        taken: dict[tuple[Account, RoomAddress], int] = {}
        for stepper in self._steppers.values():
            stream = stepper.consumer.account, stepper.consumer.room
            position = stepper.position or 0
            taken[stream] = min(position, taken.get(stream, position))
        async with self._store.transaction() as tx:
            if self.forgets:
                for (account, room), through in taken.items():
                    await tx.events.forget(account, room, through)
            await tx.events.prune(now - KEEP_IDS)
            await tx.seen.prune(now - KEEP_IDS)
            await tx.outbox.prune(now - KEEP_SENT)
            await tx.fragments.prune(now - KEEP_FRAGMENTS)

"""What the tests of the service share: a world in memory, a real database, and a role that keeps what it is told."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.observing.metrics import Metrics
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope, open_envelope
from bridge.service.account import AccountRunner
from bridge.service.clock import SystemClock
from bridge.service.consumer import AfterCommit
from bridge.service.entering import WantedRoom
from bridge.service.service import Service
from bridge.store import OutboxEntry, Store, StoredEvent, StoreKey, Transaction
from transports.memory import LoopClock, MemoryNetwork, RoomKind, RoomRules
from transports.room import Account, Batch, EnvelopeSeen, JoinedRoom, RoomAddress, RoomEvent, Transport

ALICE = Account("memory:alice")
BOB = Account("memory:bob")
TEA = RoomAddress("memory:tea")

KEY = StoreKey(bytes(32))


def application(text: str) -> bytes:
    """An envelope that carries this text, for all that the service can tell."""
    return envelope(EnvelopeKind.APPLICATION, b"group", text.encode()).encode()


def text_of(event: RoomEvent) -> str:
    assert isinstance(event, EnvelopeSeen), event
    return open_envelope(event.envelope).body.decode()


async def open_store(folder: Path, *, max_page_count: int | None = None) -> Store:
    return await Store.open(folder / "test.db", KEY, now=0, max_page_count=max_page_count)


class Notebook:
    """A consumer that writes down what it takes: in a record, with its transaction, and in memory, after it."""

    def __init__(self, name: str = "notebook", account: Account = ALICE, room: RoomAddress = TEA) -> None:
        self.name, self.account, self.room = name, account, room
        self.events: list[RoomEvent] = []
        self.steps: list[int] = []
        self.wakes = 0
        self.wake_at: int | None = None
        self.before: Callable[[Sequence[StoredEvent]], None] = lambda _: None
        """Called within each step; what it raises fails the step."""
        self.pause: float = 0
        self._changed = asyncio.Event()

    @property
    def texts(self) -> list[str]:
        return [text_of(event) for event in self.events if isinstance(event, EnvelopeSeen)]

    async def start(self, tx: Transaction, *, now: int) -> AfterCommit:  # noqa: ARG002 - the interface's
        return lambda: None

    async def take(
        self,
        tx: Transaction,
        events: Sequence[StoredEvent],
        *,
        now: int,  # noqa: ARG002 - the interface's
    ) -> AfterCommit:
        self.before(events)
        await asyncio.sleep(self.pause)
        for stored in events:
            await tx.records.put(f"notebook {self.name}", stored.position.to_bytes(8, "big"), b"taken")

        def after() -> None:
            self.events.extend(stored.event for stored in events)
            self.steps.append(len(events))
            self._changed.set()

        return after

    def next_wake(self) -> int | None:
        return self.wake_at

    async def caught_up(self, tx: Transaction, *, now: int) -> AfterCommit:  # noqa: ARG002 - the interface's
        return lambda: None

    async def wake(self, tx: Transaction, *, now: int) -> AfterCommit:  # noqa: ARG002 - the interface's
        def after() -> None:
            self.wakes += 1
            self.wake_at = None
            self._changed.set()

        return after

    async def until(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        """Wait until something holds that changes with this consumer's steps."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


async def post(tx: Transaction, text: str, *, account: Account = ALICE, room: RoomAddress = TEA, size: int = 0) -> None:
    """Put an envelope into the outbox."""
    body = text if size <= len(text) else text + "." * (size - len(text))
    entry = OutboxEntry(account, room, application(body), os.urandom(8).hex(), None, None, "test", 0)
    await tx.outbox.add(entry)


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - there is nothing that rings for all conditions
            await asyncio.sleep(0.002)


@dataclass
class World:
    """A network in memory, and services in it that can be stopped and started again on the same database."""

    folder: Path
    network: MemoryNetwork = field(default_factory=lambda: MemoryNetwork(clock=LoopClock(), random=random.Random(7)))
    metrics: Metrics = field(default_factory=Metrics)

    def room(self, address: RoomAddress = TEA, *, kind: RoomKind = RoomKind.MUC, **rules: object) -> None:
        self.network.create_room(address, kind=kind, rules=RoomRules(**rules), members=[ALICE, BOB])  # type: ignore[arg-type]

    def texts_in(self, address: RoomAddress = TEA) -> list[str]:
        """What stands in the room, in its order, copies included."""
        events = self.network.room(address).events()
        return [text_of(event) for event in events if isinstance(event, EnvelopeSeen)]

    @asynccontextmanager
    async def service(
        self,
        *consumers: Notebook,
        account: Account = ALICE,
        wrap: Callable[[Transport], Transport] = lambda transport: transport,
        max_page_count: int | None = None,
    ) -> AsyncIterator[Running]:
        """A service with one account that is in the rooms of its consumers. Stopped cleanly at the end."""
        store = await open_store(self.folder, max_page_count=max_page_count)
        service = Service(store, clock=SystemClock(), random=os.urandom, metrics=self.metrics)
        rooms = [WantedRoom(str(room), room, 0) for room in dict.fromkeys(one.room for one in consumers)]
        runner = service.add_account("alice", wrap(self.network.transport(account)), rooms)
        for consumer in consumers:
            service.add_consumer(consumer, role="test", room_name=str(consumer.room))
        running = Running(service, store, runner, asyncio.create_task(service.run()))
        try:
            yield running
        finally:
            service.stop()
            await asyncio.wait([running.task])
            if not running.is_expected_to_fail:
                running.task.result()


@dataclass
class Running:
    service: Service
    store: Store
    account: AccountRunner
    task: asyncio.Task[None]
    is_expected_to_fail: bool = False

    async def say(self, consumer: Notebook, *texts: str, size: int = 0) -> None:
        """Put texts into the outbox, in one step of the consumer."""

        async def action(tx: Transaction, _now: int) -> AfterCommit:
            for text in texts:
                await post(tx, text, account=consumer.account, room=consumer.room, size=size)
            return lambda: None

        await self.service.act(consumer, action)

    async def crash(self) -> None:
        """End as a process does that is killed: nothing is finished, nothing is sent any more."""
        self.is_expected_to_fail = True
        self.service._shut_down = self.store.close  # type: ignore[method-assign]
        tasks = [self.task, *self.service._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for account in self.service._accounts.values():
            await account.close()


class Faulty:
    """A transport around another one, which fails when it is told to."""

    def __init__(self, inner: Transport) -> None:
        self.__dict__["inner"] = inner
        self.__dict__["on_publish"] = _let_pass
        self.__dict__["on_published"] = _let_pass
        self.__dict__["on_batch"] = _let_pass
        self.__dict__["on_join"] = _let_pass
        self.__dict__["on_start"] = _let_pass

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport has
        return getattr(self.inner, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name in self.__dict__:
            self.__dict__[name] = value
        else:
            setattr(self.inner, name, value)

    async def start(self) -> None:
        await self.on_start()
        await self.inner.start()

    async def join(self, room: str, *, history_since: int = 0) -> JoinedRoom:
        await self.on_join()
        joined: JoinedRoom = await self.inner.join(room, history_since=history_since)
        return joined

    async def publish(self, room: RoomAddress, envelope: bytes, **options: Any) -> None:  # noqa: ANN401 - passed on
        await self.on_publish()
        await self.inner.publish(room, envelope, **options)
        await self.on_published()

    async def batches(self, cursor: bytes | None) -> AsyncIterator[Batch]:
        async for batch in self.inner.batches(cursor):
            await self.on_batch()
            yield batch


async def _let_pass() -> None:
    """Do nothing."""


def failing(*errors: Exception) -> Callable[[], Awaitable[None]]:
    """Raise these, one at each call; then nothing any more."""
    left = list(errors)

    async def fail() -> None:
        if left:
            raise left.pop(0)

    return fail

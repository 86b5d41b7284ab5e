"""A world for relays and sequencers: rooms in memory, processes with real stores, and crashes anywhere.

A `Process` does what the service does, one thing after the other and nothing by itself, so that a test decides what
happens in which order, and what does not happen any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import TypeAlias

from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope, open_envelope
from bridge.protocol.fragments import split
from bridge.service.consumer import Consumer
from bridge.service.ingest import ingest
from bridge.service.transactions import of_fragment
from bridge.store import Store, StoreKey, Transaction
from bridge.store.statements import Statements
from transports.errors import RetryableError
from transports.memory import MemoryNetwork, MemoryRoom, MemoryTransport, VirtualClock
from transports.room import Account, EnvelopeSeen, RoomAddress

KEY = StoreKey(bytes(range(32)))
GROUP = b"the group"

Build: TypeAlias = Callable[[Transaction, "Process"], Awaitable[Sequence[Consumer]]]
"""Makes the roles of a process, in a transaction of its start."""


class Crash(BaseException):
    """The process ends here."""


class World:
    """Rooms, time, and the processes in it."""

    def __init__(self, seed: int = 1) -> None:
        self.clock = VirtualClock()
        self.random = Random(seed)
        self.network = MemoryNetwork(clock=self.clock, random=self.random)
        self.processes: list[Process] = []

    def now(self) -> int:
        return self.clock.now()

    async def process(self, path: Path, rooms: Sequence[tuple[Account, RoomAddress]], build: Build) -> Process:
        """Start a process."""
        process = Process(self, path, rooms, build)
        self.processes.append(process)
        await process.start()
        return process

    async def settle(self, *, limit: int = 400, step: int = 500) -> None:
        """Let all processes work, and time pass, until nothing happens any more for three seconds."""
        quiet = 0
        for _ in range(limit):
            worked = [await process.work() for process in self.processes if process.is_running]
            quiet = 0 if any(worked) else quiet + step
            if quiet > 3000:
                return
            self.clock.advance(step)
        raise AssertionError("the world does not come to rest")

    async def close(self) -> None:
        for process in self.processes:
            await process.stop()


class Process:
    """One store, some accounts, some roles."""

    def __init__(self, world: World, path: Path, rooms: Sequence[tuple[Account, RoomAddress]], build: Build) -> None:
        self.world = world
        self.path = path
        self.rooms = rooms
        self.is_running = False
        self.events_per_step = 100
        self.consumers: Sequence[Consumer] = ()
        self.store: Store
        self.transports: dict[Account, MemoryTransport] = {}
        self._build = build
        self._positions: dict[str, int] = {}
        self._published: set[tuple[Account, str]] = set()

    async def start(self) -> None:
        self.store = await Store.open(self.path, KEY, now=self.world.now(), random=self.world.random.randbytes)
        self.is_running = True
        self._published = set()
        try:
            for account, room in self.rooms:
                if account not in self.transports:
                    self.transports[account] = self.world.network.transport(account)
                    await self.transports[account].start()
                await self.transports[account].join(room)
            async with self.store.transaction() as tx:
                self.consumers = await self._build(tx, self)
            for consumer in self.consumers:
                async with self.store.transaction() as tx:
                    self._positions[consumer.name] = await tx.positions.get(consumer.name)
                    after = await consumer.start(tx, now=self.world.now())
                after()
        except Crash:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End, in good order or not: what is in memory is gone."""
        if self.is_running:
            self.is_running = False
            for transport in self.transports.values():
                await transport.close()
            self.transports = {}
            await self.store.close()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def work(self) -> bool:
        """Read, let roles work, publish. Returns whether anything happened."""
        read = [await self.read(account) for account in self.transports]
        stepped = [await self.step(consumer) for consumer in self.consumers]
        published = [await self.publish(account) for account in self.transports]
        return any([*read, *stepped, *published])

    async def read(self, account: Account) -> bool:
        """Store what the rooms show."""
        async with self.store.transaction() as tx:
            cursor = await tx.cursors.get(account)
        batches = self.transports[account].batches(cursor)
        any_events = False
        try:
            async for batch in batches:
                any_events = any_events or bool(batch.events)
                async with self.store.transaction() as tx:
                    await ingest(tx, account, batch, now=self.world.now())
                if batch.is_live:
                    break
        finally:
            await batches.aclose()  # type: ignore[attr-defined]
        return any_events

    async def step(self, consumer: Consumer) -> bool:
        """Let a role take in what is new, and do what is due."""
        worked = False
        while True:
            async with self.store.transaction() as tx:
                position = self._positions[consumer.name]
                events = (await tx.events.after(consumer.account, consumer.room, position, self.events_per_step)).events
                if not events:
                    break
                after = await consumer.take(tx, events, now=self.world.now())
                await tx.positions.put(consumer.name, events[-1].position)
            after()
            self._positions[consumer.name] = events[-1].position
            worked = True
        due = consumer.next_wake()
        if due is not None and due <= self.world.now():
            async with self.store.transaction() as tx:
                after = await consumer.wake(tx, now=self.world.now())
            after()
        return worked

    async def publish(self, account: Account, limit: int = 1000) -> bool:
        """Post what the outbox holds; what the server does not take now is tried again later."""
        worked = False
        async with self.store.transaction() as tx:
            rooms = await tx.outbox.newest(account, 0)
            waiting = [one for room in rooms for one in await tx.outbox.waiting(account, room, limit)]
        waiting.sort(key=lambda one: one.id)
        transport = self.transports[account]
        for stored in waiting:
            entry = stored.entry
            if (account, entry.transaction) in self._published:
                continue
            room = self.world.network.room(entry.room)
            parts = split(open_envelope(entry.envelope), room.rules.envelope_bytes)
            try:
                for index, part in enumerate(parts):
                    name = entry.transaction if len(parts) == 1 else of_fragment(entry.transaction, index)
                    await transport.publish(entry.room, part, transaction=name, note=entry.note)
            except RetryableError:
                break
            self._published.add((account, entry.transaction))
            worked = True
        return worked


class CrashAt:
    """Ends the process at the n-th statement that reaches its database."""

    def __init__(self, statement: int) -> None:
        self._left = statement
        self._rows = Statements.rows

    def __enter__(self) -> None:
        rows = self._rows

        async def failing(statements: Statements, sql: str, *parameters: str | bytes | int | None) -> object:
            self._left -= 1
            if self._left == 0:
                raise Crash
            return await rows(statements, sql, *parameters)

        Statements.rows = failing  # type: ignore[method-assign, assignment]

    def __exit__(self, *_: object) -> None:
        Statements.rows = self._rows  # type: ignore[method-assign]

    @property
    def has_happened(self) -> bool:
        return self._left <= 0


async def crashing(process: Process, statement: int) -> bool:
    """Let a process work until it ends at that statement. Returns whether it came to that."""
    crash = CrashAt(statement)
    with crash, suppress(Crash):
        await process.work()
    if crash.has_happened:
        await process.stop()
    return crash.has_happened


def message(kind: EnvelopeKind | int, body: bytes, group_id: bytes = GROUP) -> bytes:
    return envelope(EnvelopeKind(kind), group_id, body).encode()


def posted(room: MemoryRoom, *kinds: int, server: str | None = None) -> list[bytes]:
    """The envelopes of these kinds in a room, in its order."""
    found = [event.envelope for event in room.events(server) if isinstance(event, EnvelopeSeen)]
    return [data for data in found if open_envelope(data).kind in kinds]

"""What happens to a message in one process, and when: told by wrappers around what the program is made of.

The clock is the system's monotonic one, the same in all processes of the machine.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final, Self

from bridge.service.service import Service
from transports.room import (
    Account,
    Batch,
    ConnectionState,
    EnvelopeSeen,
    JoinedRoom,
    Member,
    Network,
    RelayNote,
    RoomAddress,
    Transport,
)

if TYPE_CHECKING:
    from bridge.conversation import Told
    from bridge.library import EncryptedRoom
    from bridge.observing.metrics import Metrics
    from bridge.service.account import AccountRunner
    from bridge.service.clock import Clock
    from bridge.service.consumer import AfterCommit, Consumer
    from bridge.service.entering import WantedRoom
    from bridge.service.publishing import FailedEntry
    from bridge.store import Store, StoredEvent, Transaction
    from mls.crypto.random import Random

__all__ = ["Mark", "Rounds", "Span", "Watch", "WatchedConsumer", "WatchedService", "WatchedTransport", "watch_member"]

_NO_MESSAGE: Final = b""


@dataclass(frozen=True)
class Mark:
    """Something happened to an envelope."""

    at: int
    where: str
    """Which network or role, in which process: `bridge matrix`, `bridge relay xmpp`, `alice member`."""
    what: str
    envelope: str
    """In hexadecimal; empty where it is not known."""


@dataclass(frozen=True)
class Span:
    """A transaction, or a round to the database's thread: when it ended, and how long it took."""

    at: int
    nanoseconds: int


@dataclass
class Watch:
    """What one process has seen of one of its services."""

    name: str
    marks: list[Mark] = field(default_factory=list)
    transactions: list[Span] = field(default_factory=list)
    thread: int | None = None
    """The database's."""

    def mark(self, where: str, what: str, envelope: bytes = _NO_MESSAGE) -> None:
        """Note that something happens now."""
        self.marks.append(Mark(perf_counter_ns(), f"{self.name} {where}", what, envelope.hex()))

    def follow(self, store: Store) -> None:
        """Note each transaction from now on."""
        told = store.on_transaction

        def note(seconds: float) -> None:
            self.transactions.append(Span(perf_counter_ns(), int(seconds * 1e9)))
            told(seconds)

        store.on_transaction = note
        self.thread = store._database._connection._thread.ident


class Rounds(logging.Filter):
    """Counts rounds to databases' threads: aiosqlite logs each one. Nothing of it is written anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[int, list[int]] = {}
        """By thread: when."""
        self._logger = logging.getLogger("aiosqlite")
        self._level = self._logger.level

    def __enter__(self) -> Self:
        self._logger.addFilter(self)
        self._logger.setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.setLevel(self._level)
        self._logger.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread is not None and str(record.msg).startswith("executing"):
            self.seen.setdefault(record.thread, []).append(perf_counter_ns())
        return False


class WatchedTransport:
    """A transport that marks what it is to publish, and what it tells: before the caller has it, and once it is stored.

    The caller asks for the next batch when it has stored the one before (`transports.room`).
    """

    def __init__(self, transport: Transport, watch: Watch) -> None:
        self._transport = transport
        self._watch = watch
        self.network: Network = transport.network
        self.stored = 0
        """Envelopes that the caller has stored."""

    @property
    def account(self) -> Account:
        return self._transport.account

    @property
    def on_state(self) -> Callable[[ConnectionState], None]:
        return self._transport.on_state

    @on_state.setter
    def on_state(self, tell: Callable[[ConnectionState], None]) -> None:
        self._transport.on_state = tell

    async def start(self) -> None:
        await self._transport.start()

    async def join(self, room: str, *, history_since: int = 0) -> JoinedRoom:
        return await self._transport.join(room, history_since=history_since)

    async def batches(self, cursor: bytes | None) -> AsyncGenerator[Batch, None]:
        batches = self._transport.batches(cursor)
        try:
            async for batch in batches:
                envelopes = [event.envelope for event in batch.events if isinstance(event, EnvelopeSeen)]
                self._mark("told", envelopes)
                yield batch
                self._mark("stored", envelopes)
                self.stored += len(envelopes)
        finally:
            if isinstance(batches, AsyncGenerator):
                await batches.aclose()

    async def publish(
        self,
        room: RoomAddress,
        envelope: bytes,
        *,
        transaction: str,
        note: RelayNote | None = None,
        fallback: str | None = None,
    ) -> None:
        self._mark("handed over", [envelope])
        await self._transport.publish(room, envelope, transaction=transaction, note=note, fallback=fallback)

    async def post_notice(self, room: RoomAddress, text: str, *, transaction: str) -> None:
        await self._transport.post_notice(room, text, transaction=transaction)

    async def members(self, room: RoomAddress) -> tuple[Member, ...]:
        return await self._transport.members(room)

    async def leave(self, room: RoomAddress) -> None:
        await self._transport.leave(room)

    async def close(self) -> None:
        await self._transport.close()

    def _mark(self, what: str, envelopes: Sequence[bytes]) -> None:
        for envelope in envelopes:
            self._watch.mark(self.network, what, envelope)


class WatchedConsumer:
    """A role that marks when it begins with an envelope, and when its step is committed."""

    def __init__(self, consumer: Consumer, watch: Watch) -> None:
        self._consumer = consumer
        self._watch = watch
        self.name = consumer.name
        self.account = consumer.account
        self.room = consumer.room
        self._where = f"{consumer.name.partition(' ')[0]} {consumer.account.partition(':')[0]}"

    async def start(self, tx: Transaction, *, now: int) -> AfterCommit:
        return await self._consumer.start(tx, now=now)

    async def take(self, tx: Transaction, events: Sequence[StoredEvent], *, now: int) -> AfterCommit:
        envelopes = [stored.event.envelope for stored in events if isinstance(stored.event, EnvelopeSeen)]
        after = await self._consumer.take(tx, events, now=now)

        def committed() -> None:
            after()
            for envelope in envelopes:
                self._watch.mark(self._where, "committed", envelope)

        return committed

    def next_wake(self) -> int | None:
        return self._consumer.next_wake()

    async def caught_up(self, tx: Transaction, *, now: int) -> AfterCommit:  # noqa: ARG002 - the interface's
        return lambda: None

    async def wake(self, tx: Transaction, *, now: int) -> AfterCommit:
        return await self._consumer.wake(tx, now=now)


class WatchedService(Service):
    """A service whose transports, roles and store are watched."""

    def __init__(self, store: Store, watch: Watch, *, clock: Clock, random: Random, metrics: Metrics) -> None:
        super().__init__(store, clock=clock, random=random, metrics=metrics)
        self._watch = watch
        watch.follow(store)

    def add_account(
        self,
        name: str,
        transport: Transport,
        rooms: Sequence[WantedRoom],
        *,
        log_in: Callable[[], Awaitable[None]] | None = None,
    ) -> AccountRunner:
        return super().add_account(name, WatchedTransport(transport, self._watch), rooms, log_in=log_in)

    def add_consumer(
        self,
        consumer: Consumer,
        *,
        role: str,
        room_name: str,
        on_failed: Callable[[FailedEntry], None] | None = None,
        alarm: Callable[[], str | None] | None = None,
    ) -> None:
        watched = WatchedConsumer(consumer, self._watch)
        super().add_consumer(watched, role=role, room_name=room_name, on_failed=on_failed, alarm=alarm)


def watch_member(room: EncryptedRoom, watch: Watch) -> None:
    """Watch the database of a member, and when its steps that tell something are committed."""
    watch.follow(room._service._store)
    take = room.role.on_told

    def told(happenings: Sequence[Told]) -> None:
        watch.mark("member", "committed")
        take(happenings)

    room.role.on_told = told

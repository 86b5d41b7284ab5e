"""One account at work: it logs in, enters its rooms, and puts what happens there into the store.

What goes wrong with one account is no matter of the others. What may pass is tried again, ever more slowly, and said;
what will not (a wrong password, a certificate that is not to be trusted) stops this account, with the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from bridge.observing.metrics import Metrics
from bridge.service.clock import Clock
from bridge.service.errors import AccountStoppedError
from bridge.service.ingest import ingest
from bridge.service.publishing import FailedEntry, Publisher
from bridge.service.waiting import Backoff, crew
from bridge.store import Store, StoreError
from mls.crypto.random import Random
from transports.errors import (
    LoginError,
    PermanentError,
    RetryableError,
    TransportError,
    UntrustedServerError,
)
from transports.room import Account, Batch, ConnectionState, JoinedRoom, Network, RoomAddress, Transport

__all__ = ["AccountRunner", "WantedRoom"]

log = structlog.get_logger("service")

ROOM_PATIENCE: Final = 60_000
"""Milliseconds after which a room that did not let the account in is tried again: people mend such things."""


@dataclass(frozen=True, slots=True)
class WantedRoom:
    """A room that an account shall be in."""

    name: str
    """One's own, for figures and logs."""
    address: str
    """As people write it: an alias, an id, a JID, or a `RoomAddress`."""
    history_since: int
    """Where the account was never in it: from when on its history is read, in milliseconds since 1970."""


@dataclass(slots=True)
class _Entry:
    """How it stands with a wanted room."""

    wanted: WantedRoom
    outcome: asyncio.Future[JoinedRoom]
    """What comes of the attempt to come, or came of the one that succeeded."""
    problem: str | None = "not joined yet"
    address: RoomAddress | None = None
    """Known once the account is there."""
    has_ended: bool = False
    """Whether the room is no more; `problem` says why."""
    is_entering: bool = False


class AccountRunner:
    """Runs one transport. `run` ends when it is stopped, or the account refused; what it raises ends the service."""

    def __init__(
        self,
        name: str,
        transport: Transport,
        rooms: Sequence[WantedRoom],
        *,
        log_in: Callable[[], Awaitable[None]],
        store: Store,
        clock: Clock,
        random: Random,
        metrics: Metrics,
        on_events: Callable[[Account, Iterable[RoomAddress]], None],
        on_failed: Callable[[FailedEntry], None],
    ) -> None:
        self.name = name
        self.state = ConnectionState.CONNECTING
        self.problem: str | None = None
        """Why the account has stopped; `None` while it runs."""
        self._transport = transport
        self._log_in = log_in
        self._store = store
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._on_events = on_events
        self._entries = {room.address: _Entry(room, _future()) for room in rooms}
        self._joined: dict[RoomAddress, _Entry] = {}
        self._crew: asyncio.TaskGroup | None = None
        self._helpers: set[asyncio.Task[None]] = set()
        self._reader: asyncio.Task[None] | None = None
        self._is_ingesting = False
        self._is_stopping = False
        self._was_live = False
        self.has_caught_up = False
        """Whether all that had happened when the process started is in the store."""
        self.publisher = Publisher(
            name,
            transport,
            store,
            clock=clock,
            random=random,
            metrics=metrics,
            on_failed=on_failed,
            on_held=self._enter_again,
            on_refused=self._refuse,
        )
        self.on_state: Callable[[ConnectionState], None] = lambda _: None
        """Told when the connection changes, besides figures and logs."""
        transport.on_state = self._connection_changed

    @property
    def account(self) -> Account:
        """Who this is. Known once a room is joined."""
        return self._transport.account

    @property
    def network(self) -> Network:
        """Where the account is."""
        return self._transport.network

    @property
    def room_problems(self) -> dict[str, str | None]:
        """What is wrong with each room, by its name; `None` where nothing is."""
        return {entry.wanted.name: self.problem or self._problem_of(entry) for entry in self._entries.values()}

    def has_ended(self, room: RoomAddress) -> bool:
        """Whether a room that the account was in is no more."""
        entry = self._joined.get(room)
        return entry is not None and entry.has_ended

    async def joined(self, address: str) -> JoinedRoom:
        """Wait until the account is in one of its rooms, given as it was wanted.

        Raises `PermanentError` where the server refuses; it is asked again after a while, and a new call waits for what
        comes of that. Raises `AccountStoppedError` where the account does not run any more.
        """
        return await asyncio.shield(self._entries[address].outcome)

    async def run(self) -> None:
        """Log in, enter the rooms, and read. Raises `StoreError`."""
        self._reader = asyncio.current_task()
        try:
            await self._insist("logging in", self._log_in)
            async with crew() as tasks:
                self._crew = tasks
                for entry in self._entries.values():
                    self._help(self._enter(entry))
                self._help(self.publisher.run())
                try:
                    await self._insist("reading", self._read)
                finally:
                    self._crew = None
                    for helper in self._helpers:
                        helper.cancel()
        except PermanentError as error:
            self._refuse(error)
        except asyncio.CancelledError:
            if not self._is_stopping:
                raise
        finally:
            self._end()

    def stop(self) -> None:
        """End after the batch at hand."""
        self._is_stopping = True
        if self._reader is not None and not self._is_ingesting:
            self._reader.cancel()

    async def close(self) -> None:
        """Close the transport."""
        try:
            await self._transport.close()
        except TransportError as error:
            log.warning("closing failed", account=self.name, reason=error.what)

    async def _insist(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Try until it works. Raises `PermanentError`, `StoreError`."""
        backoff = Backoff(self._random)
        while not self._is_stopping:
            self._was_live = False
            try:
                await work()
            except (PermanentError, StoreError):
                raise
            except RetryableError as error:
                pause = backoff.pause() if error.after is None else round(error.after * 1000)
                log.warning("waiting for the server", account=self.name, during=what, reason=error.what, pause=pause)
            except Exception:  # a fault of ours, or of a library: another attempt starts from what is stored
                pause = backoff.pause()
                log.exception("failed unexpectedly", account=self.name, during=what, pause=pause)
            else:
                return
            self._connection_changed(ConnectionState.LOST)
            if self._was_live:
                backoff.reset()
            await self._clock.sleep_until(self._clock.now() + pause)

    async def _enter(self, entry: _Entry) -> None:
        """Join a room, however long it takes."""
        backoff = Backoff(self._random)
        while True:
            try:
                joined = await self._transport.join(entry.wanted.address, history_since=entry.wanted.history_since)
            except (LoginError, UntrustedServerError) as error:
                self._refuse(error)
                return
            except PermanentError as error:
                pause = ROOM_PATIENCE
                if entry.problem != error.what:
                    log.warning("room not joined", account=self.name, room=entry.wanted.name, reason=error.what)
                entry.problem = error.what
                entry.outcome.set_exception(error)
                entry.outcome.exception()  # nobody need be waiting for it
                entry.outcome = _future()
            except RetryableError as error:
                pause = backoff.pause() if error.after is None else round(error.after * 1000)
                log.info("room not joined yet", account=self.name, room=entry.wanted.name, reason=error.what)
            else:
                entry.address, self._joined[joined.address] = joined.address, entry
                self.publisher.open_room(joined, entry.wanted.name)
                entry.problem = None
                entry.outcome.set_result(joined)
                log.info("joined", account=self.name, room=entry.wanted.name)
                return
            await self._clock.sleep_until(self._clock.now() + pause)

    def _enter_again(self, room: RoomAddress) -> None:
        """Try to enter a room that the account may have been put out of: people may let it in again."""
        entry = self._joined.get(room)
        if entry is not None and not entry.is_entering and not entry.has_ended:
            entry.is_entering = True
            self._help(self._come_back(entry, room))

    async def _come_back(self, entry: _Entry, room: RoomAddress) -> None:
        """Try until it works. By the room's address: an alias may mean another room by now."""
        backoff = Backoff(self._random)
        while not entry.has_ended:
            await self._clock.sleep_until(self._clock.now() + backoff.pause())
            try:
                await self._transport.join(room, history_since=entry.wanted.history_since)
            except (LoginError, UntrustedServerError) as error:
                self._refuse(error)
                return
            except TransportError as error:
                log.info("room not joined again", account=self.name, room=entry.wanted.name, reason=error.what)
            else:
                entry.problem = None
                break
        entry.is_entering = False

    def _put_out(self, room: RoomAddress) -> None:
        """Take note that the account is not in a room any more."""
        entry = self._joined.get(room)
        if entry is not None and not entry.has_ended:
            log.warning("put out of the room", account=self.name, room=entry.wanted.name)
            entry.problem = "the account was put out of the room"
            self._enter_again(room)

    def _help(self, work: Coroutine[None, None, None]) -> None:
        """Do something as long as the account reads."""
        if self._crew is None:
            work.close()
            return
        helper = self._crew.create_task(work)
        self._helpers.add(helper)
        helper.add_done_callback(self._helpers.discard)

    async def _read(self) -> None:
        async with self._store.transaction() as tx:
            cursor = await tx.cursors.get(self.account)
        batches = self._transport.batches(cursor)
        try:
            async for batch in batches:
                self._is_ingesting = True
                try:
                    await self._take(batch)
                finally:
                    self._is_ingesting = False
                if self._is_stopping:
                    return
            raise RetryableError("the transport tells nothing more", where=self.account)
        finally:
            if isinstance(batches, AsyncGenerator):
                await batches.aclose()

    async def _take(self, batch: Batch) -> None:
        async with self._store.transaction() as tx:
            ingested = await ingest(tx, self.account, batch, now=self._clock.now())
        for (room, refusal), count in ingested.refused.items():
            self._metrics.refused.labels(self._name_of(room), refusal).inc(count)
        for room in ingested.reflected.values():
            self._metrics.messages_out.labels(self._name_of(room), self.network).inc()
        self.publisher.reflected(ingested.reflected)
        for room in ingested.put_out:
            self._put_out(room)
        for room, reason in ingested.ended.items():
            self._end_room(room, reason)
        self._on_events(self.account, ingested.rooms)
        if batch.is_live:
            self._was_live = self.has_caught_up = True
            if self.state is ConnectionState.LIVE:  # the connection may have broken since the batch was told
                self.publisher.connected()

    def _end_room(self, room: RoomAddress, reason: str) -> None:
        entry = self._joined.get(room)
        if entry is None or entry.has_ended:
            return
        log.error("room ended", account=self.name, room=entry.wanted.name, reason=reason)
        entry.has_ended, entry.problem = True, reason
        self.publisher.close_room(room)

    def _name_of(self, room: RoomAddress) -> str:
        entry = self._joined.get(room)
        return "other" if entry is None else entry.wanted.name

    def _problem_of(self, entry: _Entry) -> str | None:
        if entry.problem is not None or entry.address is None:
            return entry.problem
        return self.publisher.problem_of(entry.address)

    def _connection_changed(self, state: ConnectionState) -> None:
        if state is self.state:
            return
        if state is ConnectionState.LOST:
            self.publisher.disconnected()
            self._metrics.reconnects.labels(self.name).inc()
        elif state is ConnectionState.LIVE:
            self.publisher.reconnecting()
        self.state = state
        self._metrics.set_transport_state(self.name, state)
        self.on_state(state)
        log.info("connection", account=self.name, state=state)

    def _refuse(self, error: PermanentError) -> None:
        """End this account, and say why."""
        if self.problem is None:
            self.problem = error.what
            log.error("account stopped", account=self.name, reason=error.what)
            self._connection_changed(ConnectionState.LOST)
            self.stop()

    def _end(self) -> None:
        """Let nobody wait for this account any more."""
        self.publisher.disconnected()
        stopped = AccountStoppedError(self.name, self.problem or "the service ends")
        for entry in self._entries.values():
            if not entry.outcome.done():
                entry.outcome.set_exception(stopped)
                entry.outcome.exception()


def _future() -> asyncio.Future[JoinedRoom]:
    return asyncio.get_running_loop().create_future()

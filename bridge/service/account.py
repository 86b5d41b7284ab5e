"""One account at work: it logs in, enters its rooms, and puts what happens there into the store.

What goes wrong with one account is no matter of the others. What may pass is tried again, ever more slowly, and said;
what will not (a wrong password, a certificate that is not to be trusted) stops this account, with the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Sequence

import structlog

from bridge.observing.metrics import Metrics
from bridge.service.clock import Clock
from bridge.service.entering import Rooms, WantedRoom
from bridge.service.errors import AccountStoppedError
from bridge.service.ingest import ingest
from bridge.service.publishing import FailedEntry, Publisher
from bridge.service.waiting import Backoff, crew
from bridge.store import Store, StoreError
from mls.crypto.random import Random
from transports.errors import (
    PermanentError,
    RetryableError,
    TransportError,
)
from transports.room import Account, Batch, ConnectionState, JoinedRoom, Network, RoomAddress, Transport

__all__ = ["AccountRunner"]

log = structlog.get_logger("service")


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
        self._crew: asyncio.TaskGroup | None = None
        self._helpers: set[asyncio.Task[None]] = set()
        self._reader: asyncio.Task[None] | None = None
        self._is_ingesting = False
        self._is_stopping = False
        self._was_live = False
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
        self._rooms = Rooms(
            name,
            transport,
            rooms,
            clock=clock,
            random=random,
            spawn=self._help,
            on_joined=self.publisher.open_room,
            on_ended=self.publisher.close_room,
            on_refused=self._refuse,
        )
        self.on_state: Callable[[ConnectionState], None] = lambda _: None
        """Told when the connection changes, besides figures and logs."""
        self.on_stopped: Callable[[str], None] = lambda _: None
        """Told once, with the reason, that the account has stopped for good: as `problem` says from then on."""
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
        problems = self._rooms.problems(self.publisher.problem_of)
        return problems if self.problem is None else dict.fromkeys(problems, self.problem)

    def has_ended(self, room: RoomAddress) -> bool:
        """Whether a room that the account was in is no more."""
        return self._rooms.has_ended(room)

    def is_of(self, account: Account) -> bool:
        """Whether this is who runs an account."""
        return bool(self._rooms.joined) and self.account == account

    def has_read(self, room: RoomAddress) -> bool:
        """Whether all that stood in a room when the account came is in the store."""
        return self._rooms.has_read(room)

    async def joined(self, address: str) -> JoinedRoom:
        """Wait until the account is in one of its rooms, given as it was wanted.

        Raises `PermanentError` where the server refuses; it is asked again after a while, and a new call waits for what
        comes of that. A `RoomEndedError` is its last word. Raises `AccountStoppedError` where the account does not run
        any more.
        """
        return await self._rooms.until_joined(address)

    async def run(self) -> None:
        """Log in, enter the rooms, and read. Raises `StoreError`."""
        self._reader = asyncio.current_task()
        try:
            await self._insist("logging in", self._log_in)
            async with crew() as tasks:
                self._crew = tasks
                self._rooms.enter_all()
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

    def _enter_again(self, room: RoomAddress) -> None:
        self._rooms.enter_again(room)

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
        told_of = self._rooms.joined  # a room that is joined meanwhile is no part of this batch
        async with self._store.transaction() as tx:
            ingested = await ingest(tx, self.account, batch, now=self._clock.now())
        for (room, refusal), count in ingested.refused.items():
            self._metrics.refused.labels(self._rooms.name_of(room), refusal).inc(count)
        for room in ingested.reflected.values():
            self._metrics.messages_out.labels(self._rooms.name_of(room), self.network).inc()
        self.publisher.reflected(ingested.reflected)
        for room in ingested.put_out:
            self._rooms.put_out(room)
        for room, reason in ingested.ended.items():
            self._rooms.end(room, reason)
        read = self._rooms.mark_read(told_of) if batch.is_live else set()
        self._on_events(self.account, {*ingested.rooms, *read})
        if batch.is_live:
            self._was_live = True
            if self.state is ConnectionState.LIVE:  # the connection may have broken since the batch was told
                self.publisher.connected()

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
            self.on_stopped(error.what)
            self.stop()

    def _end(self) -> None:
        """Let nobody wait for this account any more."""
        self.publisher.disconnected()
        self._rooms.give_up(AccountStoppedError(self.name, self.problem or "the service ends"))

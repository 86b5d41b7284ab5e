"""The transport: an account, its connections one after the other, and its rooms.

    supervisor   one task: finds out whether the server is still there, connects again when it is not
    keepers      one task per room: enters it, finds out whether we are still in it, enters it again
    batches      the caller's: reads archives, then what the rooms told since

Stanzas come in synchronously and wait in the feeds of their rooms, which are bounded. Archives are read when `batches`
is asked for more, never before.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from typing import Final

import structlog

from transports.errors import (
    ConnectionLostError,
    PermanentError,
    RetryableError,
    RoomEndedError,
    RoomNotFoundError,
    TooLargeError,
    TransportError,
)
from transports.room import (
    Account,
    Batch,
    ConnectionState,
    JoinedRoom,
    Member,
    Network,
    RelayNote,
    RoomAddress,
)
from transports.xmpp.connection import Connection
from transports.xmpp.elements import CLIENT, STANZA_IDS, Element, bare_and_resource, element
from transports.xmpp.login import Login
from transports.xmpp.muc import Room
from transports.xmpp.pace import Pace
from transports.xmpp.plugin import ARCHIVED_BODY, envelope_message
from transports.xmpp.reading import Reader
from transports.xmpp.sending import Receipt
from transports.xmpp.uris import account_of, bare_jid, jid_of, room_given

__all__ = ["XmppTransport"]

_MOST_SENDING: Final = 64
_SETTLED: Final = 30.0
"""Seconds in a room after which its next loss is a new one."""

_MOMENT: Final = 0.01

_LOG = structlog.get_logger(__name__)


class XmppTransport:
    """One account on an XMPP server. Implements `transports.room.Transport`."""

    network = Network.XMPP

    def __init__(
        self,
        login: Login,
        *,
        nickname: str | None = None,
        pace: Pace | None = None,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`nickname`: how the account is called in rooms; `None` takes the name in its address.

        Raises `PermanentError` for an address that is none.
        """
        self.on_state: Callable[[ConnectionState], None] = lambda _: None
        self._login = login
        self._jid = bare_jid(login.jid)
        self._account = account_of(self._jid) or Account("")
        self._nickname = nickname or self._jid.partition("@")[0]
        self._pace = pace or Pace()
        self._now = now
        self._jitter = jitter
        # The same for all connections, so that the server takes a new one for the successor of the one that was lost.
        self._resource = f"mls-bridge-{secrets.token_hex(4)}"
        self._connection: Connection | None = None
        self._rooms: dict[str, Room] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._supervisor: asyncio.Task[None] | None = None
        self._reader: Reader | None = None
        self._state: ConnectionState | None = None
        self._failure: PermanentError | None = None
        self._joins = 0
        """How often a room was joined: each time, a batch says when all is told."""
        self._is_closed = False
        self._online = asyncio.Event()
        self._news = asyncio.Event()
        self._joining = asyncio.Lock()
        self._sending = asyncio.Semaphore(_MOST_SENDING)

    @property
    def account(self) -> Account:
        return self._account

    async def start(self) -> None:
        if self._supervisor is None and not self._is_closed:
            await self._connect()
            self._supervisor = asyncio.create_task(self._supervise(), name="xmpp supervisor")
            self._supervisor.add_done_callback(self._on_task_done)

    async def join(self, room: str, *, history_since: int = 0) -> JoinedRoom:
        jid = room_given(room)
        async with self._joining:
            if jid in self._rooms:
                if isinstance(refusal := self._rooms[jid].out_because, PermanentError):
                    raise refusal  # whoever keeps us in the room goes on trying
            else:
                connection = self._connected()
                joining = Room(
                    jid, nickname=self._nickname, account=self._account, history_since=history_since, pace=self._pace
                )
                self._rooms[jid] = joining
                try:
                    await joining.enter(connection)
                except BaseException:
                    del self._rooms[jid]
                    raise
                keeper = self._keepers[jid] = asyncio.create_task(self._keep(joining), name="xmpp room keeper")
                keeper.add_done_callback(self._on_task_done)
            self._joins += 1
            self._wake()
            return self._rooms[jid].joined

    async def batches(self, cursor: bytes | None) -> AsyncGenerator[Batch, None]:
        reader = self._reader = Reader(cursor, self._rooms, own=self._account, now=self._now)
        live_with: int | None = None
        """The joins of which all is told; `None` while there is more."""
        while not self._is_closed:
            self._news.clear()
            events = await reader.read(self._connection if self._online.is_set() else None)
            is_live = self._online.is_set() and reader.is_live
            if is_live:
                self._tell_state(ConnectionState.LIVE)
            was_live_with, live_with = live_with, self._joins if is_live else None
            if events is not None or (is_live and live_with != was_live_with):
                yield Batch(tuple(events or ()), reader.cursor.to_bytes(), is_live)
                continue
            if self._failure is not None:
                raise self._failure
            await self._news.wait()

    async def publish(
        self,
        room: RoomAddress,
        envelope: bytes,
        *,
        transaction: str,
        note: RelayNote | None = None,
        fallback: str | None = None,
    ) -> None:
        into = self._room(room)
        if len(envelope) > (limit := into.joined.limits.envelope_bytes):
            raise TooLargeError(f"an envelope of {len(envelope)} bytes", where=into.jid, limit=limit)
        body = fallback or (ARCHIVED_BODY if into.needs_body else None)
        receipt = await self._deliver(
            into, envelope_message(into.jid, envelope, transaction=transaction, note=note, body=body)
        )
        if receipt.archive_id is None and into.setup.has_archive and body is None:
            # ejabberd archives nothing without a body. This was how one finds out; receivers know the envelope already.
            _LOG.info("the archive keeps no message without a body")
            into.needs_body = True
            again = envelope_message(into.jid, envelope, transaction=transaction, note=note, body=ARCHIVED_BODY)
            await self._deliver(into, again)

    async def post_notice(self, room: RoomAddress, text: str, *, transaction: str) -> None:
        into = self._room(room)
        origin_id = element(STANZA_IDS, "origin-id", id=transaction)
        body = element(CLIENT, "body", text)
        message = element(CLIENT, "message", body, origin_id, type="groupchat", to=into.jid, id=transaction)
        await self._deliver(into, message)

    async def members(self, room: RoomAddress) -> tuple[Member, ...]:
        return await self._room(room).members(self._connected())

    async def leave(self, room: RoomAddress) -> None:
        leaving = self._room(room)
        keeper = self._keepers.pop(leaving.jid)
        keeper.cancel()
        await asyncio.wait({keeper})
        if self._connection is not None:
            leaving.exit(self._connection, PermanentError("the room was left", where=leaving.jid))
        del self._rooms[leaving.jid]
        if self._reader is not None:
            self._reader.cursor.places.pop(leaving.address, None)
        self._wake()

    async def close(self) -> None:
        self._is_closed = True
        tasks = {*self._keepers.values(), *({self._supervisor} if self._supervisor is not None else ())}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._connection is not None:
            await self._connection.close()
        self._on_lost("the transport was closed")
        self._wake()

    async def _connect(self) -> None:
        self._tell_state(ConnectionState.CONNECTING)
        connection = Connection(self._login, resource=self._resource, pace=self._pace, on_stanza=self._on_stanza)
        await connection.open()
        if self._is_closed:
            await connection.close()
            raise ConnectionLostError("the transport was closed", where=self._jid)
        self._connection = connection
        self._online.set()
        self._tell_state(ConnectionState.CATCHING_UP)
        self._wake()

    async def _supervise(self) -> None:
        while self._connection is not None and self._failure is None:
            await self._watch(self._connection)
            if self._connection.ended_by == "policy-violation":
                self._blame_largest()
            self._on_lost("the connection is gone")
            await self._connection.close()
            await self._reconnect()

    async def _watch(self, connection: Connection) -> None:
        """Return when the connection is gone."""
        while not connection.closed.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(connection.closed.wait(), connection.look_after)
            if not connection.closed.is_set() and connection.needs_ping:
                await connection.ping()

    async def _reconnect(self) -> None:
        attempt = 0
        while self._failure is None:
            await asyncio.sleep(self._pace.reconnect_after(attempt, self._jitter()))
            attempt += 1
            try:
                await self._connect()
            except RetryableError as error:
                _LOG.info("no connection yet", attempt=attempt, error=type(error).__name__)
            except PermanentError as error:
                self._failure = error
                self._wake()
            else:
                return

    async def _keep(self, room: Room) -> None:
        clock = asyncio.get_running_loop().time
        entries, entered_at = 0, clock()
        members_read_at = clock()
        while not room.is_gone:
            connection = await self._open_connection()
            room.stirred.clear()
            pause = self._pace.ping_after / 2
            try:
                if not room.is_inside:
                    entries = entries + 1 if clock() - entered_at < _SETTLED else 0
                    if entries:
                        await asyncio.sleep(self._pace.reconnect_after(entries - 1, self._jitter()))
                    entered_at = clock()
                    await room.enter(self._connected())
                elif room.has_changed:
                    await room.inspect(connection)
                elif room.silent_for(clock()) >= self._pace.ping_after:
                    await room.confirm(connection)
                if clock() - members_read_at >= self._pace.reread_members:
                    room.wants_members, members_read_at = True, clock()
            except RoomEndedError as error:
                # It was destroyed while we were not in it.
                room.end(error.successor)
            except TransportError as error:
                room.exit(connection, error)
                if isinstance(error, PermanentError):
                    room.stirred.clear()
                    pause = self._pace.refused_again
            self._wake()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(room.stirred.wait(), pause)

    async def _open_connection(self) -> Connection:
        """Wait until there is a connection."""
        while True:
            await self._online.wait()
            if self._connection is not None and self._connection.is_open:
                return self._connection
            await asyncio.sleep(_MOMENT)  # it has just broken, and whoever watches it is about to find out

    async def _deliver(self, room: Room, message: Element) -> Receipt:
        async with self._sending:
            return await room.deliver(self._connected(), message)

    def _on_stanza(self, stanza: Element) -> None:
        room = self._rooms.get(bare_and_resource(stanza.get("from"))[0])
        if room is None:
            return
        room.on_stanza(stanza, at=self._now())
        self._wake()

    def _on_lost(self, why: str) -> None:
        self._online.clear()
        self._tell_state(ConnectionState.LOST)
        for room in self._rooms.values():
            room.lose(ConnectionLostError(why, where=self._jid))

    def _blame_largest(self) -> None:
        """The server ended the stream for what was in it: most likely the largest thing that we said."""
        for room in self._rooms.values():
            lost = ConnectionLostError("the server ended the connection", where=room.jid)
            too_large = TooLargeError("the server ended the connection over a message of this size", where=room.jid)
            room.pending.fail(lost, largest=too_large)

    def _room(self, address: RoomAddress) -> Room:
        room = self._rooms.get(jid_of(address))
        if room is None:
            raise RoomNotFoundError("the room was not joined", where=address)
        return room

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        """A task of ours that ends in an error nobody foresaw must not leave the reader waiting."""
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("task failed", task=task.get_name(), error=type(error).__name__)
            self._failure = PermanentError(f"a bug of this program: {type(error).__name__}", where=self._jid)
            self._failure.__cause__ = error
            self._wake()

    def _connected(self) -> Connection:
        if self._failure is not None:
            raise self._failure
        if self._connection is None or not self._connection.is_open:
            raise ConnectionLostError("there is no connection", where=self._jid)
        return self._connection

    def _tell_state(self, state: ConnectionState) -> None:
        if state is not self._state:
            self._state = state
            self.on_state(state)

    def _wake(self) -> None:
        self._news.set()

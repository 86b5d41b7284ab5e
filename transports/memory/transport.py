"""The transport of an account in memory."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import astuple
from typing import TYPE_CHECKING

from transports.errors import ConnectionLostError, ForbiddenError, LoginError, PermanentError
from transports.memory.rules import RoomKind
from transports.memory.timeline import Position
from transports.room import (
    Account,
    Batch,
    ConnectionState,
    EnvelopeSeen,
    JoinedRoom,
    Limits,
    Member,
    Network,
    RelayNote,
    RoomAddress,
    RoomEvent,
)

if TYPE_CHECKING:
    from transports.memory.network import MemoryNetwork
    from transports.memory.room import MemoryRoom

__all__ = ["MemoryTransport"]

_MAX_BATCH = 1000
_TRANSACTION = re.compile(r"[A-Za-z0-9_-]{1,64}")


class MemoryTransport:
    """One account, by `MemoryNetwork.transport`. See `transports.room.Transport` for what the methods promise."""

    def __init__(self, network: MemoryNetwork, account: Account) -> None:
        self.network = Network(account.partition(":")[0])
        self.on_state: Callable[[ConnectionState], None] = _ignore
        self._world = network
        self._account = account
        self._is_started = False
        self._is_closed = False
        self._is_reading = False
        self._joins = 0
        self._live_with: int | None = None
        """The joins of which all is told; `None` while there is more."""
        self._rooms: dict[RoomAddress, MemoryRoom] = {}
        self._beginnings: dict[RoomAddress, Position] = {}
        self._positions: dict[RoomAddress, Position] = {}
        self._live_since: dict[RoomAddress, int] = {}
        self._stop_listening: list[Callable[[], None]] = []
        self._changed = asyncio.Event()
        self._on_the_way: dict[asyncio.Event, RoomAddress] = {}
        self._connections = 0

    @property
    def account(self) -> Account:
        return self._account

    async def start(self) -> None:
        self.on_state(ConnectionState.CONNECTING)
        self._check_login()
        self._check_connection()
        self._is_started = True

    async def join(self, room: str, *, history_since: int = 0) -> JoinedRoom:
        self._check_usable()
        found = self._world.room(room)
        address, timeline = found.address, found.timeline_of(self._account)
        was_in, before = found.is_in(self._account), len(timeline)
        found.join(self._account)
        if address not in self._rooms:
            self._rooms[address] = found
            self._stop_listening.append(found.listen(self._changed.set))
            first = timeline.since(history_since)
            beginning = Position.at(first if was_in else min(first, before), found.entered(self._account))
            self._beginnings[address] = beginning
            self._positions.setdefault(address, beginning)
            self._live_since[address] = before
        elif not was_in:
            self._live_since[address] = before
        self._joins += 1
        self._changed.set()
        return JoinedRoom(address, found.name, Limits(found.rules.envelope_bytes))

    async def batches(self, cursor: bytes | None) -> AsyncIterator[Batch]:
        self._check_usable()
        if self._is_reading:
            raise RuntimeError("batches are read once at a time")
        self._is_reading = True
        try:
            self._positions = self._beginnings | _read_cursor(cursor, self._account)
            self._live_with = None
            while not self._is_closed:
                self._check_login()
                self._changed.clear()
                batch = self._next_batch() if self._world.is_up(self._account) else None
                if batch is None:
                    await self._changed.wait()
                else:
                    yield batch
        finally:
            self._is_reading = False

    async def publish(
        self,
        room: RoomAddress,
        envelope: bytes,
        *,
        transaction: str,
        note: RelayNote | None = None,
        fallback: str | None = None,  # noqa: ARG002 - there are no clients without MLS here
    ) -> None:
        found = await self._reach(room, transaction)
        found.post_envelope(self._account, envelope, transaction=transaction, note=note)
        self._check_answer()

    async def post_notice(self, room: RoomAddress, text: str, *, transaction: str) -> None:
        found = await self._reach(room, transaction)
        found.post_plaintext(self._account, text)
        self._check_answer()

    async def members(self, room: RoomAddress) -> tuple[Member, ...]:
        self._check_usable()
        found = self._world.room(room)
        if not found.is_in(self._account):
            raise ForbiddenError("the account is not in this room", where=room)
        return found.members()

    async def leave(self, room: RoomAddress) -> None:
        self._check_usable()
        self._world.room(room).leave(self._account)

    async def close(self) -> None:
        self.abandon()

    def abandon(self) -> None:
        """Do nothing any more: what a client's end is to the network, of which it need not know."""
        self._is_closed = True
        while self._stop_listening:
            self._stop_listening.pop()()
        self._world.forget(self)
        self._changed.set()
        self._drop_what_is_on_the_way()

    def connection_changed(self) -> None:
        """Take notice that the connection broke or came back."""
        self._live_with = None
        if self._world.is_up(self._account):
            for address, room in self._rooms.items():
                self._live_since[address] = len(room.timeline_of(self._account))
            self.on_state(ConnectionState.CONNECTING)
        else:
            self.on_state(ConnectionState.LOST)
        self._changed.set()
        self._drop_what_is_on_the_way()

    def _next_batch(self) -> Batch | None:
        """Return what is new, `None` where nothing is, and that is known."""
        events: list[RoomEvent] = []
        for address, room in self._rooms.items():
            if len(events) == _MAX_BATCH:
                break
            told, self._positions[address] = room.timeline_of(self._account).read(
                self._positions[address],
                until=room.until(self._account),
                live_since=self._live_since[address],
                limit=_MAX_BATCH - len(events),
            )
            events.extend(self._as_seen(event) for event in told)
        is_live = all(self._has_read_all(address) for address in self._rooms)
        was_live_with, self._live_with = self._live_with, self._joins if is_live else None
        if is_live != (was_live_with is not None):
            self.on_state(ConnectionState.LIVE if is_live else ConnectionState.CATCHING_UP)
        if not events and is_live and was_live_with == self._joins:
            return None
        return Batch(tuple(events), _write_cursor(self._positions), is_live)

    def _has_read_all(self, address: RoomAddress) -> bool:
        position = self._positions[address]
        return position.start == position.end >= self._rooms[address].until(self._account)

    def _as_seen(self, event: RoomEvent) -> RoomEvent:
        if isinstance(event, EnvelopeSeen) and event.origin.sender != self._account:
            return EnvelopeSeen(event.origin, event.envelope, None, event.note)
        return event

    async def _reach(self, room: RoomAddress, transaction: str) -> MemoryRoom:
        """Wait as long as the way to the server takes. Raises `TransportError`."""
        if not _TRANSACTION.fullmatch(transaction):
            raise ValueError("a transaction is up to 64 letters, digits, - and _")
        self._check_usable()
        found = self._world.room(room)
        delay = found.rules.posting.draw(self._world.random)
        if delay:
            connection, arrived = self._connections, asyncio.Event()
            before = [one for one, where in self._on_the_way.items() if where == room and found.kind is RoomKind.MUC]
            self._on_the_way[arrived] = room
            self._world.clock.call_at(self._world.clock.now() + delay, arrived.set)
            for one in before:  # a stream keeps its order
                await one.wait()
            await arrived.wait()
            del self._on_the_way[arrived]
            self._check_usable()
            if connection != self._connections:
                raise ConnectionLostError("the connection broke on the way", where=self._account)
        return found

    def _drop_what_is_on_the_way(self) -> None:
        self._connections += 1
        for arrived in self._on_the_way:
            arrived.set()

    def _check_usable(self) -> None:
        if not self._is_started or self._is_closed:
            raise ConnectionLostError("the transport is not started, or closed", where=self._account)
        self._check_login()
        self._check_connection()

    def _check_login(self) -> None:
        if self._world.is_revoked(self._account):
            raise LoginError("the server refuses this account", where=self._account)

    def _check_connection(self) -> None:
        if not self._world.is_up(self._account):
            raise ConnectionLostError("there is no connection", where=self._account)

    def _check_answer(self) -> None:
        if self._world.loses_answers(self._account):
            raise ConnectionLostError("the connection broke before the server's answer", where=self._account)


def _ignore(_: ConnectionState) -> None:
    """Take no notice."""


def _write_cursor(positions: Mapping[RoomAddress, Position]) -> bytes:
    return json.dumps({address: astuple(position) for address, position in positions.items()}).encode()


def _read_cursor(cursor: bytes | None, account: Account) -> dict[RoomAddress, Position]:
    if cursor is None:
        return {}
    try:
        return {RoomAddress(str(room)): Position(*map(int, place)) for room, place in json.loads(cursor).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise PermanentError("a cursor that is none of this transport's", where=account) from error

"""The way into the rooms of one account, as often as it takes.

A room that does not let the account in is asked again: people mend such things. So is one that has put it out. A room
that is no more is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from bridge.service.clock import Clock
from bridge.service.waiting import Backoff
from mls.crypto.random import Random
from transports.errors import (
    LoginError,
    PermanentError,
    RetryableError,
    RoomEndedError,
    TransportError,
    UntrustedServerError,
)
from transports.room import JoinedRoom, RoomAddress, Transport

__all__ = ["Rooms", "WantedRoom"]

log = structlog.get_logger("service")

ROOM_PATIENCE: Final = 60_000
"""Milliseconds after which a room that did not let the account in is tried again."""


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
    is_read: bool = False
    """Whether all that stood in it when the account came is in the store."""
    has_ended: bool = False
    """Whether the room is no more; `problem` says why."""
    is_entering: bool = False


class Rooms:
    """The rooms that one account shall be in, and how it stands with each."""

    def __init__(
        self,
        account_name: str,
        transport: Transport,
        wanted: Sequence[WantedRoom],
        *,
        clock: Clock,
        random: Random,
        spawn: Callable[[Coroutine[None, None, None]], None],
        on_joined: Callable[[JoinedRoom, str], None],
        on_ended: Callable[[RoomAddress], None],
        on_refused: Callable[[PermanentError], None],
    ) -> None:
        """`spawn` does something for as long as the account runs; `on_joined` is told a room and one's own name for it.

        `on_refused` is told that the server lets the account in no more.
        """
        self._name = account_name
        self._transport = transport
        self._clock = clock
        self._random = random
        self._spawn = spawn
        self._on_joined = on_joined
        self._on_ended = on_ended
        self._on_refused = on_refused
        self._entries = {room.address: _Entry(room, _future()) for room in wanted}
        self._joined: dict[RoomAddress, _Entry] = {}

    @property
    def joined(self) -> frozenset[RoomAddress]:
        """Where the account has come."""
        return frozenset(self._joined)

    async def until_joined(self, address: str) -> JoinedRoom:
        """Wait for what comes of the attempt to enter a room, given as it was wanted: `AccountRunner.joined`."""
        return await asyncio.shield(self._entries[address].outcome)

    def name_of(self, room: RoomAddress) -> str:
        """Return one's own name for a room, for figures."""
        entry = self._joined.get(room)
        return "other" if entry is None else entry.wanted.name

    def problems(self, of_publishing: Callable[[RoomAddress], str | None]) -> dict[str, str | None]:
        """Return what is wrong with each room, by one's own name; where nothing else is, what hinders publishing."""
        problems: dict[str, str | None] = {}
        for entry in self._entries.values():
            is_fine = entry.problem is None and entry.address is not None
            problems[entry.wanted.name] = of_publishing(entry.address) if is_fine and entry.address else entry.problem
        return problems

    def has_ended(self, room: RoomAddress) -> bool:
        """Whether a room that the account was in is no more."""
        entry = self._joined.get(room)
        return entry is not None and entry.has_ended

    def has_read(self, room: RoomAddress) -> bool:
        """Whether all that stood in a room when the account came is in the store."""
        entry = self._joined.get(room)
        return entry is not None and entry.is_read

    def mark_read(self, rooms: Collection[RoomAddress]) -> set[RoomAddress]:
        """Take note that what stood in these rooms is in the store; return those of which that is news."""
        news = {room for room in rooms if not self._joined[room].is_read}
        for room in news:
            self._joined[room].is_read = True
        return news

    def enter_all(self) -> None:
        """Join every room, however long it takes."""
        for entry in self._entries.values():
            self._spawn(self._enter(entry))

    def enter_again(self, room: RoomAddress) -> None:
        """Try to enter a room that the account may have been put out of: people may let it in again."""
        entry = self._joined.get(room)
        if entry is not None and not entry.is_entering and not entry.has_ended:
            entry.is_entering = True
            self._spawn(self._come_back(entry, room))

    def put_out(self, room: RoomAddress) -> None:
        """Take note that the account is not in a room any more."""
        entry = self._joined.get(room)
        if entry is not None and not entry.has_ended:
            log.warning("put out of the room", account=self._name, room=entry.wanted.name)
            entry.problem = "the account was put out of the room"
            self.enter_again(room)

    def end(self, room: RoomAddress, reason: str) -> None:
        """Take note that a room is no more."""
        entry = self._joined.get(room)
        if entry is not None and not entry.has_ended:
            self._note_end(entry, reason)
            self._on_ended(room)

    def give_up(self, error: Exception) -> None:
        """Let nobody wait any more: the account does not run."""
        for entry in self._entries.values():
            if not entry.outcome.done():
                entry.outcome.set_exception(error)
                entry.outcome.exception()  # nobody need be waiting for it

    def _note_end(self, entry: _Entry, reason: str) -> None:
        log.error("room ended", account=self._name, room=entry.wanted.name, reason=reason)
        entry.has_ended, entry.problem = True, reason

    async def _enter(self, entry: _Entry) -> None:
        """Join a room, however long it takes."""
        backoff = Backoff(self._random)
        while True:
            try:
                joined = await self._transport.join(entry.wanted.address, history_since=entry.wanted.history_since)
            except (LoginError, UntrustedServerError) as error:
                self._on_refused(error)
                return
            except RoomEndedError as error:
                self._note_end(entry, error.what)
                entry.outcome.set_exception(error)
                entry.outcome.exception()  # nobody need be waiting for it
                return
            except PermanentError as error:
                pause = ROOM_PATIENCE
                if entry.problem != error.what:
                    log.warning("room not joined", account=self._name, room=entry.wanted.name, reason=error.what)
                entry.problem = error.what
                entry.outcome.set_exception(error)
                entry.outcome.exception()  # nobody need be waiting for it
                entry.outcome = _future()
            except RetryableError as error:
                pause = backoff.pause() if error.after is None else round(error.after * 1000)
                log.info("room not joined yet", account=self._name, room=entry.wanted.name, reason=error.what)
            else:
                entry.address, self._joined[joined.address] = joined.address, entry
                self._on_joined(joined, entry.wanted.name)
                entry.problem = None
                entry.outcome.set_result(joined)
                log.info("joined", account=self._name, room=entry.wanted.name)
                return
            await self._clock.sleep_until(self._clock.now() + pause)

    async def _come_back(self, entry: _Entry, room: RoomAddress) -> None:
        """Try until it works. By the room's address: an alias may mean another room by now."""
        backoff = Backoff(self._random)
        while not entry.has_ended:
            await self._clock.sleep_until(self._clock.now() + backoff.pause())
            try:
                await self._transport.join(room, history_since=entry.wanted.history_since)
            except (LoginError, UntrustedServerError) as error:
                self._on_refused(error)
                return
            except RoomEndedError as error:
                self.end(room, error.what)
            except TransportError as error:
                log.info("room not joined again", account=self._name, room=entry.wanted.name, reason=error.what)
            else:
                entry.problem = None
                break
        entry.is_entering = False


def _future() -> asyncio.Future[JoinedRoom]:
    return asyncio.get_running_loop().create_future()

"""A Matrix account as a transport: one loop around `/sync` for all its rooms."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Final, TypeVar

import structlog

from transports.carriers import MATRIX_EVENT_TYPE, MATRIX_MAX_ENVELOPE
from transports.errors import (
    ForbiddenError,
    PermanentError,
    RetryableError,
    RoomEndedError,
    RoomNotFoundError,
    TooLargeError,
    UnsuitableRoomError,
)
from transports.matrix.adapter import Homeserver, JsonObject
from transports.matrix.cursor import BadCursorError, Cursor
from transports.matrix.events import MESSAGE, envelope_content, notice_content
from transports.matrix.login import Login, MatrixSession, log_in, open_homeserver
from transports.matrix.reading import Reader, is_behind
from transports.matrix.refusals import RefusedError
from transports.matrix.rooms import fetch_members, fetch_servers, fetch_state, text_of
from transports.matrix.sync import SyncAnswer, read_sync, sync_filter
from transports.matrix.uris import (
    BadIdentifierError,
    RoomReference,
    account_uri,
    read_room,
    room_id_of,
    room_uri,
    server_of,
)
from transports.room import (
    Account,
    Batch,
    ConnectionState,
    JoinedRoom,
    Limits,
    Member,
    Network,
    RelayNote,
    RoomAddress,
)

__all__ = ["MatrixTransport"]

_LONG_POLL: Final = 30.0
"""Seconds that the server may wait for something to happen."""

_GRACE: Final = 30.0
"""Seconds that its answer may then take."""

_LOOK_PAUSE: Final = 2.0
"""Seconds between two looks for what the server fetches from others: about what it needs for a hundred events."""

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0

_MOST_VIAS: Final = 5
_NAME_A_SERVER: Final = (
    ": if none of this server's users is in the room, give its alias, or its id with a server that is in it, as in "
    "matrix:roomid/NAME?via=example.org"
)

_MAX_CONTENT: Final = 62_500
"""Bytes of an event's content. Its other fields, on a federated server, fit into the rest of the 65,536."""

Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


class MatrixTransport:
    """One Matrix account, and the rooms that it is in. Implements `transports.room.Transport`.

    `homeserver` is the base URL of its client-server API, `https://` except on the loopback. `on_session` is told what
    a login by password leaves, for the next `PasswordLogin` (see there). `tls` replaces the system's certificate
    authorities. `jitter` returns numbers from 0 to 1, for pauses.
    """

    network = Network.MATRIX

    def __init__(
        self,
        homeserver: str,
        login: Login,
        *,
        on_session: Callable[[MatrixSession], None] = lambda _: None,
        tls: ssl.SSLContext | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.on_state: Callable[[ConnectionState], None] = lambda _: None
        self._server: Homeserver = open_homeserver(homeserver, login, tls)
        self._login = login
        self._on_session = on_session
        self._jitter = jitter
        self._session: MatrixSession | None = None
        self._floors: dict[str, int] = {}
        """The rooms that are told, by id, and since when."""
        self._vias: dict[str, tuple[str, ...]] = {}
        """Servers in these rooms besides our own: without one, nobody gets back into a room that our own has left."""
        self._joins = 0
        """How often a room was joined: what was asked of the server before says nothing of that room."""
        self._rooms_changed = asyncio.Event()
        self._closed = asyncio.Event()

    @property
    def account(self) -> Account:
        return account_uri(self._identity.user_id)

    @property
    def homeserver(self) -> Homeserver:
        """The server, for what is measured beside the interface."""
        return self._server

    async def start(self) -> None:
        self.on_state(ConnectionState.CONNECTING)
        self._session = await log_in(self._server, self._login)
        self._on_session(self._session)

    async def join(self, room: str, *, history_since: int = 0) -> JoinedRoom:
        try:
            reference = read_room(room)
        except BadIdentifierError as error:
            raise RoomNotFoundError(f"not a Matrix room: {error}", where=self._server.name) from error
        room_id = await self._enter(reference)
        await self._refuse_unsuitable(room_id)
        if servers := await fetch_servers(self._server, room_id, besides=server_of(self._identity.user_id)):
            self._vias[room_id] = servers
        name = await fetch_state(self._server, room_id, "m.room.name")
        self._floors[room_id] = history_since
        self._joins += 1
        self._rooms_changed.set()
        limits = Limits(envelope_bytes=MATRIX_MAX_ENVELOPE)
        return JoinedRoom(room_uri(room_id), "" if name is None else text_of(name.content, "name"), limits)

    async def batches(self, cursor: bytes | None) -> AsyncGenerator[Batch, None]:
        position = self._position(cursor)
        self._vias = {room_id: place.via for room_id, place in position.places.items() if place.via} | self._vias
        reader = Reader(self._server, position.user_id)
        nonce = secrets.token_hex(8)
        look_at = 0.0
        live_with: int | None = None
        """The joins of which all is told; `None` while the connection is to be made up for."""
        failures = 0
        self.on_state(ConnectionState.CATCHING_UP)
        while not self._closed.is_set():
            try:
                self._rooms_changed.clear()
                floors, joins = dict(self._floors), self._joins
                answered = await self._sync(position, floors, nonce, is_live=live_with == joins)
                if answered is None:
                    continue  # other rooms to ask for, or none
                position, answer = answered[0].entering(floors, self._vias), answered[1]
                looks_again = time.monotonic() >= look_at
                if looks_again:
                    look_at = time.monotonic() + _LOOK_PAUSE
                async with aclosing(reader.steps(position, answer, floors, looks_again=looks_again)) as steps:
                    async for step in steps:
                        position, failures = step.cursor, 0
                        # A room that was joined meanwhile is no part of the answer: there is more to tell.
                        is_live = step.batch.is_live and joins == self._joins
                        if is_live and live_with is None:
                            self.on_state(ConnectionState.LIVE)
                        if step.batch.events or (is_live and live_with != joins):
                            live_with = joins if is_live else live_with
                            yield replace(step.batch, is_live=is_live)
            except RetryableError as error:
                failures += 1
                live_with = None
                await self._recover(error, failures)

    async def publish(
        self,
        room: RoomAddress,
        envelope: bytes,
        *,
        transaction: str,
        note: RelayNote | None = None,
        fallback: str | None = None,  # noqa: ARG002 - no client would show it: see `transports.matrix.events`
    ) -> None:
        content = envelope_content(envelope, transaction, note)
        excess = len(json.dumps(content, ensure_ascii=False).encode()) - _MAX_CONTENT
        limit = min(MATRIX_MAX_ENVELOPE, len(envelope) - max(excess, 0) * 3 // 4 - 1)
        if len(envelope) > MATRIX_MAX_ENVELOPE or excess > 0:
            raise TooLargeError(f"an envelope of {len(envelope)} bytes", where=room, limit=limit)
        await self._send(room, MATRIX_EVENT_TYPE, transaction, content)

    async def post_notice(self, room: RoomAddress, text: str, *, transaction: str) -> None:
        await self._send(room, MESSAGE, transaction, notice_content(text, transaction))

    async def members(self, room: RoomAddress) -> tuple[Member, ...]:
        return await fetch_members(self._server, self._room_id(room))

    async def leave(self, room: RoomAddress) -> None:
        room_id = self._room_id(room)
        await self._server.post("rooms", room_id, "leave", body={}, where=room)
        if self._floors.pop(room_id, None) is not None:
            self._rooms_changed.set()

    async def close(self) -> None:
        self._closed.set()
        await self._server.close()

    @property
    def _identity(self) -> MatrixSession:
        if self._session is None:
            raise RuntimeError("the transport has not been started")
        return self._session

    def _position(self, cursor: bytes | None) -> Cursor:
        user_id = self._identity.user_id
        if cursor is None:
            return Cursor(user_id)
        try:
            return Cursor.decode(cursor, user_id)
        except BadCursorError as error:
            raise PermanentError(f"the stored cursor does not fit: {error}", where=self.account) from error

    async def _sync(
        self, position: Cursor, floors: dict[str, int], nonce: str, *, is_live: bool
    ) -> tuple[Cursor, SyncAnswer] | None:
        """Return the server's answer with the position that it answers to.

        `None` when the transport closed meanwhile, or has other rooms to ask for.
        """
        places = [position.places.get(room_id) for room_id in floors]
        wait = _LONG_POLL
        if not is_live or any(is_behind(place) for place in places):
            wait = 0.0
        elif any(place is not None and place.looks_left for place in places):
            wait = _LOOK_PAUSE
        query = {"filter": sync_filter(floors, nonce), "timeout": str(int(wait * 1000)), "set_presence": "offline"}
        if position.since is not None:
            query["since"] = position.since
        try:
            answer = await self._unless_disturbed(self._server.get("sync", query=query, patience=wait + _GRACE))
        except RefusedError:
            if position.since is None:
                raise
            # The server does not know its own token any more: it was restored from a backup, or set up anew.
            log.warning("matrix.position_refused", server=self._server.name)
            return await self._sync(position.restarted(), floors, nonce, is_live=is_live)
        if answer is None:
            return None
        synced = read_sync(answer)
        if synced is None:
            raise RetryableError("an answer to /sync without a token", where=self._server.name)
        return position, synced

    async def _recover(self, error: RetryableError, failures: int) -> None:
        if self._closed.is_set():
            return
        pause = _pause(failures, error.after, self._jitter())
        log.warning("matrix.lost", server=self._server.name, error=type(error).__name__, retry_in=round(pause, 1))
        self.on_state(ConnectionState.LOST)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), pause)
        self.on_state(ConnectionState.CATCHING_UP)

    async def _unless_disturbed(self, request: Coroutine[None, None, Answer]) -> Answer | None:
        """Return what the request brings, `None` when the rooms change or the transport closes before."""
        asked = asyncio.ensure_future(request)
        disturbed = [asyncio.ensure_future(event.wait()) for event in (self._rooms_changed, self._closed)]
        try:
            await asyncio.wait([asked, *disturbed], return_when=asyncio.FIRST_COMPLETED)
            return asked.result() if asked.done() else None
        finally:
            for task in (asked, *disturbed):
                task.cancel()
            await asyncio.gather(asked, *disturbed, return_exceptions=True)

    async def _enter(self, reference: RoomReference) -> str:
        """Return the id of the room, in which the account now is."""
        room_id, via = reference.identifier, reference.via
        where = room_id
        if room_id.startswith("#"):
            answer = await self._server.get("directory", "room", room_id, where=where)
            servers = answer.get("servers")
            named = [name for name in (servers if isinstance(servers, list) else ()) if isinstance(name, str)]
            via = via or tuple(named[:_MOST_VIAS])
            room_id = str(answer.get("room_id"))
        joined = (await self._server.get("joined_rooms")).get("joined_rooms")
        if not (isinstance(joined, list) and room_id in joined):
            via = via or self._vias.get(room_id, ())
            query = {"via": via, "server_name": via}
            try:
                answer = await self._server.post("join", room_id, body={}, query=query, where=where)
            except (RefusedError, RoomNotFoundError) as error:
                raise RoomNotFoundError(error.what + ("" if via else _NAME_A_SERVER), where=where) from error
            room_id = str(answer.get("room_id"))
        try:
            room_uri(room_id)
        except BadIdentifierError as error:
            raise RoomNotFoundError(f"the server names a room that is none: {error}", where=where) from error
        return room_id

    async def _refuse_unsuitable(self, room_id: str) -> None:
        tombstone = await fetch_state(self._server, room_id, "m.room.tombstone")
        if tombstone is not None:
            successor = text_of(tombstone.content, "replacement_room")
            raise RoomEndedError(
                f"the room was upgraded: use its successor, {successor or 'which is not named'}",
                where=room_uri(room_id),
                successor=_room_or_none(successor),
            )
        if await fetch_state(self._server, room_id, "m.room.encryption") is not None:
            raise UnsuitableRoomError(
                "the room has Matrix's own encryption (m.room.encryption), which cannot be switched off: "
                "make a new room, with encryption off",
                where=room_uri(room_id),
            )

    async def _send(self, room: RoomAddress, event_type: str, transaction: str, content: JsonObject) -> None:
        path = ("rooms", self._room_id(room), "send", event_type, transaction)
        try:
            await self._server.put(*path, body=content, where=room)
        except RefusedError as error:
            if error.blames_request:
                raise
            # The next one would fare no better, and this one may be taken once people have looked into it.
            raise ForbiddenError(error.what, where=room) from error

    def _room_id(self, room: RoomAddress) -> str:
        try:
            return room_id_of(room)
        except BadIdentifierError as error:
            raise RoomNotFoundError(f"not a Matrix room: {error}", where=self._server.name) from error


def _room_or_none(room_id: str) -> RoomAddress | None:
    try:
        return room_uri(room_id)
    except BadIdentifierError:
        return None


def _pause(failures: int, asked_for: float | None, jitter: float) -> float:
    """Return the seconds before the next try: doubled each time, spread by half, and never less than was asked for."""
    pause = _FIRST_PAUSE * 2.0 ** min(failures - 1, 16) * (1 + jitter / 2)
    return max(min(pause, _LONGEST_PAUSE), asked_for or 0.0)

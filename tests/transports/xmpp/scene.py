"""Accounts and rooms on a real server, somebody who owns the rooms, and transports that are closed at the end."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from bridge.servers import XmppServer
from transports.room import (
    Batch,
    EnvelopeSeen,
    RoomEvent,
)
from transports.xmpp import ClientLogin, ComponentLogin, Pace, Tls, XmppTransport
from transports.xmpp.connection import Connection
from transports.xmpp.elements import (
    CLIENT,
    DATA_FORMS,
    MUC,
    MUC_ADMIN,
    MUC_OWNER,
    Element,
    child,
    element,
)
from transports.xmpp.login import Login

__all__ = ["PACE", "PASSWORD", "Listener", "Raw", "Scene"]

PACE = Pace(
    connect_within=10,
    answer_within=10,
    ping_after=1,
    pong_within=1,
    reconnect_first=0.05,
    reconnect_longest=0.4,
    refused_again=0.5,
)
"""Short pauses: what takes a minute in the world takes a second here."""

PASSWORD = "correct horse battery staple"

Event = TypeVar("Event", bound=RoomEvent)


class Scene:
    """One test's part of a server."""

    def __init__(self, server: XmppServer) -> None:
        self.server = server
        self._name = uuid.uuid4().hex[:8]
        self._connections: list[Connection] = []
        self._transports: list[XmppTransport] = []
        self._listeners: list[Listener] = []
        self._owner: Raw | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for listener in self._listeners:
            await listener.stop()
        for transport in self._transports:
            await transport.close()
        for connection in self._connections:
            await connection.close()

    def jid(self, name: str) -> str:
        """The address of an account of this test."""
        return f"{name}-{self._name}@{self.server.domain}"

    def room_jid(self, name: str) -> str:
        """The address of a room of this test."""
        return f"{name}-{self._name}@{self.server.muc_domain}"

    async def register(self, *names: str) -> None:
        """Make accounts."""
        for name in names:
            await asyncio.to_thread(self.server.register, self.jid(name).partition("@")[0], PASSWORD)

    def login(self, name: str, *, port: int | None = None, password: str = PASSWORD) -> ClientLogin:
        """How an account logs in, through a proxy's port if there is one."""
        return ClientLogin(self.jid(name), password, host="127.0.0.1", port=port or self.server.c2s_port, tls=Tls.NONE)

    async def transport(
        self, name: str, *, port: int | None = None, pace: Pace = PACE, nickname: str | None = None
    ) -> XmppTransport:
        """A transport of an account, started."""
        transport = XmppTransport(self.login(name, port=port), pace=pace, nickname=nickname)
        self._transports.append(transport)
        await transport.start()
        return transport

    async def component(self, jid: str) -> XmppTransport:
        """A transport of a component, started."""
        secret = self.server.components[jid.rpartition("@")[2]]
        login = ComponentLogin(jid, secret, port=self.server.component_port)
        transport = XmppTransport(login, pace=PACE)
        self._transports.append(transport)
        await transport.start()
        return transport

    def listen(self, transport: XmppTransport, cursor: bytes | None = None) -> Listener:
        """Listen to a transport until the end of the test."""
        listener = Listener(transport, cursor)
        self._listeners.append(listener)
        return listener

    async def raw(self, login: Login, room: str | None = None, nickname: str = "raw") -> Raw:
        """A bare stream of an account, in a room or not."""
        raw = Raw(login)
        self._connections.append(raw.connection)
        await raw.connection.open()
        if room is not None:
            await raw.enter(room, nickname)
        return raw

    async def room(self, name: str = "tea", members: Sequence[str] = (), **settings: str) -> str:
        """The address of a new room with these accounts of the test, or other addresses, for members."""
        jid = self.room_jid(name)
        if self._owner is None:
            await self.register("owner")
            self._owner = await self.raw(self.login("owner"))
        await self._owner.enter(jid, "owner")
        suitable = {"membersonly": "1", "whois": "anyone", "persistentroom": "1"}
        await self.configure(jid, **{f"muc#roomconfig_{key}": each for key, each in {**suitable, **settings}.items()})
        for member in members:
            await self.affiliate(jid, member, "member")
        return jid

    @property
    def owner(self) -> Raw:
        """Who made the rooms, and is in them."""
        assert self._owner is not None
        return self._owner

    async def configure(self, room: str, **settings: str) -> None:
        """Change a room's settings."""
        fields = {"FORM_TYPE": f"{MUC}#roomconfig", **settings}
        form = element(
            DATA_FORMS,
            "x",
            *(
                element(DATA_FORMS, "field", element(DATA_FORMS, "value", each), var=var)
                for var, each in fields.items()
            ),
            type="submit",
        )
        await self.owner.connection.request("set", room, element(MUC_OWNER, "query", form))

    async def affiliate(self, room: str, who: str, affiliation: str) -> None:
        """Change what somebody is to a room; `who` is an account of the test, or an address."""
        jid = who if "@" in who or "." in who else self.jid(who)
        item = element(MUC_ADMIN, "item", jid=jid, affiliation=affiliation)
        await self.owner.connection.request("set", room, element(MUC_ADMIN, "query", item))

    async def kick(self, room: str, nickname: str) -> None:
        """Put somebody out of a room, who stays a member."""
        await self.give_role(room, nickname, "none")

    async def give_role(self, room: str, nickname: str, role: str) -> None:
        """Let somebody who is in a room do more, or less."""
        item = element(MUC_ADMIN, "item", nick=nickname, role=role)
        await self.owner.connection.request("set", room, element(MUC_ADMIN, "query", item))

    async def destroy(self, room: str, *, successor: str | None = None) -> None:
        """Destroy a room, and name another one in its place."""
        destroy = element(MUC_OWNER, "destroy", jid=successor)
        await self.owner.connection.request("set", room, element(MUC_OWNER, "query", destroy))


class Raw:
    """A bare stream, and what came over it."""

    def __init__(self, login: Login) -> None:
        self.heard: list[Element] = []
        self.connection = Connection(login, resource=uuid.uuid4().hex, pace=PACE, on_stanza=self.heard.append)

    async def enter(self, room: str, nickname: str) -> None:
        """Enter a room, or make it."""
        join = element(MUC, "x", element(MUC, "history", maxstanzas="0"))
        self.connection.send(element(CLIENT, "presence", join, to=f"{room}/{nickname}"))
        # The subject is the last that the server sends to who enters.
        await self.until(lambda each: each.get("from") == room and child(each, CLIENT, "subject") is not None)

    async def until(self, wanted: Callable[[Element], bool]) -> Element:
        """The first stanza that is wanted, once it has come."""
        async with asyncio.timeout(15):
            while True:
                for each in self.heard:
                    if wanted(each):
                        return each
                await asyncio.sleep(0.01)

    async def say(self, room: str, *content: Element | None, identifier: str | None = None) -> Element:
        """Say something in a room, and wait for it to come back."""
        identifier = identifier or uuid.uuid4().hex
        self.connection.send(element(CLIENT, "message", *content, type="groupchat", to=room, id=identifier))
        return await self.until(lambda each: each.get("id") == identifier)


class Listener:
    """Iterates over a transport's batches, and keeps what it is told."""

    def __init__(self, transport: XmppTransport, cursor: bytes | None = None) -> None:
        self.events: list[RoomEvent] = []
        self.batches: list[Batch] = []
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._listen(transport, cursor))

    @property
    def cursor(self) -> bytes:
        """Behind the last batch."""
        return self.batches[-1].cursor

    @property
    def envelopes(self) -> list[bytes]:
        """The envelopes, in order."""
        return [event.envelope for event in self.of(EnvelopeSeen)]

    def of(self, kind: type[Event]) -> list[Event]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, condition: Callable[[], object], seconds: float = 20) -> None:
        """Wait until something holds; it is looked at after every batch."""
        async with asyncio.timeout(seconds):
            while not condition():
                if self._task.done():
                    await self._task
                    raise AssertionError("the batches have ended")
                await self._changed.wait()
                self._changed.clear()

    async def hear(self, count: int) -> None:
        """Wait until there are so many envelopes."""
        await self.until(lambda: len(self.envelopes) >= count)

    async def live(self) -> None:
        """Wait until everything is told."""
        await self.until(lambda: self.batches and self.batches[-1].is_live)

    async def stop(self) -> None:
        """Stop listening."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def failure(self) -> BaseException:
        """What the batches end with."""
        async with asyncio.timeout(20):
            await asyncio.wait({self._task})
        error = self._task.exception()
        assert error is not None
        return error

    async def _listen(self, transport: XmppTransport, cursor: bytes | None) -> None:
        try:
            async with contextlib.aclosing(transport.batches(cursor)) as batches:
                async for batch in batches:
                    self.batches.append(batch)
                    self.events += batch.events
                    self._changed.set()
        finally:
            self._changed.set()

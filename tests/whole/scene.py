"""A Matrix room and a MUC on real servers, linked by a bridge, with people in both.

Rooms are made the way people make rooms, by clients. The bridge is what the configuration makes of it, in this process
(`bridge`) or in one of its own (`bridge_process`); people are members by the library (`member`), or `mls-bridge chat`
in a process (`chat`).
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bridge.config import load
from bridge.config.secrets import read_key
from bridge.demo.people import Bridge, write_config
from bridge.demo.people import Person as ChatProcess
from bridge.library import open_room
from bridge.member.settings import MemberSettings
from bridge.observing.metrics import Metrics
from bridge.servers import SynapseServer, XmppServer
from bridge.service.attending import attend
from bridge.service.clock import SystemClock
from bridge.service.composing import Composition, open_store
from bridge.service.service import Service
from tests.servers.matrix import Person as MatrixClient
from tests.servers.matrix import log_in
from tests.transports.xmpp.scene import PACE, PASSWORD
from tests.transports.xmpp.scene import Scene as XmppScene
from tests.whole.people import Diary, Person, listening
from transports.matrix import MatrixTransport, TokenLogin
from transports.matrix.uris import account_uri, room_uri
from transports.room import Account, RoomAddress, Transport
from transports.xmpp import XmppTransport
from transports.xmpp.uris import account_of, address_of_room

__all__ = ["BRIDGE", "KEY", "PASSWORD", "Scene", "linked_rooms"]

KEY: Final = bytes(range(32))
"""What all databases of these tests are encrypted with."""

BRIDGE: Final = "bridge"


@dataclass
class MatrixPlace:
    """A Matrix room, and who is on which server."""

    room_id: str
    servers: dict[str, SynapseServer]
    clients: dict[str, MatrixClient]
    """Each account's ordinary client."""
    ids: dict[str, str]


class Scene:
    """Everything of one test. Names are those of its people; their accounts on the servers have a suffix besides."""

    def __init__(
        self, folder: Path, matrix: MatrixPlace, xmpp: XmppScene, muc: str, appservice: Mapping[str, Any] | None
    ) -> None:
        self.folder = folder
        self.matrix = matrix
        self.xmpp = xmpp
        self.matrix_room: RoomAddress = room_uri(matrix.room_id)
        self.xmpp_room: RoomAddress = address_of_room(muc)
        self.muc = muc
        self._appservice = appservice
        self._diaries: dict[str, Diary] = {}

    def account(self, name: str) -> Account:
        """Somebody's account, as a URI."""
        if name in self.matrix.ids:
            return account_uri(self.matrix.ids[name])
        found = account_of(self._jid(name))
        assert found is not None
        return found

    def database(self, name: str) -> Path:
        """Where a member of this process keeps its state."""
        return self.folder / f"{name}.db"

    def transport(self, name: str) -> Transport:
        """A new transport of somebody's account."""
        if name in self.matrix.ids:
            client = self.matrix.clients[name]
            return MatrixTransport(client.server.url, TokenLogin(client.token))
        return XmppTransport(self.xmpp.login(name), pace=PACE, nickname=name)

    @asynccontextmanager
    async def member(self, name: str, **settings: Any) -> AsyncIterator[Person]:  # noqa: ANN401 - of MemberSettings
        """Somebody in the room, by the library, until the end of the block. May come back."""
        account = self.account(name)
        room = self.matrix_room if name in self.matrix.ids else self.xmpp_room
        chosen = MemberSettings(**{"stagger": 200, **settings})
        diary = self._diaries.setdefault(name, Diary())
        async with (
            open_room(self.transport(name), room, store=self.database(name), key=KEY, settings=chosen) as opened,
            listening(Person(name, account, opened, diary)) as person,
        ):
            yield person

    @asynccontextmanager
    async def bridge(self) -> AsyncIterator[Service]:
        """Relay and sequencer in this process."""
        config, clock, metrics = load(self.bridge_config()), SystemClock(), Metrics()
        store = await open_store(config, read_key(config.store.key), clock)
        service = Service(store, clock=clock, random=os.urandom, metrics=metrics)
        composition = Composition(config, service, store, clock=clock, random=os.urandom, metrics=metrics)
        await composition.add_accounts()
        running = asyncio.create_task(service.run())
        try:
            await attend(composition.add_roles(), running)
            yield service
        finally:
            service.stop()
            await running

    @asynccontextmanager
    async def bridge_process(self, **changes: Any) -> AsyncIterator[Bridge]:  # noqa: ANN401 - of the configuration
        """`mls-bridge run`."""
        process = await Bridge.start(self.bridge_config(**changes))
        try:
            yield process
        finally:
            await process.stop()

    @asynccontextmanager
    async def chat(self, name: str, *options: str) -> AsyncIterator[ChatProcess]:
        """`mls-bridge chat --json`."""
        process = await ChatProcess.start(name, self.person_config(name), *options)
        try:
            yield process
        finally:
            await process.stop()

    # Configurations.

    def bridge_config(self, **changes: Any) -> Path:  # noqa: ANN401 - of the configuration
        """Write the bridge's configuration: the home room is the one on Matrix."""
        tokens = {name: str(self._appservice[name]) for name in ("as_token", "hs_token")} if self._appservice else {}
        login: dict[str, Any] = {"password": {"file": "password"}}
        if self._appservice:
            login = {"appservice": {name: {"file": name} for name in tokens}}
        component = self._jid(BRIDGE)
        config = {
            **self._common(),
            "accounts": {
                "hs": self._matrix_account(BRIDGE, login),
                "muc": {
                    "network": "xmpp",
                    "jid": component,
                    "login": {"component": {"secret": {"file": "component"}}},
                    "server": {"host": "127.0.0.1", "port": self.xmpp.server.component_port},
                },
            },
            "rooms": {
                "tea": {
                    "sides": [
                        {"account": "hs", "room": self.matrix.room_id},
                        {"account": "muc", "room": self.muc},
                    ],
                    "home": "hs",
                    "relay": True,
                    "sequencer": True,
                }
            },
            **changes,
        }
        secret = self.xmpp.server.components[component.partition("@")[2]]
        secrets = {**tokens, "component": secret, "password": PASSWORD, "key": KEY.hex()}
        return write_config(self.folder / BRIDGE, config, secrets)

    def person_config(self, name: str, *, password: str = PASSWORD, **changes: Any) -> Path:  # noqa: ANN401 - the same
        """Write a person's configuration: one account, one room, a member."""
        login = {"password": {"file": "password"}}
        if name in self.matrix.ids:
            account, room = self._matrix_account(name, login), self.matrix.room_id
        else:
            server = {"host": "127.0.0.1", "port": self.xmpp.server.c2s_port}
            account = {"network": "xmpp", "jid": self._jid(name), "login": login, "server": server, "plaintext": True}
            room = self.muc
        config = {
            **self._common(),
            "accounts": {"me": account},
            "rooms": {"tea": {"sides": [{"account": "me", "room": room}], "member": {"account": "me"}}},
            **changes,
        }
        return write_config(self.folder / name, config, {"password": password, "key": KEY.hex()})

    def _matrix_account(self, name: str, login: dict[str, Any]) -> dict[str, Any]:
        server = self.matrix.servers[name]
        return {"network": "matrix", "homeserver": server.url, "user": self.matrix.ids[name], "login": login}

    def _jid(self, name: str) -> str:
        jid = self.xmpp.jid(name)
        return f"{jid.partition('@')[0]}@bridge.localhost" if name == BRIDGE else jid

    def _common(self) -> dict[str, Any]:
        return {
            "store": {"path": "mls-bridge.db", "key": {"file": "key"}},
            "health": {"listen": None},
            "log": {"format": "json"},
        }


@asynccontextmanager
async def linked_rooms(
    folder: Path,
    synapse: SynapseServer,
    xmpp: XmppServer,
    *,
    matrix: Sequence[str] = ("alice",),
    elsewhere: Mapping[str, SynapseServer] | None = None,
    muc: Sequence[str] = ("carol",),
    appservice: Mapping[str, Any] | None = None,
) -> AsyncIterator[Scene]:
    """Make accounts and the two rooms. People of `elsewhere` are in the Matrix room from other homeservers.

    With `appservice`, a registration that the homeserver has, the bridge is that one's user.
    """
    async with XmppScene(xmpp) as scene:
        bridge = [] if appservice else [BRIDGE]
        servers = {**dict.fromkeys([*matrix, *bridge], synapse), **(elsewhere or {})}
        place = await asyncio.to_thread(_make_matrix_room, servers, appservice)
        place.servers.setdefault(BRIDGE, synapse)
        await scene.register(*muc)
        component = f"{scene.jid(BRIDGE).partition('@')[0]}@bridge.localhost"
        room = await scene.room("tea", [*muc, component])
        yield Scene(folder, place, scene, room, appservice)


def _make_matrix_room(servers: dict[str, SynapseServer], appservice: Mapping[str, Any] | None) -> MatrixPlace:
    """Let the first of them make a room, and invite all others."""
    suffix = uuid.uuid4().hex[:8]
    ids = {name: server.register(f"{name}-{suffix}", PASSWORD) for name, server in servers.items()}
    clients = {name: log_in(server, ids[name], PASSWORD) for name, server in servers.items()}
    founder = next(iter(servers))
    if appservice is not None:
        localpart = str(appservice["id"]).removeprefix("mls-bridge-")
        ids[BRIDGE] = f"@{localpart}:{servers[founder].name}"
    guests = [user for name, user in ids.items() if name != founder]
    room_id = clients[founder].create_room(preset="private_chat", name="Tea", invite=guests)
    return MatrixPlace(room_id, servers, clients, ids)

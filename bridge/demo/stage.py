"""Where the demonstration plays: two real servers with a room each, accounts, and a configuration for everyone."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from bridge.demo.people import Bridge, Person, write_config
from bridge.demo.rooms import MatrixPerson, make_muc
from bridge.servers.ports import Port
from bridge.servers.prosody import Prosody
from bridge.servers.server import Server
from bridge.servers.synapse import Synapse
from transports.matrix.registration import registration

__all__ = ["Stage", "set_stage"]

_COMPONENT = "bridge.localhost"


@dataclass
class Stage:
    """Everything that runs."""

    folder: Path
    synapse: Server
    prosody: Server
    matrix_room: str
    xmpp_room: str
    bridge: Bridge
    people: dict[str, Person]
    eye: MatrixPerson
    """Bob's ordinary Matrix client: what his homeserver hands out to him, whatever his keys."""


@asynccontextmanager
async def set_stage(folder: Path, say: Callable[[str], None]) -> AsyncIterator[Stage]:
    """Start servers, make accounts and rooms, start the bridge and three people. Stops all of it at the end."""
    async with AsyncExitStack() as stack:
        say("Installing Synapse and Prosody, where they are not there yet")
        installed_synapse, installed_prosody = await asyncio.gather(
            asyncio.to_thread(Synapse.install, say), asyncio.to_thread(Prosody.install, say)
        )
        passwords = {name: secrets.token_urlsafe(18) for name in ("alice", "bob", "carol")}
        appservice = registration(localpart="bridge", server_name="localhost")
        file = folder / "appservice.yaml"
        file.write_text(yaml.safe_dump(appservice), encoding="utf-8")
        say("Starting a Synapse and a Prosody on this machine")
        synapse = installed_synapse.start(folder / "synapse", appservices=[file])
        stack.callback(synapse.close)
        prosody = installed_prosody.start(folder / "prosody", components={_COMPONENT: secrets.token_urlsafe(18)})
        stack.callback(prosody.close)
        say("Making accounts: Alice and Bob on Matrix, Carol on XMPP")
        for name in ("alice", "bob"):
            await asyncio.to_thread(synapse.register, name, passwords[name])
        await asyncio.to_thread(prosody.register, "carol", passwords["carol"])
        say("Alice makes a room on Matrix, Carol one on XMPP")
        http = await stack.enter_async_context(aiohttp.ClientSession())
        alice, bob = MatrixPerson(http, synapse.url), MatrixPerson(http, synapse.url)
        await alice.log_in("alice", passwords["alice"])
        await bob.log_in("bob", passwords["bob"])
        matrix_room = await alice.make_room("tea", ["@bob:localhost", "@bridge:localhost"])
        xmpp_room = f"tea@{prosody.muc_domain}"
        component = f"bridge@{_COMPONENT}"
        await make_muc("carol@localhost", passwords["carol"], prosody.host, prosody.c2s_port, xmpp_room, [component])
        health = Port()
        stack.callback(health.release)
        configs = _Configs(
            folder, synapse.url, prosody.host, prosody.c2s_port, "#tea:localhost", xmpp_room, int(health)
        )
        say("Starting the bridge: relay and sequencer, a process of its own")
        secret = prosody.components[_COMPONENT]
        bridge = await Bridge.start(configs.bridge(component, secret, prosody.component_port, appservice))
        stack.push_async_callback(bridge.stop)
        say("Starting three people")
        people: dict[str, Person] = {}
        for name, options in (("alice", ["--create"]), ("bob", []), ("carol", [])):
            people[name] = await Person.start(name, configs.person(name, passwords[name]), *options)
            stack.push_async_callback(people[name].stop)
        yield Stage(folder, synapse, prosody, matrix_room, xmpp_room, bridge, people, bob)


@dataclass(frozen=True)
class _Configs:
    folder: Path
    homeserver: str
    host: str
    port: int
    matrix_room: str
    xmpp_room: str
    health: int

    def bridge(self, component: str, secret: str, port: int, appservice: dict[str, object]) -> Path:
        """Write the bridge's configuration: an appservice on Matrix, a component on XMPP, and no member."""
        login = {"appservice": {"as_token": {"file": "as_token"}, "hs_token": {"file": "hs_token"}}}
        config = {
            **_common(f"127.0.0.1:{self.health}"),
            "accounts": {
                "hs": {
                    "network": "matrix",
                    "homeserver": self.homeserver,
                    "user": "@bridge:localhost",
                    "login": login,
                },
                "muc": {
                    "network": "xmpp",
                    "jid": component,
                    "login": {"component": {"secret": {"file": "component"}}},
                    "server": {"host": self.host, "port": port},
                },
            },
            "rooms": {
                "tea": {
                    "sides": [
                        {"account": "hs", "room": self.matrix_room},
                        {"account": "muc", "room": self.xmpp_room},
                    ],
                    "home": "hs",
                    "relay": True,
                    "sequencer": True,
                }
            },
        }
        tokens = {name: str(appservice[name]) for name in ("as_token", "hs_token")}
        return write_config(
            self.folder / "bridge", config, {**tokens, "component": secret, "key": secrets.token_hex(32)}
        )

    def person(self, name: str, password: str) -> Path:
        """Write a person's configuration: one account, one room, a member."""
        account: dict[str, Any] = {"network": "matrix", "homeserver": self.homeserver, "user": f"@{name}:localhost"}
        room = self.matrix_room
        if name == "carol":
            server = {"host": self.host, "port": self.port}
            account = {"network": "xmpp", "jid": f"{name}@localhost", "server": server, "plaintext": True}
            room = self.xmpp_room
        account["login"] = {"password": {"file": "password"}}
        config = {
            **_common(None),
            "accounts": {"me": account},
            "rooms": {"tea": {"sides": [{"account": "me", "room": room}], "member": {"account": "me"}}},
        }
        return write_config(self.folder / name, config, {"password": password, "key": secrets.token_hex(32)})


def _common(health: str | None) -> dict[str, Any]:
    return {
        "store": {"path": "mls-bridge.db", "key": {"file": "key"}},
        "health": {"listen": health},
        "log": {"format": "json"},
    }

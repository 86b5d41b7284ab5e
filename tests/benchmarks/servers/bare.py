"""Bare clients: what sends and reads with as little as the two networks ask for, and keeps nothing."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import slixmpp
from slixmpp.xmlstream import StanzaBase
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import StanzaPath

from tests.benchmarks.servers.cargo import TEXT, Cargo
from tests.benchmarks.servers.hearing import Ear
from transports.xmpp.elements import serialised

__all__ = ["BareClient", "BareMatrix", "BareXmpp", "ComponentDoor", "Hear"]

Hear = Callable[[str], None]
"""Told each text that somebody else wrote into the room."""

_LONG_POLL: Final = 30_000
_PATIENCE: Final = 30
_AT_ONCE: Final = 16
"""Requests of a flood that are on their way at the same time: more do not make Synapse any faster."""

_MOST_TOLD: Final = 100
"""Events of a room in one answer: more Synapse does not give by default."""

_NOTHING: Final = {"not_types": ["*"]}


class BareMatrix:
    """An account in one Matrix room: `/sync` as a long poll, and nothing but messages asked for."""

    def __init__(self, url: str, token: str, user_id: str, room_id: str, hear: Hear, cargo: Cargo = TEXT) -> None:
        self._http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})
        self._base = f"{url}/_matrix/client/v3"
        self._user_id = user_id
        self._room_id = room_id
        self._hear = hear
        self._cargo = cargo
        self._since = ""
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Enter the room, and read from now on."""
        await self._call("POST", f"/join/{quote(self._room_id)}", {})
        await self._sync(0)
        self._reading = asyncio.create_task(self._read())

    async def say(self, text: str) -> None:
        """Post a text; the server has it when this returns."""
        path = f"/rooms/{quote(self._room_id)}/send/{self._cargo.event_type}/{uuid.uuid4().hex}"
        await self._call("PUT", path, self._cargo.content(text))

    async def flood(self, texts: Sequence[str]) -> None:
        """Post texts as fast as the server takes them, in whatever order; it has all of them when this returns."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def post(text: str) -> None:
            async with turn:
                await self.say(text)

        async with asyncio.TaskGroup() as posts:
            for text in texts:
                posts.create_task(post(text))

    async def pour(self, texts: Sequence[str]) -> None:
        """Post texts as fast as the server takes them in their order, which asks for one after the other."""
        for text in texts:
            await self.say(text)

    async def close(self) -> None:
        """End. Raises what ended the reading before."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self._http.close()
        if self._reading is not None and not self._reading.cancelled():
            self._reading.result()

    async def _read(self) -> None:
        while True:
            for event in await self._sync(_LONG_POLL):
                text = self._cargo.text_of_content(event.get("content", {}))
                if event["sender"] != self._user_id and text is not None:
                    self._hear(text)

    async def _sync(self, wait: int) -> list[dict[str, Any]]:
        """Return what was said since the last time; at the first time nothing."""
        room = {"rooms": [self._room_id], "timeline": {"types": [self._cargo.event_type], "limit": _MOST_TOLD}}
        rest = {"state": _NOTHING, "ephemeral": _NOTHING, "account_data": _NOTHING}
        asked = json.dumps({"room": room | rest, "presence": _NOTHING, "account_data": _NOTHING})
        since = f"&since={quote(self._since)}" if self._since else ""
        answer = await self._call(
            "GET", f"/sync?timeout={wait}&filter={quote(asked)}{since}&set_presence=offline", None
        )
        is_first, self._since = not self._since, answer["next_batch"]
        timeline = answer.get("rooms", {}).get("join", {}).get(self._room_id, {}).get("timeline", {})
        if timeline.get("limited") and not is_first:
            raise RuntimeError("more was said at once than the server tells: this client does not read back")
        return [] if is_first else list(timeline.get("events", []))

    async def _call(self, method: str, path: str, body: object) -> dict[str, Any]:
        async with self._http.request(method, self._base + path, json=body) as response:
            answer: dict[str, Any] = await response.json()
            response.raise_for_status()
            return answer


class BareXmpp:
    """An account in one MUC, by slixmpp as it comes; its own reflections are not told."""

    def __init__(
        self,
        stream: slixmpp.BaseXMPP,
        host: str,
        port: int,
        room: str,
        nickname: str,
        hear: Hear,
        cargo: Cargo = TEXT,
    ) -> None:
        self._stream = stream
        self._server = (host, port)
        self._room = room
        self._nickname = nickname
        self._hear = hear
        self._cargo = cargo
        self._reflections = Ear()
        stream.register_plugin("xep_0045")
        stream.register_handler(Callback("spoken", StanzaPath("message@type=groupchat"), self._on_message))

    @classmethod
    def client(
        cls, jid: str, password: str, host: str, port: int, room: str, hear: Hear, cargo: Cargo = TEXT
    ) -> BareXmpp:
        """Return a client, on a loopback without TLS."""
        stream = slixmpp.ClientXMPP(jid, password)
        stream.enable_plaintext, stream.enable_starttls, stream.enable_direct_tls = True, False, False
        mechanisms = stream.plugin["feature_mechanisms"]
        mechanisms.unencrypted_plain = mechanisms.unencrypted_scram = True
        return cls(stream, host, port, room, jid.partition("@")[0], hear, cargo)

    @classmethod
    def component(
        cls, jid: str, secret: str, host: str, port: int, room: str, hear: Hear, cargo: Cargo = TEXT
    ) -> BareXmpp:
        """Return a component that speaks as `jid`."""
        stream = ComponentDoor(jid, secret, host, port)
        return cls(stream, host, port, room, jid.partition("@")[0], hear, cargo)

    async def start(self) -> None:
        """Log in, and enter the room."""
        self._stream.connect(*self._server)
        await self._stream.wait_until("session_start", _PATIENCE)
        muc = self._stream.plugin["xep_0045"]
        room, own = slixmpp.JID(self._room), self._stream.boundjid
        await muc.join_muc_wait(room, self._nickname, maxstanzas=0, timeout=_PATIENCE, presence_options={"pfrom": own})

    async def say(self, text: str) -> None:
        """Hand a text to the stream: the server is not asked whether it has it."""
        message = self._cargo.message(self._room, text)
        message.set("from", str(self._stream.boundjid))
        self._stream.send_raw(serialised(message))

    async def flood(self, texts: Sequence[str]) -> None:
        """Hand texts to the stream, which keeps their order; the room has shown all of them when this returns."""
        for text in texts:
            await self.say(text)
        await self._reflections.until_all(texts)

    pour = flood

    async def close(self) -> None:
        """End."""
        with suppress(asyncio.CancelledError):
            await self._stream.disconnect()
        sending = self._stream._run_out_filters  # slixmpp does not end this task of its own
        if sending is not None:
            sending.cancel()
            await asyncio.wait({sending})

    def _on_message(self, message: StanzaBase) -> None:
        text = self._cargo.text_of_message(message.xml)
        if text is None:
            return
        if message["from"].resource == self._nickname:
            self._reflections.hear(text)
        else:
            self._hear(text)


class ComponentDoor(slixmpp.ComponentXMPP):
    """A component that is one account: it speaks as `jid`, and not as its whole domain."""

    def __init__(self, jid: str, secret: str, host: str, port: int) -> None:
        super().__init__(jid.partition("@")[2], secret, host, port)  # type: ignore[no-untyped-call]
        self.boundjid = slixmpp.JID(f"{jid}/bare")


BareClient = BareMatrix | BareXmpp

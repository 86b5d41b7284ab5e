"""Bare clients: what sends and reads plain text with as little as the two networks ask for, and keeps nothing."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import slixmpp

__all__ = ["BareClient", "BareMatrix", "BareXmpp", "ComponentDoor", "Hear"]

Hear = Callable[[str], None]
"""Told each text that somebody else wrote into the room."""

_LONG_POLL: Final = 30_000
_PATIENCE: Final = 30
_NOTHING: Final = {"not_types": ["*"]}


class BareMatrix:
    """An account in one Matrix room: `/sync` as a long poll, and nothing but messages asked for."""

    def __init__(self, url: str, token: str, user_id: str, room_id: str, hear: Hear) -> None:
        self._http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})
        self._base = f"{url}/_matrix/client/v3"
        self._user_id = user_id
        self._room_id = room_id
        self._hear = hear
        self._since = ""
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Enter the room, and read from now on."""
        await self._call("POST", f"/join/{quote(self._room_id)}", {})
        await self._sync(0)
        self._reading = asyncio.create_task(self._read())

    async def say(self, text: str) -> None:
        """Post a text; the server has it when this returns."""
        path = f"/rooms/{quote(self._room_id)}/send/m.room.message/{uuid.uuid4().hex}"
        await self._call("PUT", path, {"msgtype": "m.text", "body": text})

    async def close(self) -> None:
        """End."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self._http.close()

    async def _read(self) -> None:
        while True:
            for event in await self._sync(_LONG_POLL):
                body = event.get("content", {}).get("body")
                if event["sender"] != self._user_id and isinstance(body, str):
                    self._hear(body)

    async def _sync(self, wait: int) -> list[dict[str, Any]]:
        """Return what was said since the last time; at the first time nothing."""
        room = {"rooms": [self._room_id], "timeline": {"types": ["m.room.message"], "limit": 1000}}
        rest = {"state": _NOTHING, "ephemeral": _NOTHING, "account_data": _NOTHING}
        asked = json.dumps({"room": room | rest, "presence": _NOTHING, "account_data": _NOTHING})
        since = f"&since={quote(self._since)}" if self._since else ""
        answer = await self._call(
            "GET", f"/sync?timeout={wait}&filter={quote(asked)}{since}&set_presence=offline", None
        )
        is_first, self._since = not self._since, answer["next_batch"]
        joined = answer.get("rooms", {}).get("join", {}).get(self._room_id, {})
        return [] if is_first else list(joined.get("timeline", {}).get("events", []))

    async def _call(self, method: str, path: str, body: object) -> dict[str, Any]:
        async with self._http.request(method, self._base + path, json=body) as response:
            answer: dict[str, Any] = await response.json()
            response.raise_for_status()
            return answer


class BareXmpp:
    """An account in one MUC, by slixmpp as it comes; its own reflections are not told."""

    def __init__(self, stream: slixmpp.BaseXMPP, host: str, port: int, room: str, nickname: str, hear: Hear) -> None:
        self._stream = stream
        self._server = (host, port)
        self._room = room
        self._nickname = nickname
        self._hear = hear
        stream.register_plugin("xep_0045")
        stream.add_event_handler("groupchat_message", self._on_message)

    @classmethod
    def client(cls, jid: str, password: str, host: str, port: int, room: str, hear: Hear) -> BareXmpp:
        """Return a client, on a loopback without TLS."""
        stream = slixmpp.ClientXMPP(jid, password)
        stream.enable_plaintext, stream.enable_starttls, stream.enable_direct_tls = True, False, False
        mechanisms = stream.plugin["feature_mechanisms"]
        mechanisms.unencrypted_plain = mechanisms.unencrypted_scram = True
        return cls(stream, host, port, room, jid.partition("@")[0], hear)

    @classmethod
    def component(cls, jid: str, secret: str, host: str, port: int, room: str, hear: Hear) -> BareXmpp:
        """Return a component that speaks as `jid`."""
        stream = ComponentDoor(jid, secret, host, port)
        return cls(stream, host, port, room, jid.partition("@")[0], hear)

    async def start(self) -> None:
        """Log in, and enter the room."""
        self._stream.connect(*self._server)
        await self._stream.wait_until("session_start", _PATIENCE)
        muc = self._stream.plugin["xep_0045"]
        room, own = slixmpp.JID(self._room), self._stream.boundjid
        await muc.join_muc_wait(room, self._nickname, maxstanzas=0, timeout=_PATIENCE, presence_options={"pfrom": own})

    async def say(self, text: str) -> None:
        """Hand a text to the stream: the server is not asked whether it has it."""
        own = self._stream.boundjid
        self._stream.send_message(mto=slixmpp.JID(self._room), mbody=text, mtype="groupchat", mfrom=own)

    async def close(self) -> None:
        """End."""
        with suppress(asyncio.CancelledError):
            await self._stream.disconnect()

    def _on_message(self, message: slixmpp.Message) -> None:
        if message["mucnick"] != self._nickname:
            self._hear(str(message["body"]))


class ComponentDoor(slixmpp.ComponentXMPP):
    """A component that is one account: it speaks as `jid`, and not as its whole domain."""

    def __init__(self, jid: str, secret: str, host: str, port: int) -> None:
        super().__init__(jid.partition("@")[2], secret, host, port)  # type: ignore[no-untyped-call]
        self.boundjid = slixmpp.JID(f"{jid}/bare")


BareClient = BareMatrix | BareXmpp

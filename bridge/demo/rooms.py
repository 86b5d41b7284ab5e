"""The two rooms of the demonstration, made the way people make rooms: by a client, on servers as they are."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import aiohttp
import slixmpp

__all__ = ["MatrixPerson", "make_muc"]

_PATIENCE: Final = 20


class MatrixPerson:
    """Somebody with an ordinary Matrix client: logs in, makes a room, looks at what the server has."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url}/_matrix/client/v3"
        self._token = ""

    async def log_in(self, user: str, password: str) -> None:
        identifier = {"type": "m.id.user", "user": user}
        body = {"type": "m.login.password", "identifier": identifier, "password": password}
        answer = await self._call("POST", "/login", body)
        self._token = answer["access_token"]

    async def make_room(self, alias: str, invite: list[str]) -> str:
        body = {"room_alias_name": alias, "name": "Tea", "preset": "private_chat", "invite": invite}
        answer = await self._call("POST", "/createRoom", body)
        return str(answer["room_id"])

    async def newest(self, room_id: str, limit: int = 100) -> list[dict[str, Any]]:
        """Return the room's newest events, as the server hands them out to this person."""
        answer = await self._call("GET", f"/rooms/{room_id}/messages?dir=b&limit={limit}", None)
        return list(answer["chunk"])

    async def _call(self, method: str, path: str, body: object) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        async with self._session.request(method, self._url + path, json=body, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
            if response.status != 200:
                msg = f"{path}: {answer.get('error', response.status)}"
                raise RuntimeError(msg)
            return answer


async def make_muc(jid: str, password: str, host: str, port: int, room: str, members: list[str]) -> None:
    """Make a members-only, non-anonymous room, and put people on its list of members."""
    client = slixmpp.ClientXMPP(jid, password)
    client.enable_plaintext = True
    client.enable_starttls = False
    client.enable_direct_tls = False
    mechanisms = client.plugin["feature_mechanisms"]
    mechanisms.unencrypted_plain = mechanisms.unencrypted_scram = True
    for plugin in ("xep_0004", "xep_0045"):
        client.register_plugin(plugin)
    try:
        async with asyncio.timeout(_PATIENCE):
            client.connect(host, port)
            await client.wait_until("session_start")
            muc = client.plugin["xep_0045"]
            await muc.join_muc_wait(slixmpp.JID(room), jid.partition("@")[0])
            await muc.set_room_config(room, _settings(client))
            for member in members:
                await muc.set_affiliation(room, "member", jid=member)
    finally:
        await client.disconnect()


def _settings(client: slixmpp.ClientXMPP) -> Any:  # noqa: ANN401 - slixmpp's form
    """Return what a room needs: its members are known to each other, and nobody else gets in."""
    forms: Any = client.plugin["xep_0004"]
    form = forms.make_form(ftype="submit")
    form.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/muc#roomconfig")
    form.add_field(var="muc#roomconfig_roomname", value="Tea")
    form.add_field(var="muc#roomconfig_membersonly", value="1")
    form.add_field(var="muc#roomconfig_whois", value="anyone")
    form.add_field(var="muc#roomconfig_persistentroom", value="1")
    return form

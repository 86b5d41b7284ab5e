"""What `mls-bridge check` finds on real servers."""

from __future__ import annotations

import pytest

from bridge.servers import XmppServer
from tests.servers.proxy import Proxy
from tests.transports.xmpp.scene import Scene
from transports.errors import ForbiddenError, RoomNotFoundError
from transports.findings import Finding, Level
from transports.xmpp import check

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


async def test_a_room_that_is_right(scene: Scene) -> None:
    await scene.register("alice")
    room = await scene.room(members=["alice"])
    sizes: list[int] = []

    def probe(size: int) -> bytes:
        sizes.append(size)
        return bytes(size)

    found = await check(scene.login("alice"), room, probe=probe)
    assert {finding.subject: finding.level for finding in found} == {
        "room settings": Level.OK,
        "history": Level.OK,
        "envelope size": Level.OK,
        "speed": Level.OK,
        "order": Level.OK,
    }
    assert max(sizes) == 120_000
    assert _about(found, "envelope size").what.startswith("120000 bytes")


async def test_a_room_that_is_wrong_is_not_entered(scene: Scene) -> None:
    await scene.register("alice")
    room = await scene.room("tea", ["alice"], whois="moderators", membersonly="0")
    found = await check(scene.login("alice"), room)
    assert [finding.level for finding in found] == [Level.PROBLEM, Level.PROBLEM]
    assert "muc#roomconfig_membersonly" in found[0].advice
    assert "muc#roomconfig_whois" in found[1].advice
    assert not any("check-" in (stanza.get("from") or "") for stanza in scene.owner.heard)


async def test_a_room_that_is_not_there_or_not_for_us(scene: Scene) -> None:
    await scene.register("alice")
    with pytest.raises(RoomNotFoundError):
        await check(scene.login("alice"), scene.room_jid("nowhere"))
    room = await scene.room()
    with pytest.raises(ForbiddenError):
        await check(scene.login("alice"), room)


async def test_a_room_without_an_archive(scene: Scene) -> None:
    await scene.register("alice")
    room = await scene.room(members=["alice"])
    setting = {"Prosody": "muc#roomconfig_enablearchiving", "ejabberd": "mam"}[scene.server.software]
    await scene.configure(room, **{setting: "0"})
    found = await check(scene.login("alice"), room)
    assert {finding.level for finding in found if finding.subject == "history"} == {Level.WARNING}


async def test_an_archive_that_wants_a_body(scene: Scene) -> None:
    await scene.register("alice")
    room = await scene.room(members=["alice"])
    async with Proxy(scene.server.c2s_port) as proxy:
        hints = b'<store xmlns="urn:xmpp:hints" />', b'<encryption xmlns="urn:xmpp:eme:0"'
        proxy.upstream = lambda data: data.replace(hints[0], b"").replace(hints[1], b'<encryption xmlns="x"')
        found = await check(scene.login("alice", port=proxy.port), room)
    history = _about(found, "history")
    assert (history.level, "only messages with a text" in history.what) == (Level.WARNING, True)


@pytest.mark.parametrize("name", ["prosody_with_default_limits", "ejabberd_with_default_limits"])
async def test_a_server_that_slows_us_down(name: str, request: pytest.FixtureRequest) -> None:
    server: XmppServer = request.getfixturevalue(name)
    async with Scene(server) as scene:
        await scene.register("alice")
        room = await scene.room(members=["alice"])
        found = await check(scene.login("alice"), room)
    size, speed = _about(found, "envelope size"), _about(found, "speed")
    assert size.level is Level.WARNING
    assert "XEP-0114" in size.advice
    assert speed.subject == "speed"


def _about(found: list[Finding], subject: str) -> Finding:
    return next(finding for finding in found if finding.subject == subject)

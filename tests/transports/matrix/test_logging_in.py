"""Passwords, tokens and appservices; and what `check` measures for each."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from bridge.servers import Synapse, SynapseServer
from tests.servers.proxy import Proxy
from tests.transports.matrix.scene import PASSWORD, Seen, make_room, new_name, of_type, people, read, user_id
from transports.errors import LoginError, RateLimitedError
from transports.findings import Level
from transports.matrix import AppserviceLogin, Login, MatrixTransport, PasswordLogin, TokenLogin
from transports.matrix.checks import check_room
from transports.matrix.registration import registration
from transports.matrix.uris import room_id_of
from transports.room import EnvelopeSeen

pytestmark = pytest.mark.timeout(120)


def probe(size: int) -> bytes:
    return bytes(size)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "login",
    [
        PasswordLogin("nobody", "wrong"),
        TokenLogin("no token"),
        AppserviceLogin("no token", "@bot:localhost"),
        AppserviceLogin("no token", "bot"),
    ],
    ids=["password", "token", "appservice", "no user id"],
)
async def test_a_refused_login_says_so(synapse: SynapseServer, login: Login) -> None:
    transport = MatrixTransport(synapse.url, login)
    with pytest.raises(LoginError):
        await transport.start()
    with pytest.raises(RuntimeError):
        _ = transport.account
    await transport.close()


@pytest.mark.asyncio
async def test_a_homeserver_is_reached_by_its_ipv6_address(synapse: SynapseServer) -> None:
    port = urlsplit(synapse.url).port
    assert port is not None
    async with people(synapse) as (alice,), Proxy(port, host="::1") as proxy:
        token = alice.homeserver.access_token
        assert token is not None
        again = MatrixTransport(f"http://[::1]:{proxy.port}", TokenLogin(token))
        await again.start()
        assert again.account == alice.account
        assert proxy.connections
        await again.close()


@pytest.mark.asyncio
async def test_an_access_token_logs_in_and_no_secret_shows(synapse: SynapseServer) -> None:
    async with people(synapse) as (alice,):
        token = alice.homeserver.access_token
        assert token is not None
        again = MatrixTransport(synapse.url, TokenLogin(token))
        await again.start()
        assert again.account == alice.account
        await again.close()
        shown = f"{TokenLogin(token)} {PasswordLogin('alice', PASSWORD)} {AppserviceLogin(token, '@a:b')}"
        assert token not in shown
        assert PASSWORD not in shown


@pytest.mark.asyncio
async def test_default_limits_stop_a_plain_account_and_not_an_appservice(
    synapse_installation: Synapse, tmp_path: Path
) -> None:
    settings = registration(localpart="bot", server_name="localhost")
    file = tmp_path / "registration.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with synapse_installation.start(tmp_path / "synapse", rate_limits=True, appservices=[file]) as server:
        bot = MatrixTransport(server.url, AppserviceLogin(str(settings["as_token"]), "@bot:localhost"))
        await bot.start()
        await bot.start()  # the user exists by now
        assert bot.account == "matrix:u/bot:localhost"
        async with people(server) as (alice,):
            room = await make_room(alice, bot)
            for number in range(30):
                await bot.publish(room, b"x", transaction=f"bot-{number}")
            await bot.publish(room, b"x", transaction="bot-0")

            async def post_many() -> None:
                for number in range(20):
                    await alice.publish(room, b"x", transaction=f"alice-{number}")

            with pytest.raises(RateLimitedError) as limited:
                await post_many()
            assert limited.value.after is not None
            assert 0 < limited.value.after < 10
            seen = of_type((await read(bot, Seen())).events, EnvelopeSeen)
            assert [event.transaction for event in seen if event.origin.sender == bot.account] == [
                f"bot-{number}" for number in range(30)
            ]
            of_alice = {finding.subject: finding for finding in await check_room(alice, room, probe)}
            assert of_alice["rate"].level is Level.WARNING
            assert "appservice" in of_alice["rate"].advice
            of_bot = {finding.subject: finding for finding in await check_room(bot, room, probe)}
            assert of_bot["rate"].level is Level.OK
        outside = MatrixTransport(server.url, AppserviceLogin(str(settings["as_token"]), "@alice:localhost"))
        with pytest.raises(LoginError, match="M_EXCLUSIVE"):
            await outside.start()
        for transport in (bot, outside):
            await transport.close()


@pytest.mark.asyncio
async def test_a_good_room_is_found_good(synapse: SynapseServer) -> None:
    async with people(synapse, synapse) as (alice, bob):
        room = await make_room(alice, bob)
        findings = await check_room(alice, room, probe)
        assert [(finding.subject, finding.level) for finding in findings] == [
            (subject, Level.OK)
            for subject in ("room", "room version", "power level", "history", "order", "envelope size", "rate")
        ]
        assert findings[4].what == "2 members on 1 homeserver"
        assert findings[5].what.startswith("45000 bytes pass")


@pytest.mark.asyncio
async def test_what_is_wrong_with_a_room_is_found_with_advice(synapse: SynapseServer) -> None:
    hidden = {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}}
    async with people(synapse, synapse) as (alice, bob):
        options = {"initial_state": [hidden], "power_level_content_override": {"events_default": 50}}
        room = await make_room(alice, bob, **options)
        findings = {finding.subject: finding for finding in await check_room(bob, room, probe)}
        assert findings["power level"].level is Level.PROBLEM
        assert "50" in findings["power level"].advice
        assert findings["history"].level is Level.WARNING
        assert "`shared`" in findings["history"].advice
        assert findings["envelope size"].level is Level.PROBLEM
        await alice.homeserver.post("rooms", room_id_of(room), "kick", body={"user_id": user_id(bob)})
        (finding,) = await check_room(bob, room, probe)
        assert finding.level is Level.PROBLEM


def test_a_registration_makes_a_user_that_may_read() -> None:
    settings = registration(localpart="mls.bot", server_name="a.org", as_token="a", hs_token="h")
    assert settings["sender_localpart"] != "mls.bot"
    assert settings["url"] is None
    assert settings["rate_limited"] is False
    assert settings["namespaces"] == {
        "users": [{"exclusive": True, "regex": r"@mls\.bot:a\.org"}],
        "aliases": [],
        "rooms": [],
    }
    other = registration(localpart="bot", server_name="a.org")
    assert len({str(other[key]) for key in ("as_token", "hs_token")} - {"a", "h"}) == 2
    for name in ("", "Bot", "b t", "b:t", "x" * 200):
        with pytest.raises(ValueError, match="user's name"):
            registration(localpart=name, server_name="a.org")


@pytest.mark.asyncio
async def test_a_password_login_is_told_to_the_caller(synapse: SynapseServer) -> None:
    name = new_name("alice")
    await asyncio.to_thread(synapse.register, name, PASSWORD)
    told: list[str] = []
    transport = MatrixTransport(
        synapse.url,
        PasswordLogin(name, PASSWORD),
        on_session=lambda session: told.append(session.user_id),
    )
    await transport.start()
    await transport.close()
    assert told == [f"@{name}:{synapse.name}"]

"""Getting in: as a client over TLS, as a component, and not at all where that would not be safe."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.servers import Authority, Certificate, Ejabberd, Prosody, XmppServer, XmppSoftware
from tests.servers.proxy import Proxy
from tests.transports.xmpp.scene import PACE, PASSWORD, Scene
from transports.errors import ConnectionLostError, LoginError, PermanentError, TransportError, UntrustedServerError
from transports.room import Account, EnvelopeSeen, RoomAddress
from transports.xmpp import ClientLogin, ComponentLogin, Tls, XmppTransport

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

NOW = datetime.now(UTC)


@pytest.fixture(params=["prosody_installation", "ejabberd_installation"])
def software(request: pytest.FixtureRequest) -> XmppSoftware:
    found: XmppSoftware = request.getfixturevalue(request.param)
    assert isinstance(found, Prosody | Ejabberd)
    return found


async def test_a_server_is_trusted_by_its_certificate_alone(software: XmppSoftware, tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    right = authority.issue("localhost")
    async with _serving(software, tmp_path / "server", right) as server:
        login = ClientLogin(
            "alice@localhost", PASSWORD, host="127.0.0.1", port=server.c2s_port, ca_file=authority.certificate
        )
        transport = XmppTransport(login, pace=PACE)
        await transport.start()
        assert transport.account == "xmpp:alice@localhost"
        await transport.close()
        for ca_file in (None, stranger.certificate):
            with pytest.raises(UntrustedServerError, match="signed by"):
                await _start(ClientLogin("alice@localhost", PASSWORD, login.host, login.port, ca_file=ca_file))
        with pytest.raises(LoginError, match="password"):
            await _start(ClientLogin("alice@localhost", "wrong", login.host, login.port, ca_file=authority.certificate))
        # TLS from the first byte on, where the server waits for a stream: no connection, and nothing sent in clear.
        with pytest.raises(ConnectionLostError):
            await _start(
                ClientLogin("alice@localhost", PASSWORD, login.host, login.port, Tls.DIRECT, authority.certificate)
            )


@pytest.mark.parametrize(
    "name, days, said",
    [("other.example", 1, "another name"), ("localhost", -1, "expired")],
    ids=["wrong name", "expired"],
)
async def test_a_certificate_that_is_not_right_is_named(
    software: XmppSoftware, tmp_path: Path, name: str, days: int, said: str
) -> None:
    authority = Authority(tmp_path / "ours")
    wrong = authority.issue(name, not_before=NOW - timedelta(days=30), not_after=NOW + timedelta(days=days))
    async with _serving(software, tmp_path / "server", wrong) as server:
        with pytest.raises(UntrustedServerError, match=said):
            await _start(
                ClientLogin("alice@localhost", PASSWORD, "127.0.0.1", server.c2s_port, ca_file=authority.certificate)
            )


async def test_whoever_takes_encryption_out_of_the_offer_gets_no_password(
    prosody_installation: Prosody, tmp_path: Path
) -> None:
    """A server that encrypts, and somebody in between who hides that it can."""
    authority = Authority(tmp_path / "ours")
    async with _serving(prosody_installation, tmp_path / "server", authority.issue("localhost")) as server:
        sent = bytearray()
        async with Proxy(server.c2s_port) as proxy:

            def spy(data: bytes) -> bytes:
                sent.extend(data)
                return data

            proxy.upstream = spy
            proxy.downstream = lambda data: data.replace(b"params:xml:ns:xmpp-tls", b"nothing").replace(
                b"</stream:features>",
                b"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
                b"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>",
            )
            with pytest.raises(UntrustedServerError, match="does not offer TLS"):
                await _start(ClientLogin("alice@localhost", PASSWORD, "127.0.0.1", proxy.port))
        assert b"<auth" not in sent


async def test_whoever_lets_us_in_unasked_and_in_clear_is_not_the_server() -> None:
    """A stream that offers nothing but to begin."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b">")
        writer.write(
            b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
            b"<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>"
        )
        asked = await reader.readuntil(b"</iq>")
        identifier = asked.partition(b'id="')[2].partition(b'"')[0]
        writer.write(
            b"<iq type='result' id='" + identifier + b"'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            b"<jid>alice@localhost/x</jid></bind></iq>"
        )
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as impostor:
        port = impostor.sockets[0].getsockname()[1]
        with pytest.raises(UntrustedServerError, match="does not encrypt"):
            await _start(ClientLogin("alice@localhost", PASSWORD, "127.0.0.1", port))


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org", "localhost", "", None, "::", "127.0.0.1.nip.io"])
async def test_nothing_goes_in_clear_over_a_network(host: str | None) -> None:
    with pytest.raises(PermanentError, match="not encrypted"):
        await _start(ClientLogin("alice@example.org", PASSWORD, host=host, port=5222, tls=Tls.NONE))
    with pytest.raises(PermanentError, match="not encrypted"):
        await _start(ComponentLogin("bridge.example.org", "secret", host=host or "", port=5347))


async def test_what_cannot_be_a_login_is_said_to_be_none(tmp_path: Path) -> None:
    for jid in ("", "@", "a b@example.org", "x" * 4000, "alice@"):
        with pytest.raises(PermanentError, match="is no JID"):
            XmppTransport(ClientLogin(jid, PASSWORD))
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    for ca_file in (broken, tmp_path / "missing.pem"):
        with pytest.raises(PermanentError, match="CA file"):
            await _start(ClientLogin("alice@localhost", PASSWORD, "127.0.0.1", 1, ca_file=ca_file))


async def test_no_server_no_connection(unused_tcp_port: int) -> None:
    for login in (
        ClientLogin("alice@localhost", PASSWORD, "127.0.0.1", unused_tcp_port),
        ComponentLogin("bridge.localhost", "secret", port=unused_tcp_port),
    ):
        with pytest.raises(ConnectionLostError, match="no connection"):
            await _start(login)


async def test_a_wrong_password_is_not_tried_again(scene: Scene) -> None:
    await scene.register("alice")
    with pytest.raises(LoginError, match="password"):
        await _start(scene.login("alice", password="wrong"))
    with pytest.raises(LoginError):
        await _start(scene.login("nobody"))


async def test_a_password_that_is_changed_ends_the_batches(scene: Scene) -> None:
    await scene.register("alice")
    room = await scene.room(members=["alice"])
    async with Proxy(scene.server.c2s_port) as proxy:
        alice = await scene.transport("alice", port=proxy.port)
        await alice.join(room)
        heard = scene.listen(alice)
        await heard.live()
        alice._login = scene.login("alice", port=proxy.port, password="not any more")
        proxy.cut()
        assert isinstance(await heard.failure(), LoginError)


async def test_a_component_talks_and_catches_up(scene: Scene) -> None:
    await scene.register("alice")
    relay = f"relay-{scene.jid('x').partition('@')[0]}@bridge.localhost"
    room = await scene.room(members=["alice", relay])
    alice, component = await scene.transport("alice"), await scene.component(relay)
    joined = await alice.join(room)
    await component.join(room)
    assert component.account == f"xmpp:{relay}"
    heard, own = scene.listen(component), scene.listen(alice)
    await component.publish(joined.address, b"from the component", transaction="c1")
    await alice.publish(joined.address, b"x" * 120_000, transaction="a1")
    await heard.hear(2)
    await own.hear(2)
    assert [(each.origin.sender, each.transaction) for each in own.of(EnvelopeSeen)] == [
        (component.account, None),
        (alice.account, "a1"),
    ]
    assert [each.transaction for each in heard.of(EnvelopeSeen)] == ["c1", None]
    assert Account(f"xmpp:{relay}") in {member.account for member in await component.members(joined.address)}
    await heard.live()
    await heard.stop()
    await component.close()
    for number in range(120):
        await alice.publish(joined.address, b"%d" % number, transaction=f"t{number}")
    again = await scene.component(relay)
    await again.join(room)
    later = scene.listen(again, heard.cursor)
    await later.hear(120)
    await later.live()
    assert later.envelopes == [b"%d" % number for number in range(120)]
    # Longer than the pause after which a silent connection is asked.
    await asyncio.sleep(2.5)
    await again.publish(joined.address, b"still here", transaction="c2")
    assert again._connection is not None
    assert again._connection.is_open


async def test_a_component_with_a_wrong_secret_is_refused(server: XmppServer) -> None:
    with pytest.raises(LoginError, match="secret"):
        await _start(ComponentLogin("bridge.localhost", "wrong", port=server.component_port))


async def test_nothing_stays_behind(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """No task, no socket, no timer; and of what was said, no word in a log."""
    await scene.register("alice")
    room = await scene.room(members=["alice"])
    before = asyncio.all_tasks()
    caplog.set_level(logging.DEBUG)
    async with Proxy(scene.server.c2s_port) as proxy:
        alice = XmppTransport(scene.login("alice", port=proxy.port), pace=PACE)
        await alice.start()
        joined = await alice.join(room)
        heard = scene.listen(alice)
        await alice.publish(joined.address, b"said once", transaction="t1", fallback="canary")
        await heard.hear(1)
        proxy.cut()
        await heard.live()
        waiting = asyncio.create_task(_publish_until_closed(alice, joined.address))
        await asyncio.sleep(0.1)
        await alice.close()
        await alice.close()
        with pytest.raises(TransportError):
            await waiting
        await asyncio.wait({heard._task}, timeout=5)
        assert heard._task.done()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    gc.collect()  # a transport that was not closed says so now, and warnings are errors
    assert "canary" not in caplog.text
    assert PASSWORD not in caplog.text


@contextlib.asynccontextmanager
async def _serving(software: XmppSoftware, folder: Path, certificate: Certificate) -> AsyncIterator[XmppServer]:
    server = await asyncio.to_thread(lambda: software.start(folder, tls=certificate))
    try:
        await asyncio.to_thread(server.register, "alice", PASSWORD)
        yield server
    finally:
        await asyncio.to_thread(server.close)


async def _start(login: ClientLogin | ComponentLogin) -> None:
    transport = XmppTransport(login, pace=PACE)
    try:
        await transport.start()
    finally:
        await transport.close()


async def _publish_until_closed(transport: XmppTransport, room: RoomAddress) -> None:
    while True:
        await transport.publish(room, b"more", transaction="more")

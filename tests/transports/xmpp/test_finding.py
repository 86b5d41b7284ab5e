"""How a server is found: by the DNS (RFC 6120, section 3.2.1; XEP-0368), and at an IPv6 address; TLS from the start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiodns
import pytest
from slixmpp.xmlstream import xmlstream

from bridge.servers import Ejabberd, Prosody, XmppServer, XmppSoftware
from bridge.servers.certificates import Authority
from tests.servers.proxy import Proxy
from tests.transports.xmpp.dns import NameServer
from tests.transports.xmpp.scene import PACE, PASSWORD, Scene
from transports.errors import ConnectionLostError, UntrustedServerError
from transports.xmpp import ClientLogin, ComponentLogin, Tls, XmppTransport

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

DOMAIN = "chat.example"
NODE = "node7.hoster.example"
CLIENTS, DIRECT = f"_xmpp-client._tcp.{DOMAIN}", f"_xmpps-client._tcp.{DOMAIN}"


@pytest.fixture(params=["prosody_installation", "ejabberd_installation"])
def software(request: pytest.FixtureRequest) -> XmppSoftware:
    """Prosody, and then ejabberd."""
    found: XmppSoftware = request.getfixturevalue(request.param)
    assert isinstance(found, Prosody | Ejabberd)
    return found


async def test_a_server_is_found_by_its_domain(
    software: XmppSoftware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs elsewhere than its domain says, and its certificate is for the domain."""
    authority = Authority(tmp_path / "authority")
    async with _serving(software, tmp_path / "server", authority) as server:
        assert server.direct_tls_port is not None
        hosts = {NODE: "127.0.0.1"}
        ways = [
            {CLIENTS: [(server.c2s_port, NODE)]},
            {DIRECT: [(server.direct_tls_port, NODE)]},
            # The first that is named does not answer.
            {DIRECT: [(1, NODE)], CLIENTS: [(server.c2s_port, NODE)]},
        ]
        for services in ways:
            async with _asking(NameServer(services, hosts), monkeypatch) as names:
                await _log_in(ClientLogin(f"alice@{DOMAIN}", PASSWORD, ca_file=authority.certificate))
                assert {CLIENTS, DIRECT} <= set(names.asked)


async def test_whoever_the_dns_names_needs_the_certificate_of_the_domain(
    prosody_installation: Prosody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The DNS can lie: a certificate for the host that it names proves nothing."""
    authority = Authority(tmp_path / "authority")
    async with _serving(prosody_installation, tmp_path / "server", authority, certified=NODE) as server:
        assert server.direct_tls_port is not None
        for service, port in ((CLIENTS, server.c2s_port), (DIRECT, server.direct_tls_port)):
            async with _asking(NameServer({service: [(port, NODE)]}, {NODE: "127.0.0.1"}), monkeypatch):
                with pytest.raises(UntrustedServerError, match="another name"):
                    await _log_in(ClientLogin(f"alice@{DOMAIN}", PASSWORD, ca_file=authority.certificate))


async def test_a_domain_that_nobody_serves_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _asking(NameServer({}, {}), monkeypatch):
        with pytest.raises(ConnectionLostError):
            await _log_in(ClientLogin(f"alice@{DOMAIN}", PASSWORD))


async def test_encrypted_from_the_first_byte_on(software: XmppSoftware, tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path / "authority"), Authority(tmp_path / "stranger")
    async with _serving(software, tmp_path / "server", authority) as server:
        port = server.direct_tls_port
        jid = f"alice@{DOMAIN}"
        await _log_in(ClientLogin(jid, PASSWORD, "127.0.0.1", port, Tls.DIRECT, authority.certificate))
        with pytest.raises(UntrustedServerError, match="signed by"):
            await _log_in(ClientLogin(jid, PASSWORD, "127.0.0.1", port, Tls.DIRECT, stranger.certificate))


@pytest.mark.parametrize("host", ["::1", "[::1]"])
async def test_at_an_ipv6_address(scene: Scene, host: str) -> None:
    await scene.register("alice")
    jid = scene.jid("alice")
    async with Proxy(scene.server.c2s_port, host="::1") as proxy:
        await _log_in(ClientLogin(jid, PASSWORD, host, proxy.port, Tls.NONE))
    domain, secret = next(iter(scene.server.components.items()))
    async with Proxy(scene.server.component_port, host="::1") as proxy:
        await _log_in(ComponentLogin(domain, secret, host, proxy.port))


async def test_an_ipv6_address_from_the_dns_encrypted(
    software: XmppSoftware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path / "authority")
    async with (
        _serving(software, tmp_path / "server", authority) as server,
        Proxy(server.c2s_port, host="::1") as proxy,
        _asking(NameServer({CLIENTS: [(proxy.port, NODE)]}, {NODE: "::1"}), monkeypatch),
    ):
        await _log_in(ClientLogin(f"alice@{DOMAIN}", PASSWORD, ca_file=authority.certificate))
        assert proxy.connections == 1


@contextlib.asynccontextmanager
async def _asking(names: NameServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NameServer]:
    """Let slixmpp ask this name server in place of the system's."""
    async with names:
        loop = asyncio.get_running_loop()
        resolver = aiodns.DNSResolver(["127.0.0.1"], loop=loop, udp_port=names.port, tries=1, timeout=2.0)
        with monkeypatch.context() as changed:
            changed.setattr(xmlstream, "default_resolver", lambda **_: resolver)
            try:
                yield names
            finally:
                await resolver.close()


@contextlib.asynccontextmanager
async def _serving(
    software: XmppSoftware, folder: Path, authority: Authority, *, certified: str = DOMAIN
) -> AsyncIterator[XmppServer]:
    certificate = authority.issue(certified)
    server = await asyncio.to_thread(lambda: software.start(folder, domain=DOMAIN, tls=certificate))
    try:
        await asyncio.to_thread(server.register, "alice", PASSWORD)
        yield server
    finally:
        await asyncio.to_thread(server.close)


async def _log_in(login: ClientLogin | ComponentLogin) -> None:
    transport = XmppTransport(login, pace=PACE)
    try:
        await transport.start()
    finally:
        await transport.close()

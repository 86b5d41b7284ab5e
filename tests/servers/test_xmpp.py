"""Prosody and ejabberd, as the tests and the demonstration start them."""

from __future__ import annotations

import ssl
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.servers import Authority, ServerRefusedError, XmppServer, XmppSoftware
from tests.servers.fixtures import COMPONENTS
from tests.servers.streams import Stream, component, log_in, open_stream

pytestmark = pytest.mark.timeout(120)

PASSWORD = "correct horse"


@pytest.fixture(params=["prosody", "ejabberd"])
def server(request: pytest.FixtureRequest) -> XmppServer:
    running = request.getfixturevalue(request.param)
    assert isinstance(running, XmppServer)
    return running


@pytest.fixture(params=["prosody", "ejabberd"])
def installation(request: pytest.FixtureRequest) -> XmppSoftware:
    installed = request.getfixturevalue(f"{request.param}_installation")
    assert isinstance(installed, XmppSoftware)
    return installed


def newcomer(server: XmppServer) -> tuple[str, Stream]:
    user = f"user-{uuid.uuid4().hex[:8]}"
    assert server.register(user, PASSWORD) == f"{user}@{server.domain}"
    return user, log_in(server, user, PASSWORD)


def test_people_register_and_log_in(server: XmppServer) -> None:
    _, stream = newcomer(server)
    with stream:
        stream.send(f"<iq type='get' id='1' to='{server.domain}'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert "result" in stream.read("<iq [^>]*id='1'[^>]*>")[0]


def test_a_name_that_is_taken_is_refused(server: XmppServer) -> None:
    user = f"user-{uuid.uuid4().hex[:8]}"
    server.register(user, PASSWORD)
    with pytest.raises(ServerRefusedError, match=rf"does not make the account '{user}' .*(exists|registered)"):
        server.register(user, "another password")
    log_in(server, user, PASSWORD).__exit__(None, None, None)


def test_a_wrong_password_is_refused(server: XmppServer) -> None:
    server.register(user := f"user-{uuid.uuid4().hex[:8]}", PASSWORD)
    with pytest.raises(ConnectionRefusedError):
        log_in(server, user, "wrong")


def test_components_log_in_with_their_secrets(server: XmppServer) -> None:
    for domain, secret in COMPONENTS.items():
        with component(server, domain, secret) as stream:
            stream.read("<handshake ?/>|<handshake></handshake>")
    with component(server, "bridge.localhost", "a guess") as stream:
        stream.read("not-authorized")


@pytest.mark.parametrize("interruption", ["restart", "kill"])
def test_it_comes_back_with_its_rooms_and_their_archive(server: XmppServer, interruption: str) -> None:
    user, stream = newcomer(server)
    text = f"text {uuid.uuid4()}"
    with stream:
        room = enter(server, stream)
        say(stream, room, text)
    ports, pid = (server.c2s_port, server.component_port), server.pid
    if interruption == "restart":
        server.restart()
    else:
        server.kill()
        with pytest.raises(OSError, match="refused"):
            open_stream(server)
        server.resume()
    assert (server.c2s_port, server.component_port) == ports
    assert server.pid not in {None, pid}
    with log_in(server, user, PASSWORD) as stream:
        stream.send(f"<iq type='set' id='q' to='{room}'><query xmlns='urn:xmpp:mam:2'/></iq>")
        assert text in stream.read(r"(?s)<result .*<fin .*</iq>")[0]


def test_what_it_stores_can_be_searched(server: XmppServer) -> None:
    _, stream = newcomer(server)
    canary = f"canary {uuid.uuid4()}"
    with stream:
        say(stream, enter(server, stream), canary)
    server.stop()
    try:
        assert any(canary.encode() in path.read_bytes() for path in server.database_files())
        assert canary.encode() not in server.log.read_bytes()
        assert PASSWORD.encode() not in server.log.read_bytes()
    finally:
        server.resume()


@pytest.mark.parametrize("name", ["prosody", "ejabberd"])
def test_limits_slow_clients_down_if_wanted(request: pytest.FixtureRequest, name: str) -> None:
    fast, slow = (
        seconds_for_36_kb(request.getfixturevalue(fixture)) for fixture in (name, f"{name}_with_default_limits")
    )
    assert slow > 1
    assert fast < slow / 2


def test_without_tls_none_is_offered(server: XmppServer) -> None:
    stream, features = open_stream(server)
    with stream:
        assert "<starttls" not in features
        assert ">PLAIN<" in features


def test_with_tls_clients_must_encrypt_and_can_verify(installation: XmppSoftware, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    with installation.start(tmp_path / "server", tls=authority.issue("localhost")) as server:
        stream, features = open_stream(server)
        with stream:
            assert "<starttls" in features
            assert ">PLAIN<" not in features
            stream.encrypt(ssl.create_default_context(cafile=authority.certificate), "localhost")
            stream.restart("localhost")
            assert ">PLAIN<" in stream.read("(?s)<stream:features>.*</stream:features>")[0]


@pytest.mark.parametrize(
    "wrong, complaint",
    [
        ("name", "Hostname mismatch"),
        ("date", "certificate has expired"),
        ("authority", "unable to get local issuer certificate"),
    ],
)
def test_a_certificate_that_is_wrong_is_noticed(
    prosody_installation: XmppSoftware, tmp_path: Path, wrong: str, complaint: str
) -> None:
    authority, other = Authority(tmp_path / "authority"), Authority(tmp_path / "other", "another authority")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    match wrong:
        case "name":
            certificate = authority.issue("other.example")
        case "date":
            certificate = authority.issue("localhost", not_before=yesterday - timedelta(days=1), not_after=yesterday)
        case _:
            certificate = other.issue("localhost")
    with prosody_installation.start(tmp_path / "server", tls=certificate) as server:
        stream, _ = open_stream(server)
        with stream, pytest.raises(ssl.SSLCertVerificationError, match=complaint):
            stream.encrypt(ssl.create_default_context(cafile=authority.certificate), "localhost")


def enter(server: XmppServer, stream: Stream) -> str:
    """Make a room that stays, and return its JID."""
    room = f"room-{uuid.uuid4().hex[:8]}@{server.muc_domain}"
    stream.send(f"<presence to='{room}/me'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    stream.read("status code=['\"]110['\"]")
    field = "<field var='{}'><value>{}</value></field>"
    form = field.format("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig")
    form += field.format("muc#roomconfig_persistentroom", "1")
    stream.send(
        f"<iq type='set' id='own' to='{room}'><query xmlns='http://jabber.org/protocol/muc#owner'>"
        f"<x xmlns='jabber:x:data' type='submit'>{form}</x></query></iq>"
    )
    assert "result" in stream.read("<iq [^>]*id='own'[^>]*>")[0]
    return room


def say(stream: Stream, room: str, text: str) -> None:
    """Say something in a room, and wait until it is reflected."""
    stream.send(f"<message type='groupchat' to='{room}' id='{uuid.uuid4()}'><body>{text}</body></message>")
    stream.read(f"<body>{text}</body>")


def seconds_for_36_kb(server: XmppServer) -> float:
    """Return how long a message to oneself takes."""
    user, stream = newcomer(server)
    with stream:
        start = time.monotonic()
        to = f"{user}@{server.domain}"
        stream.send(f"<message type='chat' to='{to}'><body>{'x' * 36_000}</body></message>")
        stream.read("x</body>")
        return time.monotonic() - start

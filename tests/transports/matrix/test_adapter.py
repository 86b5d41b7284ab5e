"""A homeserver that is no homeserver: what it may answer, and whom we do not talk to at all."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from bridge.servers.certificates import Authority
from tests.transports.matrix.serving import serving
from transports.errors import (
    ConnectionLostError,
    ForbiddenError,
    LoginError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    RoomNotFoundError,
    TooLargeError,
    TransportError,
    UntrustedServerError,
)
from transports.matrix import MatrixTransport, TokenLogin, adapter
from transports.matrix.adapter import Homeserver
from transports.matrix.refusals import RefusedError

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


@pytest.mark.parametrize(
    "status,body,expected",
    [
        (200, "[]", RetryableError),
        (200, "no JSON", RetryableError),
        (200, "[" * 100_000, RetryableError),
        (200, '{"a": ' + "1" * 5000 + "}", RetryableError),
        (200, "\xff", RetryableError),
        (502, "<html>", RetryableError),
        (503, "{}", RetryableError),
        (401, "{}", LoginError),
        (403, '{"errcode": "M_USER_DEACTIVATED"}', LoginError),
        (403, '{"errcode": ["M_FORBIDDEN"], "error": 5}', ForbiddenError),
        (404, "{}", RoomNotFoundError),
        (404, '{"errcode": "M_UNRECOGNIZED"}', RefusedError),
        (400, '{"errcode": "M_TOO_LARGE"}', TooLargeError),
        (413, "", TooLargeError),
        (429, "", RateLimitedError),
        (429, '{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": -1}', RateLimitedError),
        (400, '{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 1e400}', RateLimitedError),
        (418, '{"error": "\\u001b[31m"}', RefusedError),
        (400, '{"errcode": "M_FORBIDDEN"}', ForbiddenError),
        (403, '{"errcode": "M_NOT_FOUND"}', RoomNotFoundError),
        (502, '{"errcode": "M_FORBIDDEN"}', RetryableError),
    ],
)
async def test_every_answer_becomes_an_error_of_ours(status: int, body: str, expected: type[TransportError]) -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, body=body.encode("latin-1"))

    async with serving(answer) as url:
        server = Homeserver(url)
        with pytest.raises(TransportError) as raised:
            await server.get("sync")
        await server.close()
        assert type(raised.value) is expected
        assert str(raised.value).isprintable()
        if isinstance(raised.value, RateLimitedError):
            assert raised.value.after == 1.0


async def test_an_answer_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_MAX_ANSWER", 1024 * 1024)

    async def flood(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(65_536))

    async with serving(flood) as url:
        server = Homeserver(url)
        with pytest.raises(PermanentError, match="more than 1 MB"):
            await server.get("sync")
        await server.close()


async def test_a_server_that_is_silent_or_hangs_up_is_a_lost_connection() -> None:
    async def hang_up(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with serving(hang_up) as url:
        server = Homeserver(url)
        with pytest.raises(ConnectionLostError):
            await server.get("sync")
        with pytest.raises(ConnectionLostError, match="no answer"):
            await server.get("sync", patience=0.0)
        await server.close()


async def test_an_answer_that_names_nobody_is_no_login() -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.json_response({"user_id": "nobody"})

    async with serving(answer) as url:
        transport = MatrixTransport(url, TokenLogin("token"))
        with pytest.raises(LoginError):
            await transport.start()
        await transport.close()


@pytest.mark.parametrize(
    "fault,reason",
    [(None, None), ("name", "mismatch"), ("expired", "expired"), ("authority", "unable to get local issuer")],
)
async def test_only_a_trusted_server_is_talked_to(tmp_path: Path, fault: str | None, reason: str | None) -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.json_response({"trusted": True})

    authority = Authority(tmp_path / "trusted")
    signing = Authority(tmp_path / "other") if fault == "authority" else authority
    now = datetime.now(UTC)
    if fault == "expired":
        issued = signing.issue("localhost", not_before=now - timedelta(days=2), not_after=now - timedelta(days=1))
    else:
        issued = signing.issue("other.example" if fault == "name" else "localhost")
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(issued.certificate, issued.key)
    async with serving(answer, theirs) as url:
        server = Homeserver(url, tls=ssl.create_default_context(cafile=str(authority.certificate)))
        if reason is None:
            assert await server.get("versions") == {"trusted": True}
        else:
            with pytest.raises(UntrustedServerError, match=reason):
                await server.get("versions")
        await server.close()
        unknown = Homeserver(url)  # by the system's authorities
        with pytest.raises(UntrustedServerError):
            await unknown.get("versions")
        await unknown.close()


@pytest.mark.parametrize(
    "url,expected",
    [
        ("http://matrix.example.org", UntrustedServerError),
        ("matrix.example.org", PermanentError),
        ("ftp://matrix.example.org", PermanentError),
        ("https://", PermanentError),
        ("https://user:password@matrix.example.org", PermanentError),
        ("https://matrix.example.org:port", PermanentError),
        ("https://[::1", PermanentError),
        ("", PermanentError),
    ],
)
async def test_an_address_that_is_none_is_refused(url: str, expected: type[PermanentError]) -> None:
    with pytest.raises(expected) as raised:
        MatrixTransport(url, TokenLogin("token"))
    assert "password@" not in str(raised.value)


async def test_halves_of_characters_are_replaced_wherever_they_stand() -> None:
    body = r'{"\ud800": ["a\udfffb", {"next": "\ud83d\ude00 \uDBFF\uD800", "n": 1.5}], "plain": "\\ud800"}'

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=body.encode())

    async with serving(answer) as url:
        server = Homeserver(url)
        try:
            answered = await server.get("sync")
        finally:
            await server.close()
    assert answered == {
        "\ufffd": ["a\ufffdb", {"next": "\U0001f600 \ufffd\ufffd", "n": 1.5}],
        "plain": "\\ud800",
    }

"""One homeserver, through matrix-nio: typed calls, typed answers, typed errors.

nio carries the requests (`AsyncClient.send`): connections, TLS, keep-alive. Its calls above that are not used, for
these reasons, each seen in nio 0.26:

- They repeat a request that met a rate limit or a lost connection, without limit. Here the caller decides.
- They read answers into objects, with a JSON schema check for each event, and keep all rooms and members in memory. One
  event of an unexpected shape can raise from within `sync`, and `sync` would never get past it again.
- They move the sync token before anybody has seen the events, and write whole answers into the debug log.
- They do not know room version 12.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from nio import AsyncClient, AsyncClientConfig  # type: ignore[import-untyped]  # nio has no types

from transports.errors import ConnectionLostError, PermanentError, UntrustedServerError
from transports.matrix.refusals import refusal

__all__ = ["Homeserver", "JsonObject", "Query"]

JsonObject: TypeAlias = Mapping[str, object]
Query: TypeAlias = Mapping[str, str | tuple[str, ...]]

_TIMEOUT: Final = 60.0
_MAX_ANSWER: Final = 64 * 1024 * 1024
_CHUNK: Final = 256 * 1024

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Homeserver:
    """The client-server API of one homeserver, for one account.

    `url` is its base, as in `https://matrix.example.org`. `tls` replaces the system's certificate authorities. With
    `acting_as`, an appservice's token speaks for that user.
    """

    def __init__(self, url: str, *, tls: ssl.SSLContext | None = None, acting_as: str | None = None) -> None:
        self._url = _checked_url(url)
        self.name = urlsplit(self._url).netloc
        """Host and port, for people."""
        self.access_token: str | None = None
        self._acting_as = acting_as
        self._is_closed = False
        config = AsyncClientConfig(store=None, encryption_enabled=False, request_timeout=_TIMEOUT)
        self._client = AsyncClient(self._url, config=config, ssl=_ssl(tls))

    async def get(
        self, *path: str, query: Query | None = None, where: str | None = None, patience: float = _TIMEOUT
    ) -> JsonObject:
        """Fetch. Raises `TransportError`; `where` stands in it, and is the server's name otherwise."""
        return await self._call("GET", path, query or {}, None, where or self.name, patience)

    async def post(
        self, *path: str, body: JsonObject, query: Query | None = None, where: str | None = None
    ) -> JsonObject:
        """Call. Raises `TransportError`."""
        return await self._call("POST", path, query or {}, body, where or self.name, _TIMEOUT)

    async def put(self, *path: str, body: JsonObject, where: str | None = None) -> JsonObject:
        """Store. Raises `TransportError`."""
        return await self._call("PUT", path, {}, body, where or self.name, _TIMEOUT)

    async def close(self) -> None:
        """Close all connections. Calls that are under way raise `ConnectionLostError`, and so do later ones."""
        self._is_closed = True
        await self._client.close()

    async def _call(
        self, method: str, path: tuple[str, ...], query: Query, body: JsonObject | None, where: str, patience: float
    ) -> JsonObject:
        if self._is_closed:
            raise ConnectionLostError("the transport is closed", where=where)
        url = "/_matrix/client/v3/" + "/".join(quote(part, safe="") for part in path)
        acting = {} if self._acting_as is None else {"user_id": self._acting_as}
        if fields := {**query, **acting}:
            url += "?" + urlencode(fields, doseq=True)
        headers = {"Content-Type": "application/json"}
        if self.access_token is not None:
            headers["Authorization"] = f"Bearer {self.access_token}"
        data = None if body is None else json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        status, answer = await self._exchange(method, url, data, headers, patience, where)
        if 200 <= status < 300 and answer is not None:
            return answer
        raise refusal(status, answer or {}, where)

    async def _exchange(
        self, method: str, url: str, data: bytes | None, headers: dict[str, str], patience: float, where: str
    ) -> tuple[int, JsonObject | None]:
        try:
            # nio's own timeout ends with the answer's head; this one covers the body as well.
            async with asyncio.timeout(patience):
                response: Any = await self._client.send(method, url, data, headers, timeout=patience)
                async with response:
                    return response.status, await _read_json(response, where)
        except aiohttp.ClientConnectorCertificateError as error:
            raise UntrustedServerError(_certificate_fault(error.certificate_error), where=where) from error
        except aiohttp.ClientSSLError as error:
            raise UntrustedServerError(f"no TLS connection: {error}", where=where) from error
        except aiohttp.InvalidURL as error:
            raise PermanentError("the server's address is no URL", where=where) from error
        except TimeoutError as error:
            raise ConnectionLostError(f"no answer in {patience:.0f} seconds", where=where) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionLostError(f"no connection: {type(error).__name__}", where=where) from error
        except RuntimeError as error:
            # aiohttp's answer to a session that was closed while a request waited for its turn.
            if not self._is_closed:
                raise
            raise ConnectionLostError("the transport is closed", where=where) from error


async def _read_json(response: aiohttp.ClientResponse, where: str) -> JsonObject | None:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > _MAX_ANSWER:
            raise PermanentError(f"an answer of more than {_MAX_ANSWER // 2**20} MB", where=where)
    try:
        answer = json.loads(body)
        if _SURROGATE.search(body):
            answer = json.loads(_whole(json.dumps(answer, ensure_ascii=False)))
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _whole(text: str) -> str:
    """Return a text with the halves of surrogate pairs that stand alone replaced: UTF-8 cannot hold them."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _certificate_fault(error: Exception) -> str:
    reason = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
    return f"its certificate is not to be trusted: {reason}"


def _checked_url(url: str) -> str:
    address = url.rstrip("/")
    shown = address.rpartition("@")[2]  # what stands before may be a password
    try:
        parts = urlsplit(address)
        host = parts.hostname
        parts.port  # noqa: B018 - raises when it is no number
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment or parts.username:
        raise PermanentError("the homeserver's address should look like https://matrix.example.org", where=ascii(shown))
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise UntrustedServerError("http:// would send the password in clear: use https://", where=parts.netloc)
    return address


def _ssl(tls: ssl.SSLContext | None) -> Any:  # noqa: ANN401 - nio declares `bool`, and hands it to aiohttp
    # aiohttp takes `True` for its default checks; `None`, nio's default, is deprecated there.
    return True if tls is None else tls

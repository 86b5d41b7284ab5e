"""One stream to a server, from its opening to its end.

A connection lives once. slixmpp can connect again by itself, and resume a stream (XEP-0198). Neither is used:

* resumption would bring little here, for what was missed is in the archive, and what was not reflected is sent again.
  And it can lose: Prosody 0.12 feeds what a resumed client says to the old stream's parser, so that after a cut in the
  middle of a stanza the next one vanishes without an error, or ends the session.
* slixmpp drops what is sent on a dead stream, and says so in a log alone. So stanzas are handed to the socket here, and
  `send` raises when there is none.

Of slixmpp, the stream, TLS, SASL and resource binding serve. Messages and presence go to `on_stanza` alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import ssl
import time
import uuid
from collections.abc import Callable
from typing import Final

import structlog
from slixmpp.xmlstream import StanzaBase
from slixmpp.xmlstream.xmlstream import NotConnectedError

from transports.errors import (
    ConnectionLostError,
    LoginError,
    RetryableError,
    TooLargeError,
    TransportError,
    UntrustedServerError,
)
from transports.xmpp.elements import CLIENT, MAM, PING, Element, bare_and_resource, element, error_of, serialised
from transports.xmpp.errors import StanzaRefusedError, untrusted
from transports.xmpp.events import ArchivedMessage, read_archived
from transports.xmpp.login import ClientLogin, Login, Tls, certificates, require_confidential
from transports.xmpp.pace import Pace
from transports.xmpp.stream import make_stream
from transports.xmpp.uris import bare_jid

__all__ = ["MAX_STANZA_BYTES", "Connection"]

MAX_STANZA_BYTES: Final = 262_144
"""What Prosody and ejabberd take from a client by default. One byte more, and they end the session."""

_LEAST_STANZA_BYTES: Final = 10_000
"""What every server has to take (RFC 6120, section 13.12), even one that says less."""

_LEAST_IDLE: Final = 1.0
_MOST_RESULTS: Final = 1000
_GOODBYE: Final = 2.0
"""Seconds for the server to close its side, and once more for the socket."""

_LOG = structlog.get_logger(__name__)


class Connection:
    """A stream to a server. `open` once, `close` once."""

    def __init__(self, login: Login, *, resource: str, pace: Pace, on_stanza: Callable[[Element], None]) -> None:
        """Raises `PermanentError` for a login that must not or cannot be used. Needs a running event loop."""
        self._login = login
        self._pace = pace
        self._on_stanza = on_stanza
        self.bare_jid = bare_jid(login.jid)
        self.jid = f"{self.bare_jid}/{resource}"
        self.where = self.bare_jid
        require_confidential(login, where=self.where)
        self.closed = asyncio.Event()
        """Set when the stream is gone."""
        self.ended_by = ""
        """The condition by which the server ended the stream, where it named one."""
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._last_heard = self._last_said = time.monotonic()
        self._requests: dict[str, tuple[str, asyncio.Future[Element]]] = {}
        self._queries: dict[str, tuple[str, list[ArchivedMessage]]] = {}
        self._failure: TransportError | None = None
        self._stream = make_stream(login, jid=self.jid, context=certificates(login, where=self.where))
        self._listen()

    @property
    def is_open(self) -> bool:
        """Whether stanzas can be sent, as far as anybody knows."""
        return not self.closed.is_set() and self._opened.done() and self._opened.exception() is None

    @property
    def needs_ping(self) -> bool:
        """Whether it is time to ask if the server is there, or to show it that we are."""
        now = time.monotonic()
        return now - self._last_heard >= self._pace.ping_after or now - self._last_said >= self._speaks_every

    @property
    def look_after(self) -> float:
        """In how many seconds to look again whether it is time for that."""
        return min(self._pace.ping_after, self._speaks_every) / 2

    @property
    def max_stanza_bytes(self) -> int:
        """What the server takes: by what it says (XEP-0478), or the usual default."""
        announced, _ = self._announced
        return MAX_STANZA_BYTES if announced is None else max(_LEAST_STANZA_BYTES, min(announced, MAX_STANZA_BYTES))

    @property
    def _speaks_every(self) -> float:
        """Seconds of our own silence after which to say something: half of what the server bears (XEP-0478)."""
        _, idle_seconds = self._announced
        return math.inf if idle_seconds is None else max(_LEAST_IDLE, idle_seconds) / 2

    @property
    def _announced(self) -> tuple[int | None, int | None]:
        """The limits of the stream: bytes of a stanza, and seconds of silence."""
        limits = getattr(self._stream, "limits", None)  # there are none for components
        return (None, None) if limits is None else (limits.max_bytes, limits.idle_seconds)

    async def open(self) -> None:
        """Connect and log in. Raises `LoginError`, `UntrustedServerError`, `ConnectionLostError`."""
        login = self._login
        standard = 5223 if isinstance(login, ClientLogin) and login.tls is Tls.DIRECT else 5222
        try:
            async with asyncio.timeout(self._pace.connect_within):
                host = login.host.strip("[]") if login.host else None  # IPv6 as people write it
                self._stream.connect(host=host, port=(login.port or standard) if login.host else None)
                await asyncio.shield(self._opened)
        except TimeoutError as error:
            raise ConnectionLostError("the server does not answer", where=self.where) from error
        finally:
            if not self.is_open:
                await self.close()

    def send(self, stanza: Element) -> None:
        """Hand a stanza to the socket: it may arrive, or may not. Raises `ConnectionLostError`, `TooLargeError`."""
        if not self.is_open:
            raise self._lost()
        if not isinstance(self._login, ClientLogin):
            stanza.set("from", self.jid)
        data = serialised(stanza).encode()
        if len(data) > (limit := self.max_stanza_bytes):
            # The server would end the session, and the next one too when this is sent again.
            raise TooLargeError(f"a stanza of {len(data)} bytes, and the server takes {limit}", where=self.where)
        try:
            self._stream.send_raw(data)
            self._last_said = time.monotonic()
        except NotConnectedError as error:
            raise self._lost() from error

    async def request(self, kind: str, to: str, payload: Element, *, within: float | None = None) -> Element:
        """Ask (an IQ of type `get` or `set`) and return the answer.

        Raises `StanzaRefusedError`, `ConnectionLostError`; `RetryableError` if nothing comes in time.
        """
        identifier = uuid.uuid4().hex
        answer: asyncio.Future[Element] = asyncio.get_running_loop().create_future()
        self._requests[identifier] = (to, answer)
        try:
            self.send(element(CLIENT, "iq", payload, type=kind, id=identifier, to=to))
            async with asyncio.timeout(within or self._pace.answer_within):
                iq = await answer
        except TimeoutError as error:
            raise RetryableError("no answer in time", where=to) from error
        finally:
            del self._requests[identifier]
        if iq.get("type") == "error":
            raise StanzaRefusedError(*error_of(iq), where=to)
        return iq

    async def query_archive(self, room: str, *content: Element | None) -> tuple[list[ArchivedMessage], Element]:
        """Ask a room's archive; return the messages, and the answer that came after them. Raises as `request` does."""
        identifier = uuid.uuid4().hex
        results: list[ArchivedMessage] = []
        self._queries[identifier] = (room, results)
        try:
            answer = await self.request("set", room, element(MAM, "query", *content, queryid=identifier))
        finally:
            del self._queries[identifier]
        return results, answer

    async def ping(self) -> None:
        """Find out whether the server is there, and end the connection if not (XEP-0199).

        A component asks itself, by way of the server: it does not know the server's name.
        """
        try:
            domain = self.bare_jid.rpartition("@")[2]
            await self.request("get", domain, element(PING, "ping"), within=self._pace.pong_within)
        except StanzaRefusedError:
            return  # who refuses is alive
        except RetryableError:
            self.abort()

    def abort(self) -> None:
        """End the connection without a word."""
        self._stream.abort()

    async def close(self) -> None:
        """Say goodbye and end; no task and no socket stays behind. Idempotent."""
        stream = self._stream
        stream.cancel_connection_attempt()
        if stream.transport is not None:
            goodbye = stream.disconnect(wait=_GOODBYE, ignore_send_queue=True)
            await asyncio.wait({goodbye}, timeout=2 * _GOODBYE)
            stream.abort()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.closed.wait(), _GOODBYE)
        self._end()
        for name in list(stream.scheduled_events):
            stream.cancel_schedule(name)
        sending = stream._run_out_filters  # noqa: SLF001 - slixmpp does not end this task of its own
        if sending is not None:
            sending.cancel()
            await asyncio.wait({sending})

    def _listen(self) -> None:
        stream = self._stream
        stream.add_filter("in", self._on_incoming)
        stream.add_event_handler("session_start", self._on_session)
        stream.add_event_handler("connection_failed", self._on_connection_failed)
        stream.add_event_handler("reconnect_delay", self._on_all_failed)
        stream.add_event_handler("ssl_invalid_chain", self._on_untrusted)
        stream.add_event_handler("failed_auth", self._on_login_refused)
        stream.add_event_handler("no_auth", self._on_no_mechanism)
        stream.add_event_handler("stream_error", self._on_stream_error)
        stream.add_event_handler("disconnected", self._on_disconnected)

    def _on_incoming(self, stanza: StanzaBase) -> StanzaBase | None:
        """Take a stanza out of slixmpp's hands, or leave it there by returning it."""
        self._last_heard = time.monotonic()
        xml = stanza.xml
        try:
            if xml.tag == f"{{{CLIENT}}}iq":
                return None if self._on_answer(xml) else stanza
            if xml.tag not in {f"{{{CLIENT}}}message", f"{{{CLIENT}}}presence"}:
                return stanza
            if self.is_open and not self._on_archived(xml):
                self._on_stanza(xml)
        except Exception as error:  # noqa: BLE001 - one stanza that cannot be read must not end the stream
            _LOG.warning("stanza dropped", error=type(error).__name__)
        return None

    def _on_answer(self, iq: Element) -> bool:
        if iq.get("type") not in {"result", "error"}:
            return False
        asked, answer = self._requests.get(iq.get("id") or "", (None, None))
        if answer is None or asked != iq.get("from"):
            return False
        if not answer.done():
            answer.set_result(iq)
        return True

    def _on_archived(self, message: Element) -> bool:
        """Whether a message is one of an archive's: kept if it was asked for, and comes from who was asked."""
        archived = read_archived(message)
        if archived is None:
            return False
        room, results = self._queries.get(archived.query, ("", []))
        if bare_and_resource(message.get("from")) == (room, "") and len(results) < _MOST_RESULTS:
            results.append(archived)
        return True

    def _on_session(self, _: object) -> None:
        """The server says that we are in. Whoever sits in between can say so too, so look at the stream itself."""
        if isinstance(self._login, ClientLogin):
            if self._login.tls is not Tls.NONE and not self._is_encrypted():
                self._fail(UntrustedServerError("the server does not encrypt the connection", where=self.where))
                return
            if not getattr(self._stream, "authenticated", False):
                self._fail(UntrustedServerError("the server did not ask who we are", where=self.where))
                return
            self.jid = str(self._stream.boundjid)
        if not self._opened.done():
            self._opened.set_result(None)

    def _on_connection_failed(self, error: object) -> None:
        if isinstance(error, ssl.SSLError):
            self._failure = untrusted(error, where=self.where)
        elif not isinstance(self._failure, UntrustedServerError):
            reason = (error.strerror or type(error).__name__) if isinstance(error, OSError) else "no such host"
            self._failure = ConnectionLostError(f"no connection: {reason}", where=self.where)

    def _on_all_failed(self, _: object) -> None:
        self._stream.cancel_connection_attempt()
        self._fail(self._failure or self._lost())

    def _on_untrusted(self, error: ssl.SSLError) -> None:
        self._fail(untrusted(error, where=self.where))

    def _on_login_refused(self, failure: StanzaBase) -> None:
        condition = str(failure["condition"])
        if condition == "temporary-auth-failure":
            self._fail(ConnectionLostError("the server cannot check passwords at the moment", where=self.where))
        elif condition not in {"invalid-mechanism", "mechanism-too-weak", "encryption-required"}:
            what = f"the server refuses the account ({condition}): check the address and the password"
            self._fail(LoginError(what, where=self.where))

    def _on_no_mechanism(self, _: object) -> None:
        if isinstance(self._login, ClientLogin) and self._login.tls is not Tls.NONE and not self._is_encrypted():
            self._fail(UntrustedServerError("the server does not offer TLS", where=self.where))
        else:
            self._fail(LoginError("the server offers no way to log in with a password", where=self.where))

    def _on_stream_error(self, error: StanzaBase) -> None:
        self.ended_by = str(error["condition"])
        if self.ended_by == "not-authorized":
            self._failure = LoginError("the server refuses the secret", where=self.where)

    def _on_disconnected(self, _: object) -> None:
        if not getattr(self._stream, "is_handshaking", False):
            self._end()

    def _is_encrypted(self) -> bool:
        return isinstance(self._stream.socket, ssl.SSLObject | ssl.SSLSocket)

    def _fail(self, error: TransportError) -> None:
        """The stream does not come up, and this is why: the first reason counts."""
        self._refuse(error)
        self._stream.abort()

    def _end(self) -> None:
        self.closed.set()
        self._refuse(self._failure or self._lost())
        for _, answer in self._requests.values():
            if not answer.done():
                answer.set_exception(self._lost())

    def _refuse(self, error: TransportError) -> None:
        """Tell whoever waits for the stream, if anybody does: they may have been cancelled."""
        if not self._opened.done():
            self._opened.set_exception(error)
            self._opened.exception()  # else asyncio would log that nobody took it

    def _lost(self) -> ConnectionLostError:
        reason = f": the server says {self.ended_by}" if self.ended_by else ""
        return ConnectionLostError(f"the connection is gone{reason}", where=self.where)

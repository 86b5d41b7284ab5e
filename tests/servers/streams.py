"""An XMPP stream, byte by byte: no client library stands between the tests and the server."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
from types import TracebackType
from typing import Self

from bridge.servers import XmppServer

__all__ = ["Stream", "component", "log_in", "open_stream"]

OPEN = "<stream:stream xmlns='{xmlns}' xmlns:stream='http://etherx.jabber.org/streams' to='{to}' version='1.0'>"

FEATURES = r"(?s)<stream:features>.*</stream:features>"


class Stream:
    """A connection and what has come over it and was not read yet."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=20)
        self._unread = ""

    def send(self, xml: str) -> None:
        self._socket.sendall(xml.encode())

    def read(self, pattern: str) -> re.Match[str]:
        """Wait until the pattern has come; what came before it is skipped."""
        while (match := re.search(pattern, self._unread)) is None:
            received = self._socket.recv(65536)
            if not received:
                raise ConnectionError(f"closed before {pattern!r}, after {self._unread!r}")
            self._unread += received.decode()
        self._unread = self._unread[match.end() :]
        return match

    def restart(self, to: str, xmlns: str = "jabber:client") -> None:
        self.send(OPEN.format(xmlns=xmlns, to=to))

    def encrypt(self, context: ssl.SSLContext, name: str) -> None:
        self.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        self.read("<proceed [^>]*>")
        self._socket = context.wrap_socket(self._socket, server_hostname=name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()


def open_stream(server: XmppServer) -> tuple[Stream, str]:
    """Return a stream of a client that has not logged in, and the features it is offered."""
    stream = Stream(server.host, server.c2s_port)
    stream.restart(server.domain)
    return stream, stream.read(FEATURES)[0]


def log_in(server: XmppServer, user: str, password: str) -> Stream:
    """Return a stream on which the client has logged in. Raises `ConnectionRefusedError` if it may not."""
    stream, _ = open_stream(server)
    secret = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    stream.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
    if stream.read("<(success|failure)")[1] == "failure":
        stream.__exit__(None, None, None)
        raise ConnectionRefusedError(f"{user} is not let in")
    stream.restart(server.domain)
    stream.read(FEATURES)
    stream.send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    stream.read("(?s)<jid>.*</jid>")
    stream.send("<presence/>")
    return stream


def component(server: XmppServer, domain: str, secret: str) -> Stream:
    """Return the stream of a component (XEP-0114) that has sent its handshake."""
    stream = Stream(server.host, server.component_port)
    stream.restart(domain, xmlns="jabber:component:accept")
    stream_id = stream.read("<stream:stream[^>]* id=['\"]([^'\"]+)['\"]")[1]
    digest = hashlib.sha1(f"{stream_id}{secret}".encode(), usedforsecurity=False).hexdigest()
    stream.send(f"<handshake>{digest}</handshake>")
    return stream

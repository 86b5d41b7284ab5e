"""slixmpp's streams, as this package uses them: bounded, without a log of contents, all stanzas in one namespace."""

from __future__ import annotations

import logging
import ssl
from typing import Final

from slixmpp import ClientXMPP, ComponentXMPP

from transports.xmpp.elements import Element
from transports.xmpp.login import ClientLogin, ComponentLogin, Login, Tls

__all__ = ["Stream", "make_stream"]

_LARGEST_INCOMING: Final = 16 * 1024 * 1024
"""Bytes of one stanza from the server, while it is not complete: no server relays one as large."""

_COMPONENT: Final = "{jabber:component:accept}"
_HANDSHAKE: Final = "{jabber:component:accept}handshake"


class _ClientStream(ClientXMPP):
    unread = 0
    is_handshaking = False
    """Whether TLS is about to begin: when that fails, the socket closes before the reason is known."""

    def data_received(self, data: bytes | str) -> None:
        _count(self, len(data))
        super().data_received(data)

    def incoming_filter(self, xml: Element) -> Element:
        self.unread = 0
        return xml

    async def start_tls(self) -> bool:
        self.is_handshaking = True
        try:
            return await super().start_tls()
        finally:
            self.is_handshaking = False
            if self.transport is None:
                self.event("disconnected")


class _ComponentStream(ComponentXMPP):
    unread = 0

    def data_received(self, data: bytes | str) -> None:
        _count(self, len(data))
        super().data_received(data)

    def incoming_filter(self, xml: Element) -> Element:
        """Bring a stanza into the namespace of clients, so that all else need not care."""
        self.unread = 0
        if xml.tag != _HANDSHAKE:
            for part in xml.iter():
                if part.tag.startswith(_COMPONENT):
                    part.tag = "{jabber:client}" + part.tag.removeprefix(_COMPONENT)
        return xml


Stream = _ClientStream | _ComponentStream


def make_stream(login: Login, *, jid: str, context: ssl.SSLContext) -> Stream:
    """A stream that is not connected yet."""
    # slixmpp logs whole stanzas, at the level of errors too.
    logging.getLogger("slixmpp").setLevel(logging.CRITICAL)
    match login:
        case ClientLogin():
            return _client_stream(login, jid, context)
        case ComponentLogin():
            domain = jid.partition("/")[0].rpartition("@")[2]
            return _ComponentStream(domain, login.secret, login.host, login.port, use_jc_ns=True)  # type: ignore[no-untyped-call]


def _client_stream(login: ClientLogin, jid: str, context: ssl.SSLContext) -> _ClientStream:
    stream = _ClientStream(jid, login.password, ssl_context=context)
    stream.enable_starttls = login.tls is Tls.STARTTLS
    stream.enable_direct_tls = login.tls is Tls.DIRECT or (login.host is None and login.tls is Tls.STARTTLS)
    stream.enable_plaintext = login.tls is Tls.NONE
    if login.tls is Tls.NONE:
        mechanisms = stream.plugin["feature_mechanisms"]
        mechanisms.unencrypted_plain = mechanisms.unencrypted_scram = True
    return stream


def _count(stream: Stream, size: int) -> None:
    stream.unread += size
    if stream.unread > _LARGEST_INCOMING:
        stream.abort()

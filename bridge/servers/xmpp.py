"""What XMPP servers have in common: a host with accounts, a MUC service with an archive, and components."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge.servers.certificates import Certificate
from bridge.servers.server import Server

__all__ = ["XmppServer", "XmppSettings", "XmppSoftware"]


@dataclass(frozen=True)
class XmppSettings:
    """What one server is to be like."""

    domain: str
    components: Mapping[str, str]
    """The domains of components (XEP-0114), each with its secret."""
    limits: bool
    """Whether clients are slowed down as in the configuration that the server comes with, or not at all."""
    tls: Certificate | None
    """With it, clients must encrypt (STARTTLS, or from the first byte on); without it, they cannot."""

    @property
    def muc_domain(self) -> str:
        """The domain of its rooms."""
        return f"conference.{self.domain}"


class XmppSoftware(ABC):
    """An installed XMPP server, to start servers from."""

    def start(
        self,
        folder: Path,
        *,
        domain: str = "localhost",
        components: Mapping[str, str] | None = None,
        limits: bool = False,
        tls: Certificate | None = None,
    ) -> XmppServer:
        """Return a running server that federates with nobody. Raises `ServerStartError`; see `XmppSettings`."""
        server = self._server(folder, XmppSettings(domain, dict(components or {}), limits, tls))
        server.open()
        return server

    @abstractmethod
    def _server(self, folder: Path, settings: XmppSettings) -> XmppServer:
        """Return a server that does not run yet."""


class XmppServer(Server):
    """A running XMPP server."""

    def __init__(self, folder: Path, settings: XmppSettings) -> None:
        super().__init__(folder, settings.domain)
        self.settings = settings
        self.domain = settings.domain
        self.muc_domain = settings.muc_domain
        self.components = settings.components
        self.c2s_port = self._reserve_port()
        self.component_port = self._reserve_port()
        self.direct_tls_port = self._reserve_port() if settings.tls is not None else None
        """Where clients encrypt from the first byte on (XEP-0368)."""

    @abstractmethod
    def register(self, user: str, password: str) -> str:
        """Make an account and return its JID. Raises `ServerError`."""

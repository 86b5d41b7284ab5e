"""How to log in to a server, and which connections are refused before a byte is sent."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from transports.errors import PermanentError

__all__ = ["ClientLogin", "ComponentLogin", "Login", "Tls", "certificates", "require_confidential"]


class Tls(Enum):
    """How the connection to a server is encrypted."""

    STARTTLS = "starttls"
    """From within the stream (port 5222). A server that does not offer it is not logged in to."""
    DIRECT = "direct"
    """From the first byte on (XEP-0368, port 5223)."""
    NONE = "none"
    """Not at all: to the loopback alone."""


@dataclass(frozen=True, slots=True)
class ClientLogin:
    """An account on a server."""

    jid: str
    password: str = field(repr=False)
    host: str | None = None
    """Where the server is; `None` asks the DNS (SRV records), and then takes the domain itself."""
    port: int | None = None
    tls: Tls = Tls.STARTTLS
    ca_file: Path | None = None
    """PEM certificates of the CAs to trust; `None` trusts the system's."""


@dataclass(frozen=True, slots=True)
class ComponentLogin:
    """A component of a server (XEP-0114). It is not encrypted, so the server must be on this machine."""

    jid: str
    """Who speaks: the component's domain, or a name in it (`bridge@mls.example.org`)."""
    secret: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 5347


Login = ClientLogin | ComponentLogin


def require_confidential(login: Login, *, where: str) -> None:
    """Raise `PermanentError` for a login that would go in clear over a network."""
    if isinstance(login, ClientLogin) and login.tls is not Tls.NONE:
        return
    if login.host is None or not _is_loopback(login.host):
        kind = "a client without TLS" if isinstance(login, ClientLogin) else "a component"
        raise PermanentError(
            f"{kind} is not encrypted, so the server must be on this machine (127.0.0.1 or ::1), not {login.host!r}: "
            + ("use TLS" if isinstance(login, ClientLogin) else "use a tunnel that ends here"),
            where=where,
        )


def certificates(login: Login, *, where: str) -> ssl.SSLContext:
    """The rules by which the server's certificate is judged. Raises `PermanentError` for a CA file that is none."""
    ca_file = login.ca_file if isinstance(login, ClientLogin) else None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        what = error.strerror or "holds no certificate in PEM"
        raise PermanentError(f"the CA file {ca_file} cannot be used: {what}", where=where) from error


def _is_loopback(host: str) -> bool:
    """Whether a host is this one, whatever a resolver says: so the name `localhost` is not enough."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False

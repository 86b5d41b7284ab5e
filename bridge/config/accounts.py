"""The accounts that the program logs in with, on either network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from bridge.config.secrets import Secret
from bridge.config.sections import ConfigPath, Flag, Number, Section, by_key, is_loopback, refuse_all, wrong

__all__ = [
    "AccessTokenLogin",
    "Account",
    "Appservice",
    "AppserviceLogin",
    "Component",
    "ComponentLogin",
    "MatrixAccount",
    "MatrixLogin",
    "PasswordLogin",
    "Server",
    "Tls",
    "XmppAccount",
    "XmppLogin",
    "XmppTls",
]


def _check_homeserver(url: str) -> str:
    advice = "write it like https://matrix.example.org"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise wrong("is not a URL", advice) from None
    if parts.scheme not in {"http", "https"} or not host:
        raise wrong("is not a URL of a server", advice)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise wrong("has more than a server's address in it", advice)
    if parts.scheme == "http" and host != "localhost" and not is_loopback(host):
        raise wrong("would send the account's token in clear", "use https; http is for this machine alone (localhost)")
    return url.rstrip("/")


def _check_user(user: str) -> str:
    localpart, colon, server = user.removeprefix("@").partition(":")
    if not user.startswith("@") or not localpart or not colon or not server or any(map(str.isspace, user)):
        raise wrong("is not a Matrix user id", 'write it like "@bridge:example.org", in quotes')
    return user


def _check_jid(jid: str) -> str:
    localpart, at, domain = jid.rpartition("@")
    if not domain or (at and not localpart) or any(map(str.isspace, jid)) or "@" in localpart:
        raise wrong("is not a JID", "write it like bridge@example.org")
    if "/" in jid:
        raise wrong("has a resource", "leave out the / and what follows it: the program chooses one")
    return jid


# Logins


class PasswordLogin(Section):
    """A plain account and its password."""

    tag: ClassVar[str] = "password"

    password: Secret
    """The account's password."""


class AccessTokenLogin(Section):
    """A plain Matrix account and a token that is logged in already."""

    tag: ClassVar[str] = "access_token"

    access_token: Secret
    """The access token, of a device that nothing else uses."""


class Appservice(Section):
    """What a homeserver and its application service know of each other; `mls-bridge registration` writes it."""

    id: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9._-]+$")] | None = None
    """The registration's name on the homeserver (default: mls-bridge- and the user's name)."""
    as_token: Secret
    """What the program shows to the homeserver."""
    hs_token: Secret
    """What the homeserver shows to the program."""


class AppserviceLogin(Section):
    """An application service: no rate limit. For a relay in earnest."""

    tag: ClassVar[str] = "appservice"

    appservice: Appservice
    """The registration."""


class Component(Section):
    """What an XMPP server and its component know of each other; `mls-bridge registration` shows it."""

    secret: Secret
    """The secret that both share."""


class ComponentLogin(Section):
    """A component of the server (XEP-0114): no traffic shaper. For a relay in earnest."""

    tag: ClassVar[str] = "component"

    component: Component
    """The component's secret. Its domain is that of `jid`."""


MatrixLogin: TypeAlias = Annotated[
    Annotated[PasswordLogin, Tag("password")]
    | Annotated[AccessTokenLogin, Tag("access_token")]
    | Annotated[AppserviceLogin, Tag("appservice")],
    by_key(PasswordLogin, AccessTokenLogin, AppserviceLogin),
]

XmppLogin: TypeAlias = Annotated[
    Annotated[PasswordLogin, Tag("password")] | Annotated[ComponentLogin, Tag("component")],
    by_key(PasswordLogin, ComponentLogin),
]


# Accounts


class Tls(Section):
    """Whom to trust."""

    ca_file: ConfigPath | None = None
    """Certificates of authorities to trust instead of the system's, in PEM (default: the system's)."""


class MatrixAccount(Section):
    """An account on a Matrix homeserver."""

    tag: ClassVar[str] = "matrix"

    network: Literal["matrix"]
    """Which network: matrix."""
    homeserver: Annotated[str, AfterValidator(_check_homeserver)]
    """The homeserver's address for clients, https://...; http for this machine alone."""
    user: Annotated[str, AfterValidator(_check_user)]
    """The account's id, @name:server, in quotes. An appservice may choose one that there is not yet."""
    login: MatrixLogin
    """How it logs in: by `password`, `access_token` or `appservice`."""

    tls: Tls = Tls()
    """Whom to trust."""

    @property
    def identity(self) -> str:
        """Who this is, for comparison."""
        return self.user


class Server(Section):
    """Where an XMPP server listens."""

    host: Annotated[str, Field(min_length=1, pattern=r"^\S+$")]
    """Its name or address."""
    port: Annotated[Number, Field(ge=1, le=65535)]
    """Its port: usually 5222 for clients, 5347 for components."""


class XmppTls(Tls):
    """Whom to trust, and how to begin."""

    direct: Flag = False
    """TLS from the first byte on, usually on port 5223 (default: false, STARTTLS on port 5222)."""


class XmppAccount(Section):
    """An account, or a component, on an XMPP server."""

    tag: ClassVar[str] = "xmpp"

    network: Literal["xmpp"]
    """Which network: xmpp."""
    jid: Annotated[str, AfterValidator(_check_jid)]
    """The account's address, name@server, without a resource. For a component: an address on its domain."""
    login: XmppLogin
    """How it logs in: by `password` or as a `component`."""
    server: Server | None = None
    """Where to connect (default: what DNS says of the JID's domain; for a component 127.0.0.1, port 5347)."""
    tls: XmppTls = XmppTls()
    """Whom to trust. TLS is always on unless `plaintext` says otherwise."""
    plaintext: Flag = False
    """Connect without TLS (default: false): to an address of this machine alone. A component has no TLS in any case."""
    nick: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """The name that the rooms show (default: what stands before the @, or the component's domain)."""

    @property
    def identity(self) -> str:
        """Who this is, for comparison."""
        return self.jid.casefold()

    @property
    def component_server(self) -> Server:
        """Where to connect as a component."""
        return self.server or Server(host="127.0.0.1", port=5347)

    @model_validator(mode="after")
    def _check_connection(self) -> Self:
        refuse_all(self._connection_problems())
        return self

    def _connection_problems(self) -> Iterator[tuple[tuple[str, ...], PydanticCustomError]]:
        is_component = isinstance(self.login, ComponentLogin)
        is_local = self.server is not None and is_loopback(self.server.host)
        if not is_component and "@" not in self.jid:
            yield ("jid",), wrong("has no name before the server", "write it like bridge@example.org")
        if is_component and self.server is not None and not is_local:
            advice = "write {host: 127.0.0.1, port: 5347}; to a server elsewhere, through a tunnel that begins there"
            yield ("server",), wrong("must be an address of this machine, for a component has no TLS", advice)
        if self.plaintext and not is_component and not is_local:
            advice = "leave it out, or connect to a `server` on this machine, such as {host: 127.0.0.1, port: 5222}"
            yield ("plaintext",), wrong("would send the password and all else in clear", advice)
        if (is_component or self.plaintext) and self.tls != XmppTls():
            yield ("tls",), wrong("means nothing on a connection without TLS", "leave it out")


Account: TypeAlias = Annotated[MatrixAccount | XmppAccount, Field(discriminator="network")]

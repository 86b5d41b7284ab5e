"""Three ways to be somebody on a homeserver: a password, an access token, an appservice's token."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TypeAlias

from transports.errors import ForbiddenError, LoginError
from transports.matrix.adapter import Homeserver, JsonObject
from transports.matrix.refusals import RefusedError
from transports.matrix.uris import BadIdentifierError, account_uri, user_id_of

__all__ = ["AppserviceLogin", "Login", "MatrixSession", "PasswordLogin", "TokenLogin", "log_in", "open_homeserver"]

_DEVICE_NAME = "mls-bridge"


@dataclass(frozen=True, slots=True)
class MatrixSession:
    """What a login by password leaves: to be kept as safe as the password, and handed back at the next start.

    Without it each start would make a new device, and publishing again after a restart would post a second event: a
    homeserver knows a transaction by the device that sent it.
    """

    user_id: str
    device_id: str
    access_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PasswordLogin:
    """An account of one's own. `user` is a user id, or its part before the colon."""

    user: str
    password: str = field(repr=False)
    session: MatrixSession | None = None
    """Of an earlier login. When the server no longer knows it, the password makes another, for the same device."""


@dataclass(frozen=True, slots=True)
class TokenLogin:
    """An access token that somebody else obtained."""

    access_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppserviceLogin:
    """A user in an appservice's namespace, made when there is none yet. Not rate limited.

    Not the registration's `sender_localpart`, whom Synapse does not let read (see `transports.matrix.registration`).
    """

    as_token: str = field(repr=False)
    user_id: str


Login: TypeAlias = PasswordLogin | TokenLogin | AppserviceLogin


def open_homeserver(url: str, login: Login, tls: ssl.SSLContext | None) -> Homeserver:
    """Return the homeserver for an account that still has to log in. Raises `PermanentError` for a bad address."""
    acting_as = login.user_id if isinstance(login, AppserviceLogin) else None
    return Homeserver(url, tls=tls, acting_as=acting_as)


async def log_in(server: Homeserver, login: Login) -> MatrixSession:
    """Log in, and return who we are. Raises `TransportError`; `LoginError` where it is refused."""
    match login:
        case TokenLogin():
            return await _identify(server, login.access_token)
        case AppserviceLogin():
            await _ensure_registered(server, login)
            return await _identify(server, login.as_token)
        case PasswordLogin():
            if login.session is None:
                return await _by_password(server, login, None)
            try:
                return await _identify(server, login.session.access_token)
            except LoginError:
                return await _by_password(server, login, login.session.device_id)


async def _identify(server: Homeserver, token: str) -> MatrixSession:
    server.access_token = token
    try:
        answer = await server.get("account", "whoami")
    except ForbiddenError as error:
        raise LoginError(error.what, where=server.name) from error
    return _session({**answer, "access_token": token}, server)


async def _by_password(server: Homeserver, login: PasswordLogin, device_id: str | None) -> MatrixSession:
    server.access_token = None
    body: dict[str, object] = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": login.user},
        "password": login.password,
        "initial_device_display_name": _DEVICE_NAME,
    }
    if device_id is not None:
        body["device_id"] = device_id
    try:
        answer = await server.post("login", body=body)
    except ForbiddenError as error:
        raise LoginError(f"wrong name or password: {error.what}", where=server.name) from error
    session = _session(answer, server)
    server.access_token = session.access_token
    return session


async def _ensure_registered(server: Homeserver, login: AppserviceLogin) -> None:
    try:
        user_id = user_id_of(login.user_id)
    except BadIdentifierError as error:
        raise LoginError(f"an appservice speaks for a user id: {error}", where=server.name) from error
    server.access_token = login.as_token
    localpart = user_id[1:].partition(":")[0]
    body = {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
    try:
        await server.post("register", body=body)
    except RefusedError as error:
        if error.code != "M_USER_IN_USE":
            raise LoginError(f"the appservice cannot have this user: {error.what}", where=server.name) from error
    except ForbiddenError as error:
        raise LoginError(f"the appservice cannot have this user: {error.what}", where=server.name) from error


def _session(answer: JsonObject, server: Homeserver) -> MatrixSession:
    match answer:
        case {"user_id": str(user_id), "access_token": str(token)} if token:
            device_id = answer.get("device_id")
        case _:
            raise LoginError("the server's answer to the login names no user or token", where=server.name)
    try:
        account_uri(user_id)
    except BadIdentifierError as error:
        raise LoginError(f"the server says that we are {error}", where=server.name) from error
    return MatrixSession(user_id, device_id if isinstance(device_id, str) else "", token)

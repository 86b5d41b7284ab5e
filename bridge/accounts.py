"""From an account of the configuration to the transport that logs in with it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, assert_never

from bridge.config.accounts import (
    AccessTokenLogin,
    Account,
    AppserviceLogin,
    ComponentLogin,
    MatrixAccount,
    PasswordLogin,
    Tls,
    XmppAccount,
)
from bridge.config.secrets import read_secret
from transports.errors import LoginError, PermanentError
from transports.room import Transport

if TYPE_CHECKING:
    from transports.matrix import Login, MatrixSession
    from transports.xmpp.login import Login as XmppLogin

__all__ = ["log_in", "open_transport", "xmpp_login"]

# A network's package is loaded where an account needs it: client libraries take longer to load than all the rest.


def open_transport(
    account: Account, *, session: bytes | None = None, on_session: Callable[[bytes], None] | None = None
) -> Transport:
    """Return a transport that is not logged in yet. Needs a running event loop.

    `on_session` is told what a later start needs in place of a new login, and `session` hands it back: as secret as the
    password, to be stored encrypted. Raises `SecretError`, and `PermanentError` for an account that cannot be used.
    """
    match account:
        case MatrixAccount():
            return _matrix(account, session, on_session)
        case XmppAccount():
            return _xmpp(account)
        case _:
            assert_never(account)


async def log_in(transport: Transport, account: Account) -> None:
    """Log in, and make sure that the server takes us for who the configuration says. Raises `TransportError`."""
    await transport.start()
    if isinstance(account, MatrixAccount):
        from transports.matrix.uris import account_uri  # noqa: PLC0415 - see above

        if transport.account != account_uri(account.user):
            raise LoginError("the token belongs to another user than the configuration says", where=account.user)


# Matrix


def _matrix(account: MatrixAccount, session: bytes | None, on_session: Callable[[bytes], None] | None) -> Transport:
    from transports.matrix import MatrixTransport  # noqa: PLC0415 - see above

    def keep(told: MatrixSession) -> None:
        if on_session is not None:
            on_session(_encode(told))

    return MatrixTransport(
        account.homeserver,
        _matrix_login(account, session),
        on_session=keep,
        tls=_authorities(account.tls, where=account.user),
    )


def _matrix_login(account: MatrixAccount, session: bytes | None) -> Login:
    from transports import matrix  # noqa: PLC0415 - see above

    match account.login:
        case PasswordLogin(password=password):
            return matrix.PasswordLogin(account.user, read_secret(password), _decode(session))
        case AccessTokenLogin(access_token=token):
            return matrix.TokenLogin(read_secret(token))
        case AppserviceLogin(appservice=appservice):
            return matrix.AppserviceLogin(read_secret(appservice.as_token), account.user)
        case _:
            assert_never(account.login)


def _encode(session: MatrixSession) -> bytes:
    return json.dumps([session.user_id, session.device_id, session.access_token]).encode()


def _decode(session: bytes | None) -> MatrixSession | None:
    """Return a stored session; `None` if there is none that can be read, and then the password makes another."""
    from transports.matrix import MatrixSession  # noqa: PLC0415 - see above

    try:
        match json.loads(session or b"null"):
            case [str(user_id), str(device_id), str(access_token)]:
                return MatrixSession(user_id, device_id, access_token)
            case _:
                return None
    except ValueError:
        return None


def _authorities(tls: Tls, *, where: str) -> ssl.SSLContext | None:
    if tls.ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=tls.ca_file)
    except (OSError, ssl.SSLError) as error:
        what = "holds no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise PermanentError(f"the CA file {tls.ca_file} cannot be used: {what}", where=where) from error


# XMPP


def xmpp_login(account: XmppAccount) -> XmppLogin:
    """Return how an account logs in on XMPP. Raises `SecretError`."""
    from transports import xmpp  # noqa: PLC0415 - see above

    encrypted = xmpp.Tls.DIRECT if account.tls.direct else xmpp.Tls.STARTTLS
    match account.login:
        case PasswordLogin(password=password):
            return xmpp.ClientLogin(
                account.jid,
                read_secret(password),
                host=None if account.server is None else account.server.host,
                port=None if account.server is None else account.server.port,
                tls=xmpp.Tls.NONE if account.plaintext else encrypted,
                ca_file=account.tls.ca_file,
            )
        case ComponentLogin(component=component):
            server = account.component_server
            return xmpp.ComponentLogin(account.jid, read_secret(component.secret), host=server.host, port=server.port)
        case _:
            assert_never(account.login)


def _xmpp(account: XmppAccount) -> Transport:
    from transports.xmpp import XmppTransport  # noqa: PLC0415 - see above

    return XmppTransport(xmpp_login(account), nickname=account.nick)

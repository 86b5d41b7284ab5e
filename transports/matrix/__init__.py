"""Matrix rooms as transports, on any homeserver, through matrix-nio."""

from transports.matrix.login import AppserviceLogin, Login, MatrixSession, PasswordLogin, TokenLogin
from transports.matrix.transport import MatrixTransport

__all__ = ["AppserviceLogin", "Login", "MatrixSession", "MatrixTransport", "PasswordLogin", "TokenLogin"]

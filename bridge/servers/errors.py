"""What goes wrong with a server that we start."""

from __future__ import annotations

__all__ = ["ServerError", "ServerRefusedError", "ServerStartError", "ServerUnavailableError"]


class ServerError(Exception):
    """A server that we start does not do what it should. Says what, and what helps."""


class ServerUnavailableError(ServerError):
    """The server cannot be had on this machine: no build for this system, a tool that is missing, or no network."""


class ServerStartError(ServerError):
    """The server is here, but does not start. The end of its log stands in the message."""


class ServerRefusedError(ServerError):
    """The running server has refused what we asked for, such as an account with a name that is taken."""

"""Ports on the loopback that nobody else takes, also while the server that uses them is down.

Binding to port 0 and letting go again is a race: the system may hand the same port to the next one who asks. So ports
come from below the range that the system hands out by itself, and each is locked by a file, across all processes of
this user, until it is released or its process ends.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import tempfile
from pathlib import Path

from bridge.servers.errors import ServerError

if sys.platform != "win32":
    import fcntl

__all__ = ["LOOPBACK", "Port"]

LOOPBACK = "127.0.0.1"

FIRST, LAST = 20_000, 31_999
ATTEMPTS = 200


class Port:
    """A port that is ours until it is released."""

    def __init__(self) -> None:
        folder = Path(tempfile.gettempdir(), f"mls-bridge-ports-{os.getuid()}")
        folder.mkdir(mode=0o700, exist_ok=True)
        for _ in range(ATTEMPTS):
            number = FIRST + secrets.randbelow(LAST - FIRST + 1)
            lock = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _bind(number)
            except OSError:
                os.close(lock)
            else:
                self.number = number
                self._lock: int | None = lock
                return
        raise ServerError(f"there is no free port between {FIRST} and {LAST} on {LOOPBACK}")

    def __int__(self) -> int:
        return self.number

    def release(self) -> None:
        """Let others have it. Does nothing if it was released before."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _bind(number: int) -> None:
    """Raise `OSError` if somebody listens there."""
    with socket.socket() as probe:
        # As servers do: a connection that is being closed is no reason to avoid its port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, number))

"""Objects over a pair of pipes, between a test and the program that it leads."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from typing import Any

__all__ = ["Channel", "End", "Failed", "Refused"]


@dataclass(frozen=True)
class End:
    """The conversation, or the front end, has ended; `error` is what the conversation ended with."""

    error: str = ""


@dataclass(frozen=True)
class Refused:
    """The session refuses."""

    what: str
    next_step: str = ""


@dataclass(frozen=True)
class Failed:
    """What the front end raised."""

    name: str
    message: str


class Channel:
    """Both ends are the project's own, and so is what they pickle."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = os.fdopen(incoming, "rb", buffering=0)
        self._outgoing = os.fdopen(outgoing, "wb", buffering=0)

    def send(self, item: object) -> None:
        pickled = pickle.dumps(item)
        self._outgoing.write(len(pickled).to_bytes(4) + pickled)

    def receive(self) -> Any:  # noqa: ANN401 - whatever was sent
        """Return the next object, `None` once the other side has closed."""
        head = self._read(4)
        return None if head is None else pickle.loads(self._read(int.from_bytes(head)) or b"")  # noqa: S301 - our own

    def close_sending(self) -> None:
        self._outgoing.close()

    def close(self) -> None:
        self._outgoing.close()
        self._incoming.close()

    def _read(self, size: int) -> bytes | None:
        data = b""
        while len(data) < size:
            piece = self._incoming.read(size - len(data))
            if not piece:
                return None
            data += piece
        return data

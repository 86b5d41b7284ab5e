"""What is wrong with bytes of the room protocol."""

from __future__ import annotations

__all__ = ["ProtocolError"]


class ProtocolError(Exception):
    """The bytes are not what the room protocol says. `what` is for people; nothing of the content is in it."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)

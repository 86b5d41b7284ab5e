"""The session of a member, as a front end sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from bridge.conversation.answers import Answer
from bridge.conversation.happenings import Told
from bridge.conversation.requests import Request

__all__ = [
    "Conversation",
    "RoomShown",
]


@dataclass(frozen=True, slots=True)
class RoomShown:
    """The room, and who one is in it."""

    room: str
    """Its address, as a URI."""
    name: str
    """For people; may be empty."""
    account: str
    own_name: str


class Conversation(Protocol):
    """The session, as a front end sees it. One front end at a time."""

    @property
    def shown(self) -> RoomShown:
        """The room, and who one is in it. Known from the beginning."""
        ...

    def happenings(self) -> AsyncIterator[Told]:
        """Yield what was not acknowledged yet, then what happens, in order. Ends when the session does.

        Asked for once. The session's failure is raised from here.
        """
        ...

    async def acknowledge(self, position: int) -> None:
        """Take it that everything up to `position` was shown, or kept, and need not be told again.

        A position that was acknowledged before, or lies ahead, does nothing.
        """
        ...

    async def do(self, request: Request) -> Answer:
        """Do what the person asks. Raises `RequestRefusedError`.

        Returns soon: what takes a round through the network begins here, and is told as it happens.
        """
        ...

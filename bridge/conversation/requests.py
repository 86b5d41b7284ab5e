"""What a person asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from bridge.content import MessageId

__all__ = [
    "Add",
    "Confirm",
    "Join",
    "Leave",
    "Members",
    "Quit",
    "Remove",
    "Request",
    "RequestRefusedError",
    "Resync",
    "Say",
    "Status",
    "Verify",
]


@dataclass(frozen=True, slots=True)
class Say:
    """Send a message. Answered by `Said` once it is stored; what becomes of it comes as `DeliveryChanged`."""

    text: str
    markdown: bool = False
    reply_to: MessageId | None = None


@dataclass(frozen=True, slots=True)
class Add:
    """Let somebody in who asked."""

    account: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove somebody."""

    account: str


@dataclass(frozen=True, slots=True)
class Verify:
    """Show the digits to compare with somebody. Answered by `NumbersShown`."""

    account: str


@dataclass(frozen=True, slots=True)
class Confirm:
    """The digits were compared, and are equal. To be refused where they are no longer those of `account`."""

    account: str
    digits: str


@dataclass(frozen=True, slots=True)
class Members:
    """List who is in the group. Answered by `MembersListed`."""


@dataclass(frozen=True, slots=True)
class Status:
    """Show how things stand. Answered by `StatusShown`."""


@dataclass(frozen=True, slots=True)
class Join:
    """Ask to be let in: again, by who was removed or cannot follow the group any more."""


@dataclass(frozen=True, slots=True)
class Resync:
    """Take the group's state anew from the others: where something is wrong with one's own."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the group for good. The front end ends after it."""


@dataclass(frozen=True, slots=True)
class Quit:
    """End the front end. It never reaches the session."""


Request: TypeAlias = Say | Add | Remove | Verify | Confirm | Members | Status | Join | Resync | Leave


class RequestRefusedError(Exception):
    """The session does not do what was asked. `next_step` is what the person can do instead; may be empty.

    `command` is what they can ask for to that end, such as `verify bob`. How that is written, the front end knows.
    """

    def __init__(self, what: str, *, next_step: str = "", command: str = "") -> None:
        self.what = what
        self._next_step = next_step
        self._command = command
        super().__init__(f"{what} {self.next_step}".rstrip())

    @property
    def next_step(self) -> str:
        """What the person can do, at a prompt where commands begin with a slash."""
        return self.advice(lambda command: f"/{command}")

    def advice(self, write: Callable[[str], str]) -> str:
        """Return what the person can do; `write` returns how a command is written where they are."""
        return f"{self._next_step}: {write(self._command)}" if self._command else self._next_step

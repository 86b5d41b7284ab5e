"""What a person is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from bridge.content import MessageId
from bridge.conversation.happenings import ConnectionShown
from bridge.conversation.states import Verification

__all__ = [
    "Answer",
    "Done",
    "MemberShown",
    "MembersListed",
    "NumbersShown",
    "Said",
    "StatusShown",
]


@dataclass(frozen=True, slots=True)
class Done:
    """It is done, or begun: what comes of it is told as it happens."""


@dataclass(frozen=True, slots=True)
class Said:
    """The message is stored, and will be sent."""

    id: MessageId


@dataclass(frozen=True, slots=True)
class NumbersShown:
    """The digits of a pair: the same on both sides, if nobody stands between."""

    account: str
    name: str
    digits: str


@dataclass(frozen=True, slots=True)
class MemberShown:
    """A member of the group: one device of an account."""

    account: str
    name: str
    device: str
    verified: Verification
    is_self: bool
    rights: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MembersListed:
    """Who is in the group."""

    members: tuple[MemberShown, ...]


@dataclass(frozen=True, slots=True)
class StatusShown:
    """How things stand."""

    epoch: int
    members: int
    verified: Verification
    """The weakest member's: the group's."""
    waiting: int
    """Messages of one's own that are not delivered yet."""
    digits: str
    """30 digits of the epoch."""
    connections: tuple[ConnectionShown, ...]
    held: str = ""
    """Why nothing is sent at the moment. Empty where things go their way."""


Answer: TypeAlias = Done | Said | NumbersShown | MembersListed | StatusShown

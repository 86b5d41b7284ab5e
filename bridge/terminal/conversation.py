"""What the person's terminal knows of the session behind it: things happen, and the person asks for things.

Nothing here is safe to print: names, texts and accounts are as others sent them. `bridge.terminal.screen` and
`bridge.terminal.lines` make them harmless.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from bridge.content import Kind, MessageId

__all__ = [
    "Add",
    "Alarm",
    "Answer",
    "Asked",
    "Confirm",
    "ConnectionShown",
    "Conversation",
    "DeliveryChanged",
    "DeliveryState",
    "Done",
    "EpochChanged",
    "Happening",
    "Join",
    "Joined",
    "Leave",
    "LinkState",
    "MemberCame",
    "MemberShown",
    "MemberWent",
    "Members",
    "MembersListed",
    "MessageArrived",
    "Notice",
    "NumbersShown",
    "PlaintextShown",
    "Quit",
    "Remove",
    "Removed",
    "Request",
    "RequestRefusedError",
    "RoomShown",
    "Said",
    "Say",
    "Status",
    "StatusShown",
    "Told",
    "Verification",
    "Verify",
]

# --- What happens -----------------------------------------------------------------------------------------------------


class Verification(StrEnum):
    """What vouches for somebody, weakest first."""

    BRIDGE = "bridge"
    """The bridge's word."""
    NETWORK = "network"
    """Their own network saw that account post the key."""
    FIRST_USE = "first-use"
    """The key is the one that was first seen."""
    COMPARED = "compared"
    """A person compared the numbers."""


class DeliveryState(StrEnum):
    """How far a message of one's own has come."""

    WAITING = "waiting"
    """Here, to be sent."""
    SENT = "sent"
    """In the room."""
    DELIVERED = "delivered"
    """A member on each linked network has it."""
    FAILED = "failed"
    """Given up; the reason says why."""


class LinkState(StrEnum):
    """How the connection to a network stands."""

    CONNECTING = "connecting"
    CATCHING_UP = "catching-up"
    LIVE = "live"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class MessageArrived:
    """A message, opened: somebody's, or one's own come back.

    An edit or a deletion has `replaces`, a reaction `reply_to`. The front end shows an edit or a deletion as one only
    where its sender wrote the original; the session need not look.
    """

    id: MessageId
    sender_account: str
    sender_name: str
    at_ms: int
    text: str
    markdown: bool
    kind: Kind
    reply_to: MessageId | None
    replaces: MessageId | None
    is_own: bool
    verified: Verification
    late: bool
    """Of an earlier epoch: it was on its way when the group changed."""


@dataclass(frozen=True, slots=True)
class DeliveryChanged:
    """A message of one's own has come further, or has not."""

    id: MessageId
    state: DeliveryState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MemberCame:
    """Somebody was added to the group. `by` is the author's account."""

    account: str
    name: str
    by: str
    at_ms: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class MemberWent:
    """Somebody was removed from the group, or left. `by` is the author's account."""

    account: str
    name: str
    by: str
    at_ms: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody asks to be let in."""

    account: str
    name: str
    network: str
    digits: str | None
    """60 digits to compare with them, where that is wanted."""
    by_relay: bool
    """Whether the bridge alone says so."""


@dataclass(frozen=True, slots=True)
class PlaintextShown:
    """Somebody wrote into the room without encryption: the servers read it, and anyone could have written it."""

    account: str
    text: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class EpochChanged:
    """The group has new keys."""

    epoch: int
    members: int
    digits: str
    """30 digits, the same for everybody in the epoch."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something is wrong that a person must know."""

    what: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know."""

    text: str


@dataclass(frozen=True, slots=True)
class ConnectionShown:
    """The connection to a network has changed."""

    network: str
    state: LinkState


@dataclass(frozen=True, slots=True)
class Joined:
    """One is in the group, from now on."""

    epoch: int
    members: int
    by: str
    """The account of who let one in; one's own for the group's founder."""


@dataclass(frozen=True, slots=True)
class Removed:
    """One is out of the group: nothing that follows can be read."""

    by: str
    at_ms: int
    why: str = ""


Happening: TypeAlias = (
    MessageArrived
    | DeliveryChanged
    | MemberCame
    | MemberWent
    | Asked
    | PlaintextShown
    | EpochChanged
    | Alarm
    | Notice
    | ConnectionShown
    | Joined
    | Removed
)


@dataclass(frozen=True, slots=True)
class Told:
    """A happening, and its place among them."""

    what: Happening
    position: int | None
    """Grows from one to the next; told again after a restart until it is acknowledged. `None`: of the moment alone."""


# --- What a person asks for -------------------------------------------------------------------------------------------


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
class Leave:
    """Leave the group for good. The front end ends after it."""


@dataclass(frozen=True, slots=True)
class Quit:
    """End the front end. It never reaches the session."""


Request: TypeAlias = Say | Add | Remove | Verify | Confirm | Members | Status | Join | Leave


# --- What is answered -------------------------------------------------------------------------------------------------


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


class RequestRefusedError(Exception):
    """The session does not do what was asked. `next_step` is what the person can do instead; may be empty."""

    def __init__(self, what: str, *, next_step: str = "") -> None:
        self.what = what
        self.next_step = next_step
        super().__init__(f"{what} {next_step}".rstrip())


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

"""What happens in the room, as its member tells it to a front end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from bridge.content import Kind, MessageId
from bridge.conversation.states import DeliveryState, LinkState, Verification

__all__ = [
    "Alarm",
    "Asked",
    "ConnectionShown",
    "DeliveryChanged",
    "EpochChanged",
    "Happening",
    "Joined",
    "MemberCame",
    "MemberWent",
    "MessageArrived",
    "Notice",
    "PlaintextShown",
    "Removed",
    "Told",
]


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

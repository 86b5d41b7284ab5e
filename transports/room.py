"""The interface of a transport: one account on one network, and the rooms that it is in.

A transport moves opaque envelopes and tells what happened in its rooms, in the order in which the server tells it.
It decides nothing. Three exist: `transports.matrix`, `transports.xmpp`, `transports.memory`.

The life of a transport, in the caller's hands:

1. `start` logs in. `join` enters a room, or finds that the account is in it already.
2. `batches(cursor)` yields what happened since the cursor, without end: first what was missed, then what happens.
   The caller stores a batch's events *and* its cursor in one transaction, and only then asks for the next one. So a
   crash at any point loses nothing, and repeats at the most one batch: events carry their network's id.
3. `publish` hands an envelope to the server. Its return means that the server answered, not that others have it:
   the receipt is the envelope's own return through `batches`, with the same `transaction`. Publishing again with the
   same transaction does no harm: Matrix drops the second, and on XMPP receivers drop envelopes that they know.
4. `close` leaves no task and no socket behind. It does not leave the rooms.

Lost connections are the transport's business: `batches` goes on by itself once the server is back, with nothing
missing or with a `HistoryLost` in its place. What it cannot mend is raised from `batches` as a `PermanentError`.

A room may end while the account is in it: then `batches` tells a `RoomEnded`, after all that came before. Relay and
sequencer do nothing more in that room then, and say so; a member tells its person. Of a room that has ended before,
`join` raises `RoomEndedError`; `RoomNotFoundError` where the server does not tell it from a room that never was;
`UnsuitableRoomError` where Matrix's own encryption was switched on.

All text in events is Unicode that UTF-8 can hold, whatever the server sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import NewType, Protocol, TypeAlias

__all__ = [
    "Account",
    "Batch",
    "ConnectionState",
    "EnvelopeSeen",
    "HistoryLost",
    "JoinedRoom",
    "Limits",
    "MalformedSeen",
    "Member",
    "Membership",
    "MembershipSeen",
    "Network",
    "Origin",
    "PlaintextSeen",
    "RelayNote",
    "RoomAddress",
    "RoomEnded",
    "RoomEvent",
    "Transport",
]

Account = NewType("Account", str)
"""Who, as a URI: `matrix:u/alice:example.org`, `xmpp:alice@example.org` (normalised, no resource), `memory:alice`."""

RoomAddress = NewType("RoomAddress", str)
"""Which room, as a URI: `matrix:roomid/abc:example.org` (from version 12 on no server), `xmpp:tea@muc.example.org`."""


class Network(StrEnum):
    """A network, by the scheme of its URIs."""

    MATRIX = "matrix"
    XMPP = "xmpp"
    MEMORY = "memory"


class Membership(Enum):
    """How somebody stands to a room."""

    JOINED = "joined"
    """Matrix: joined. XMPP: an affiliation of member or above; who is offline is a member still."""
    INVITED = "invited"
    LEFT = "left"
    KICKED = "kicked"
    BANNED = "banned"


class ConnectionState(Enum):
    """What `Transport.on_state` is told."""

    CONNECTING = "connecting"
    CATCHING_UP = "catching up"
    LIVE = "live"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where and when the network says that something happened. Servers can lie about all of it."""

    room: RoomAddress
    event_id: str
    """The network's own id: a Matrix event id, the room's stanza-id (XEP-0359). Unique within the room."""
    sender: Account | None
    """`None` where the network does not tell, as in an archive without real addresses."""
    at: int
    """Milliseconds since 1970, by the server's clock."""


@dataclass(frozen=True, slots=True)
class RelayNote:
    """Where a relay says that it saw an envelope. A claim, shown as such, never taken for who somebody is."""

    room: RoomAddress
    sender: Account | None
    event_id: str
    at: int


@dataclass(frozen=True, slots=True)
class EnvelopeSeen:
    """An envelope in the room: somebody's, or one's own come back."""

    origin: Origin
    envelope: bytes
    transaction: str | None = None
    """What one's own envelope was published with, `None` for others'. Never taken from another sender's event."""
    note: RelayNote | None = None


@dataclass(frozen=True, slots=True)
class PlaintextSeen:
    """Somebody wrote into the room without encryption. `body` is cut at 64 KiB."""

    origin: Origin
    body: str


@dataclass(frozen=True, slots=True)
class MembershipSeen:
    """Somebody came or went. `origin.sender` is who did it, `account` to whom it was done."""

    origin: Origin
    account: Account
    membership: Membership


@dataclass(frozen=True, slots=True)
class MalformedSeen:
    """An event says that it carries an envelope, and does not: broken base64, missing, too large."""

    origin: Origin
    reason: str


@dataclass(frozen=True, slots=True)
class HistoryLost:
    """The server's archive no longer reaches back to the cursor, or there is none: events may be missing here."""

    room: RoomAddress
    reason: str


@dataclass(frozen=True, slots=True)
class RoomEnded:
    """The room carries a group no longer, for good, and there is no way back: what may still come is not to be used.

    A MUC was destroyed; a Matrix room was upgraded (a tombstone), or Matrix's own encryption was switched on in it.
    May be told more than once. Nothing follows from it by itself: whether the group moves is for people to decide.
    """

    room: RoomAddress
    reason: str
    """For people. Holds nothing that the room's people wrote."""
    successor: RoomAddress | None
    """Where to go on, by the word of whoever ended the room; `None` where nothing is named."""


RoomEvent: TypeAlias = EnvelopeSeen | PlaintextSeen | MembershipSeen | MalformedSeen | HistoryLost | RoomEnded


@dataclass(frozen=True, slots=True)
class Batch:
    """What happened, and the cursor that stands behind it."""

    events: tuple[RoomEvent, ...]
    cursor: bytes
    """Opaque. To be stored with the events, in one transaction."""
    is_live: bool
    """Whether everything up to now is told, of every room whose `join` has returned.

    `False` while there is more in the archive, and while a room that was just joined is not read yet. Each `join` is
    followed by a batch that is live, which may hold no event.
    """


@dataclass(frozen=True, slots=True)
class Limits:
    """What a room takes."""

    envelope_bytes: int
    """The largest envelope that one event carries; larger ones travel as fragments."""


@dataclass(frozen=True, slots=True)
class JoinedRoom:
    """A room that the account is in."""

    address: RoomAddress
    name: str
    """For people; may be empty."""
    limits: Limits


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who is in the room, by what the server says."""

    account: Account
    membership: Membership
    display_name: str
    """For people, and chosen by them: never who somebody is."""
    power: int
    """Matrix: the power level. XMPP: owner 100, admin 50, others 0."""


class Transport(Protocol):
    """One account on one network. All methods raise `transports.errors.TransportError`, and nothing else on purpose."""

    network: Network
    on_state: Callable[[ConnectionState], None]
    """Told whenever the connection changes; set by the caller, and must not raise."""

    @property
    def account(self) -> Account:
        """Who this is. Known once `start` has returned."""
        ...

    async def start(self) -> None:
        """Connect and log in. Raises `LoginError`, `UntrustedServerError`; `ConnectionLostError` at the first try."""
        ...

    async def join(self, room: str, *, history_since: int = 0) -> JoinedRoom:
        """Enter a room, given as people write it: an alias, an id, a JID, or a `RoomAddress`.

        Where the cursor has no place in that room yet, `batches` begins with the envelopes posted since `history_since`
        (milliseconds since 1970). Raises `RoomNotFoundError`, `RoomEndedError`, `ForbiddenError` and
        `UnsuitableRoomError`, also for a room that the account was in and is not let into any more.
        """
        ...

    def batches(self, cursor: bytes | None) -> AsyncIterator[Batch]:
        """Yield what happened in the joined rooms since `cursor` (`None`: from the beginning), without end.

        A batch holds at most 1,000 events. The next one is fetched when it is asked for: who is slow is not flooded.
        To be iterated once at a time.
        """
        ...

    async def publish(
        self,
        room: RoomAddress,
        envelope: bytes,
        *,
        transaction: str,
        note: RelayNote | None = None,
        fallback: str | None = None,
    ) -> None:
        """Post an envelope. `transaction` is the caller's own id for it, at most 64 letters, digits, `-` and `_`.

        `fallback` is what clients without MLS show instead, where the network has a place for that. Raises
        `RetryableError` where nobody knows whether it arrived, `TooLargeError`, `ForbiddenError`.
        """
        ...

    async def post_notice(self, room: RoomAddress, text: str, *, transaction: str) -> None:
        """Post a plain text that everybody can read. For the closed list of notices alone."""
        ...

    async def members(self, room: RoomAddress) -> tuple[Member, ...]:
        """Return who is in the room, as the server says now."""
        ...

    async def leave(self, room: RoomAddress) -> None:
        """Leave the room for good."""
        ...

    async def close(self) -> None:
        """Disconnect. Idempotent; `batches` ends."""
        ...

"""What a relay does with what happens in a room. Pure: `decide` and nothing else.

=============================  ===================================================================================
what it sees                   what it does
=============================  ===================================================================================
a probe                        nothing: it measures its room alone
an envelope of another kind    copies it to the other sides as it is, with a note of where it saw it. A note that was
                               there already is replaced: it was the claim of whoever posted this copy
its own `hello` or claim       nothing: each room has its own
a claim about another side     does not copy it to that side, which knows
another relay's `hello`        remembers that relay, and copies the `hello`
a join or leave                claims it on the other sides, except its own
plaintext                      counts it: into an encrypted room nothing is copied in clear
the end of the room            nothing any more: what comes after it is not copied
=============================  ===================================================================================

Loops end because of what the consumer knows, not here: an envelope is not copied to where its identity has been seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from bridge.protocol.bodies import Hello, MembershipClaim, open_body
from bridge.protocol.code_points import PROBE, EnvelopeKind
from bridge.protocol.envelope import Envelope, envelope, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.relay.settings import Counted, Side
from transports.room import (
    Account,
    EnvelopeSeen,
    HistoryLost,
    MalformedSeen,
    Membership,
    MembershipSeen,
    PlaintextSeen,
    RelayNote,
    RoomAddress,
    RoomEnded,
    RoomEvent,
)

__all__ = ["Copy", "Effect", "MeetRelay", "decide"]


@dataclass(frozen=True, slots=True)
class Copy:
    """Post these bytes on the other sides."""

    envelope: bytes
    note: RelayNote | None
    sender: Account | None
    """Who caused it, and pays for it with a quota."""
    targets: tuple[Side, ...]


@dataclass(frozen=True, slots=True)
class MeetRelay:
    """Another relay says that it links these rooms."""

    account: Account
    rooms: frozenset[RoomAddress]


Effect: TypeAlias = Copy | MeetRelay | Counted


def decide(source: Side, targets: Sequence[Side], max_envelope: int, event: RoomEvent) -> tuple[Effect, ...]:
    """Return what follows from something that happened in the source room."""
    match event:
        case EnvelopeSeen():
            return _of_envelope(source, targets, max_envelope, event)
        case MembershipSeen():
            return _of_membership(source, targets, event)
        case PlaintextSeen():
            return (Counted.PLAINTEXT,)
        case MalformedSeen():
            return (Counted.MALFORMED,)
        case HistoryLost():
            return (Counted.HISTORY_LOST,)
        case RoomEnded():
            return (Counted.ROOM_ENDED,)
        case _:
            assert_never(event)


def _of_envelope(source: Side, targets: Sequence[Side], max_envelope: int, event: EnvelopeSeen) -> tuple[Effect, ...]:
    if len(event.envelope) > max_envelope:
        return (Counted.TOO_LARGE,)
    try:
        opened = open_envelope(event.envelope)
    except ProtocolError:
        return (Counted.MALFORMED,)
    sender = event.origin.sender
    is_original = event.note is None
    if opened.kind == EnvelopeKind.FRAGMENT:
        return (Counted.MALFORMED,)  # one that stands alone: parts are put together before
    is_own = opened.kind in _FOR_ITS_ROOM and is_original and sender == source.account
    if is_own or opened.kind == PROBE:
        return ()
    about = _room_of_claim(opened)
    note = RelayNote(source.room, sender, event.origin.event_id, event.origin.at)
    elsewhere = tuple(target for target in targets if target.room != about)
    copy = Copy(event.envelope, note, sender, elsewhere)
    rooms = _rooms_of_hello(opened)
    if not rooms or not is_original or sender is None:
        return (copy,)
    return (MeetRelay(sender, rooms), copy)


_FOR_ITS_ROOM = frozenset({EnvelopeKind.HELLO, EnvelopeKind.MEMBERSHIP})
"""What a relay posts of its own, in each room for itself."""

_LATEST = (1 << 63) - 1
"""The latest time that is told: a server's clock may say anything."""

_COMINGS_AND_GOINGS = frozenset({Membership.JOINED, Membership.LEFT, Membership.KICKED, Membership.BANNED})


def _of_membership(source: Side, targets: Sequence[Side], event: MembershipSeen) -> tuple[Effect, ...]:
    if event.account == source.account or event.membership not in _COMINGS_AND_GOINGS:
        return ()
    claim = MembershipClaim(
        source.room.encode(),
        event.account.encode(errors="replace"),
        event.membership.value.encode(),
        (event.origin.sender or "").encode(errors="replace"),
        min(max(event.origin.at, 0), _LATEST),
    )
    # Of the event alone: two relays that saw it say the same bytes, and one of the two copies is dropped.
    data = envelope(EnvelopeKind.MEMBERSHIP, b"", claim).encode()
    return (Copy(data, None, event.origin.sender, tuple(targets)),)


def _room_of_claim(opened: Envelope) -> str | None:
    if opened.kind != EnvelopeKind.MEMBERSHIP:
        return None
    try:
        return open_body(MembershipClaim, opened).room.decode(errors="replace")
    except ProtocolError:
        return None  # of a version to come, perhaps: receivers decide


def _rooms_of_hello(opened: Envelope) -> frozenset[RoomAddress]:
    if opened.kind != EnvelopeKind.HELLO:
        return frozenset()
    try:
        rooms = open_body(Hello, opened).rooms
    except ProtocolError:
        return frozenset()  # the same
    return frozenset(RoomAddress(room.decode(errors="replace")) for room in rooms[:_MAX_ROOMS])


_MAX_ROOMS = 64

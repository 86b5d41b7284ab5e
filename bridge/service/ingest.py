"""From a transport's batch to what roles see: whole, well-formed envelopes, each one once, in the order of the room.

All that a batch brings goes into one transaction, its cursor too: a crash leaves either all of it or nothing, and then
the network tells it again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from bridge.protocol.bodies import PublishedKeyPackage, open_body
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import Envelope, identity_of, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.fragments import Fragment, check_fragment, join_fragments
from bridge.protocol.identity import identity_of_credential
from bridge.service.transactions import of_whole
from bridge.store import Transaction
from bridge.store.errors import FragmentError
from mls.errors import DecodeError
from mls.wire.key_package import KeyPackage
from mls.wire.message import MLSMessage
from transports.room import (
    Account,
    Batch,
    EnvelopeSeen,
    HistoryLost,
    MalformedSeen,
    Membership,
    MembershipSeen,
    RoomAddress,
    RoomEnded,
    RoomEvent,
)

__all__ = ["Ingested", "Refusal", "ingest"]


class Refusal(StrEnum):
    """Why an event is not passed on as it came."""

    MALFORMED = "malformed"
    DUPLICATE = "duplicate"


@dataclass(slots=True)
class Ingested:
    """What a batch has brought. Holds once the transaction is committed."""

    rooms: set[RoomAddress] = field(default_factory=set)
    """Where there is something new."""
    reflected: dict[str, RoomAddress] = field(default_factory=dict)
    """One's own envelopes that have come back, by transaction, and where."""
    put_out: set[RoomAddress] = field(default_factory=set)
    """Rooms that the account is not in any more, by the last word about it."""
    ended: dict[RoomAddress, str] = field(default_factory=dict)
    """Rooms that are no more, and why."""
    refused: Counter[tuple[RoomAddress, Refusal]] = field(default_factory=Counter)


async def ingest(tx: Transaction, account: Account, batch: Batch, *, now: int) -> Ingested:
    """Write what a batch brings, and its cursor."""
    ingested = Ingested()
    passed: list[RoomEvent] = []
    for event in batch.events:
        new = await _Envelope(tx, account, ingested, now).take(event) if isinstance(event, EnvelopeSeen) else event
        if new is not None:
            passed.append(new)
            ingested.rooms.add(room_of(new))
        if isinstance(new, MembershipSeen) and new.account == account:
            (ingested.put_out.add if new.membership in _OUTSIDE else ingested.put_out.discard)(new.origin.room)
        elif isinstance(new, MalformedSeen):
            ingested.refused[new.origin.room, Refusal.MALFORMED] += 1
        elif isinstance(new, RoomEnded):
            ingested.ended[new.room] = new.reason
    if passed:
        await tx.events.append(account, passed)
    await tx.cursors.put(account, batch.cursor)
    return ingested


def room_of(event: RoomEvent) -> RoomAddress:
    """Return the room where something happened."""
    return event.room if isinstance(event, HistoryLost | RoomEnded) else event.origin.room


_NEVER_DUPLICATE: Final = frozenset({EnvelopeKind.ANSWER})
"""The same question can be asked again and deserve the same answer: what tells answers apart is in them."""

_OUTSIDE: Final = frozenset({Membership.LEFT, Membership.KICKED, Membership.BANNED})

_MAX_KEY_PACKAGE: Final = 64 << 10
"""Bytes of a copy that is looked into."""


@dataclass(frozen=True, slots=True)
class _Envelope:
    """The way of one envelope through the checks."""

    tx: Transaction
    account: Account
    ingested: Ingested
    now: int

    async def take(self, seen: EnvelopeSeen) -> EnvelopeSeen | MalformedSeen | None:
        """Return what roles are to see of it; `None` for a part of something that is not whole yet, and for a copy."""
        try:
            sealed = open_envelope(seen.envelope)
            if sealed.kind == EnvelopeKind.FRAGMENT:
                whole = await self._join(seen, sealed)
                if whole is None:
                    return None
                seen, sealed = whole
        except (ProtocolError, FragmentError) as error:
            return MalformedSeen(seen.origin, error.what)
        if seen.transaction is not None and await self.tx.outbox.mark_reflected(
            self.account, seen.transaction, self.now
        ):
            self.ingested.reflected[seen.transaction] = seen.origin.room
        if await self._is_copy(seen, sealed):
            self.ingested.refused[seen.origin.room, Refusal.DUPLICATE] += 1
            return None
        return seen

    async def _join(self, seen: EnvelopeSeen, sealed: Envelope) -> tuple[EnvelopeSeen, Envelope] | None:
        """Add a fragment to those that are there. Returns the envelope once it is whole. Raises `ProtocolError`."""
        fragment = open_body(Fragment, sealed)
        check_fragment(fragment)
        parts = await self.tx.fragments.add(
            f"{self.account} {seen.origin.room}",
            fragment.whole,
            fragment.index,
            fragment.count,
            fragment.part,
            self.now,
            source=seen.origin.sender or "",
        )
        if parts is None:
            return None
        data = join_fragments(fragment.whole, parts)
        joined = open_envelope(data)
        if joined.kind == EnvelopeKind.FRAGMENT or joined.group_id != sealed.group_id:
            raise ProtocolError("fragments of what may not come in fragments, or of another group")
        transaction = None if seen.transaction is None else of_whole(seen.transaction)
        return replace(seen, envelope=data, transaction=transaction), joined

    async def _is_copy(self, seen: EnvelopeSeen, sealed: Envelope) -> bool:
        """Remember the envelope. Returns whether it is only a copy of one that was there."""
        scope = f"{self.account} {seen.origin.room}"
        identity = identity_of(seen.envelope)
        is_new = await self.tx.seen.add(scope, identity, self.now)
        if sealed.kind == EnvelopeKind.KEY_PACKAGE and _is_of(sealed, seen.origin.sender):
            # A copy that was faster, a relay's or a rogue's, must not keep the account from being seen to post it.
            return not await self.tx.seen.add(f"{scope} by its account", identity, self.now)
        return not is_new and sealed.kind not in _NEVER_DUPLICATE


def _is_of(sealed: Envelope, sender: Account | None) -> bool:
    """Whether a KeyPackage is for the account that posted it."""
    if sender is None or len(sealed.body) > _MAX_KEY_PACKAGE:
        return False
    try:
        message = MLSMessage.decode(open_body(PublishedKeyPackage, sealed).key_package).message
        if not isinstance(message, KeyPackage):
            return False
        return identity_of_credential(message.leaf_node.credential).account == sender
    except (DecodeError, ProtocolError):
        return False  # whoever gets it says what is wrong with it

"""From a transport's batch to what roles see: whole, well-formed envelopes, each one once, in the order of the room.

All that a batch brings goes into one transaction, its cursor too: a crash leaves either all of it or nothing, and then
the network tells it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
    whole = [await _opened(tx, account, event, now) for event in batch.events]
    envelopes = [one for one in whole if isinstance(one, _Opened)]
    ingested.reflected = await _reflections(tx, account, envelopes, now)
    copies = await _copies(tx, envelopes, now)
    passed: list[RoomEvent] = []
    for new in whole:
        if isinstance(new, _Opened):
            if id(new) in copies:
                ingested.refused[new.seen.origin.room, Refusal.DUPLICATE] += 1
            else:
                passed.append(new.seen)
        elif new is not None:
            passed.append(new)
            _note(ingested, account, new)
    ingested.rooms.update(map(room_of, passed))
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


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """A whole envelope, and what it holds."""

    seen: EnvelopeSeen
    sealed: Envelope
    identity: bytes
    scopes: tuple[str, ...]
    """Under what it is remembered. It is a copy if it is known under the last of these."""

    @classmethod
    def of(cls, account: Account, seen: EnvelopeSeen, sealed: Envelope) -> _Opened:
        scope = _scope(account, seen)
        # A copy that was faster, a relay's or a rogue's, must not keep an account from being seen to post its own.
        is_own = sealed.kind == EnvelopeKind.KEY_PACKAGE and _is_of(sealed, seen.origin.sender)
        scopes = (scope, f"{scope} by its account") if is_own else (scope,)
        return cls(seen, sealed, identity_of(seen.envelope), scopes)


async def _opened(tx: Transaction, account: Account, event: RoomEvent, now: int) -> _Opened | RoomEvent | None:
    """Open what is an envelope. Returns `None` for a part of something that is not whole yet."""
    if not isinstance(event, EnvelopeSeen):
        return event
    try:
        sealed = open_envelope(event.envelope)
        if sealed.kind == EnvelopeKind.FRAGMENT:
            return await _join(tx, account, event, sealed, now)
    except (ProtocolError, FragmentError) as error:
        return MalformedSeen(event.origin, error.what)
    return _Opened.of(account, event, sealed)


async def _join(tx: Transaction, account: Account, seen: EnvelopeSeen, sealed: Envelope, now: int) -> _Opened | None:
    """Add a fragment to those that are there. Returns the envelope once it is whole. Raises `ProtocolError`."""
    fragment = open_body(Fragment, sealed)
    check_fragment(fragment)
    parts = await tx.fragments.add(
        _scope(account, seen),
        fragment.whole,
        fragment.index,
        fragment.count,
        fragment.part,
        now,
        source=seen.origin.sender or "",
    )
    if parts is None:
        return None
    data = join_fragments(fragment.whole, parts)
    joined = open_envelope(data)
    if joined.kind == EnvelopeKind.FRAGMENT or joined.group_id != sealed.group_id:
        raise ProtocolError("fragments of what may not come in fragments, or of another group")
    transaction = None if seen.transaction is None else of_whole(seen.transaction)
    return _Opened.of(account, replace(seen, envelope=data, transaction=transaction), joined)


async def _reflections(
    tx: Transaction, account: Account, envelopes: Sequence[_Opened], now: int
) -> dict[str, RoomAddress]:
    """Mark one's own that have come back. Returns those that were waited for, and where they are."""
    own = {one.seen.transaction: one.seen.origin.room for one in envelopes if one.seen.transaction is not None}
    waited = await tx.outbox.mark_reflected(account, own, now)
    return {transaction: room for transaction, room in own.items() if transaction in waited}


async def _copies(tx: Transaction, envelopes: Sequence[_Opened], now: int) -> set[int]:
    """Remember all of these. Returns those, by `id`, that are only copies of what was there."""
    of_scope: dict[str, dict[bytes, None]] = {}
    for one in envelopes:
        for scope in one.scopes:
            of_scope.setdefault(scope, {})[one.identity] = None
    new = {scope: await tx.seen.add(scope, identities, now) for scope, identities in of_scope.items()}
    copies: set[int] = set()
    for one in envelopes:
        is_new = one.identity in new[one.scopes[-1]]
        if not is_new and one.sealed.kind not in _NEVER_DUPLICATE:
            copies.add(id(one))
        for scope in one.scopes:  # the next one is a copy of this one
            new[scope].discard(one.identity)
    return copies


def _scope(account: Account, seen: EnvelopeSeen) -> str:
    return f"{account} {seen.origin.room}"


def _note(ingested: Ingested, account: Account, event: RoomEvent) -> None:
    """Take note of what concerns the account itself."""
    if isinstance(event, MembershipSeen) and event.account == account:
        (ingested.put_out.add if event.membership in _OUTSIDE else ingested.put_out.discard)(event.origin.room)
    elif isinstance(event, MalformedSeen):
        ingested.refused[event.origin.room, Refusal.MALFORMED] += 1
    elif isinstance(event, RoomEnded):
        ingested.ended[event.room] = event.reason


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

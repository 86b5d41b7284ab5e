"""From a transport's batch to what roles see: whole, well-formed envelopes, each one once, in the order of the room.

All that a batch brings goes into one transaction, its cursor too: a crash leaves either all of it or nothing, and then
the network tells it again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from bridge.protocol.bodies import open_body
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import Envelope, identity_of, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.fragments import Fragment, check_fragment, join_fragments
from bridge.service.transactions import of_whole
from bridge.store import Transaction
from bridge.store.errors import FragmentError
from transports.room import Account, Batch, EnvelopeSeen, HistoryLost, MalformedSeen, RoomAddress, RoomEvent

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
    reflected: list[str] = field(default_factory=list)
    """Transactions of one's own envelopes that have come back."""
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
        if isinstance(new, MalformedSeen):
            ingested.refused[new.origin.room, Refusal.MALFORMED] += 1
    if passed:
        await tx.events.append(account, passed)
    await tx.cursors.put(account, batch.cursor)
    return ingested


def room_of(event: RoomEvent) -> RoomAddress:
    """Return the room where something happened."""
    return event.room if isinstance(event, HistoryLost) else event.origin.room


_NEVER_DUPLICATE: Final = frozenset({EnvelopeKind.ANSWER})
"""The same question can be asked again and deserve the same answer: what tells answers apart is in them."""


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
            self.ingested.reflected.append(seen.transaction)
        if sealed.kind not in _NEVER_DUPLICATE and await self._is_known(seen):
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

    async def _is_known(self, seen: EnvelopeSeen) -> bool:
        scope = f"{self.account} {seen.origin.room}"
        return not await self.tx.seen.add(scope, identity_of(seen.envelope), self.now)

"""The way of copies from one room to another: held, waiting in turn, handed to the outbox.

::

    copy --known there?--> dropped
     |
     +--another relay's turn, the other room not read yet, or something held--> held ------+
     |                                                                                     |
     +---> waiting, a lane for each sender --few of ours in the outbox--> outbox <---------+
                                           (known there by now? dropped)

The outbox is kept short, so that a flood waits here, where its sender has a lane of its own, and not there, where all
would stand behind it. What is held or waits is in the store. The transaction of a copy follows from its identity and
from where it goes: handed over twice, it is one copy.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from bridge.order.fair_queue import FairQueue
from bridge.order.lanes import ByteQuota
from bridge.relay.pending import Pending, transaction_of
from bridge.relay.settings import Counted, Side
from bridge.relay.turns import Turns

if TYPE_CHECKING:
    from bridge.store import Transaction

__all__ = ["Way", "WayStep"]

WINDOW: Final = 64
"""Copies on this way that stand in the outbox, at the most."""

POLL: Final = 50
"""Milliseconds after which a full outbox is looked at again."""

READING_POLL: Final = 250
"""Milliseconds after which it is looked at again whether the other room has been read."""

_HELD: Final = b""
"""The one lane of what is held: it keeps the order of the room."""

_UNLIMITED: Final = ByteQuota(per_minute=1 << 40)


class Way:
    """To one room. Changes only once a transaction is committed, by `WayStep.after_commit`."""

    def __init__(
        self,
        name: str,
        target: Side,
        quota: ByteQuota,
        is_live: Callable[[Side], bool],
        has_ended: Callable[[Side], bool],
    ) -> None:
        self.target = target
        self.is_live = is_live
        self.has_ended = has_ended
        self.held = FairQueue(f"{name} held {target.scope}", _UNLIMITED)
        self.waiting = FairQueue(f"{name} waits {target.scope}", quota)
        self.handed: deque[str] = deque()
        """Transactions in the outbox, the oldest first."""

    async def load(self, tx: Transaction) -> None:
        """Read what was held and waited when the process ended."""
        await self.held.load(tx.records)
        await self.waiting.load(tx.records)
        self.handed.clear()

    def step(self, tx: Transaction, now: int) -> WayStep:
        """Begin what happens within one transaction."""
        return WayStep(self, tx, now)


class WayStep:
    """What happens on a way within one transaction."""

    def __init__(self, way: Way, tx: Transaction, now: int) -> None:
        self.target = way.target
        self.has_ended = way.has_ended(way.target)
        self.handed_over: Counter[Counted] = Counter()
        self._way = way
        self._tx = tx
        self._now = now
        self._is_live = way.is_live(way.target)
        self._held = way.held.step(tx.records)
        self._waiting = way.waiting.step(tx.records)
        self._handed = deque(way.handed)
        self._unknown: set[bytes] = set()
        """Identities that were looked up within this transaction, and not found."""

    async def send(self, pending: Pending, *, wait: int) -> bool:
        """Let a copy go its way, after standing by for `wait` milliseconds. `False` where it is known there."""
        if await self._is_known(pending):
            return False
        if self._is_live and not wait and self._held.lanes.is_empty:  # what is held came before
            self._let_wait(pending)
        else:
            self._hold(pending, wait)
        return True

    async def finish(self, turns: Turns) -> Turns:
        """Move on what may move, and write what has changed. Returns what was learned of other relays."""
        if self.has_ended:
            return turns  # what waits for it stays where it is
        if self._is_live:
            turns = await self._release(turns)
        while self._is_due(self._waiting.lanes.next_due()) and await self._has_room():
            content = await self._waiting.pop(self._now)
            if content is not None:
                await self._hand_over(Pending.decode(content))
        await self._held.save(self._now)
        await self._waiting.save(self._now)
        return turns

    def due(self) -> int | None:
        """Return when there is something to do without anything happening."""
        if self.has_ended:
            return None
        held, waiting = self._held.lanes.next_due(), self._waiting.lanes.next_due()
        if held is not None and not self._is_live:
            held = max(held, self._now + READING_POLL)
        if waiting is not None:
            waiting = waiting if waiting > self._now else self._now + POLL
        return min((at for at in (held, waiting) if at is not None), default=None)

    def after_commit(self) -> None:
        """Take over what has changed."""
        self._held.after_commit()
        self._waiting.after_commit()
        self._way.handed = self._handed

    async def _release(self, turns: Turns) -> Turns:
        """Look again at what was held."""
        while (content := await self._held.pop(self._now)) is not None:
            pending = Pending.decode(content)
            if await self._is_known(pending):
                continue
            if pending.stood_by:
                turns = turns.passed(self.target.room, self._now)
            elif wait := turns.wait(self.target.room, self._now):
                # Where it stands: what is held behind it came later, and may have stood by already.
                self._held.put_back(_HELD, pending.replace(stood_by=1).encode(), due=self._now + wait)
                break
            self._let_wait(pending)
        return turns

    def _hold(self, pending: Pending, wait: int) -> None:
        stored = pending.replace(stood_by=int(wait > 0)).encode()
        self._held.push(_HELD, stored, now=self._now, not_before=self._now + wait)

    def _let_wait(self, pending: Pending) -> None:
        self._waiting.push(pending.payer, pending.encode(), now=self._now, size=len(pending.envelope))

    async def _hand_over(self, pending: Pending) -> None:
        if await self._is_known(pending):
            return
        entry = pending.entry(self.target, self._now)
        await self._tx.outbox.add(entry)
        self._unknown.discard(pending.identity)
        self._handed.append(entry.transaction)
        self.handed_over[Counted.CLAIMED if pending.is_claim else Counted.COPIED] += 1

    async def _is_known(self, pending: Pending) -> bool:
        """Whether the envelope stands in the other room, or is on its way into it."""
        identity = pending.identity
        if identity in self._unknown:
            return False
        if await self._tx.seen.contains(self.target.scope, identity) or await self._tx.outbox.contains(
            self.target.account, transaction_of(identity, self.target)
        ):
            return True
        self._unknown.add(identity)
        return False

    async def _has_room(self) -> bool:
        if len(self._handed) < WINDOW:
            return True
        oldest = await self._tx.outbox.get(self.target.account, self._handed[0])
        if oldest is not None and oldest.reflected_at is None:
            return False
        self._handed.popleft()
        return True

    def _is_due(self, at: int | None) -> bool:
        return at is not None and at <= self._now

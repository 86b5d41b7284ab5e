"""One side of a link: takes in what happens in its room, and sends copies on their ways to the other rooms.

============================  ====================================================================================
where                         what
============================  ====================================================================================
record space `NAME`           `relays`: other relays between these rooms
`NAME held SIDE`, `... items` what is held back on the way to a side (`bridge.relay.way`)
`NAME waits SIDE`, `... items` what waits for its turn on the way to a side
============================  ====================================================================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, assert_never

import structlog

from bridge.relay.decisions import Copy, MeetRelay, decide
from bridge.relay.greeting import greet
from bridge.relay.pending import Pending
from bridge.relay.settings import Counted, RelaySettings, Side
from bridge.relay.turns import Turns, decode_relays, encode_relays
from bridge.relay.way import Way
from mls.crypto.random import Random

if TYPE_CHECKING:
    from bridge.service.consumer import AfterCommit
    from bridge.store import StoredEvent, Transaction
    from transports.room import RoomEvent

__all__ = ["Relay"]

log = structlog.get_logger("relay")

_RELAYS: Final = b"relays"


class Relay:
    """Copies from one room to the other rooms of its link. A `bridge.service.consumer.Consumer`."""

    def __init__(
        self,
        source: Side,
        targets: Sequence[Side],
        settings: RelaySettings,
        *,
        random: Random,
        is_live: Callable[[Side], bool],
        has_ended: Callable[[Side], bool] = lambda _side: False,
        count: Callable[[Counted, int], None] = lambda _what, _number: None,
    ) -> None:
        """`is_live` tells whether all that stands in a room is stored: before, it is not known what is there.

        `has_ended` tells whether a room is no more: nothing is copied to it then.
        """
        self.name = f"relay {settings.link} {source.scope}"
        self.account = source.account
        self.room = source.room
        self._source = source
        self._settings = settings
        self._random = random
        self._count = count
        self._turns = Turns(source.room, source.account)
        self._ways = tuple(Way(self.name, target, settings.quota, is_live, has_ended) for target in targets)
        self._has_ended = False
        self._greet_at = 0
        self._next_wake: int | None = None

    async def start(self, tx: Transaction, *, now: int) -> AfterCommit:
        for way in self._ways:
            await way.load(tx)
        stored = await tx.records.get(self.name, _RELAYS)
        relays = {} if stored is None else decode_relays(stored)
        self._turns = Turns(self.room, self.account, relays)
        return await self.wake(tx, now=now)

    async def take(self, tx: Transaction, events: Sequence[StoredEvent], *, now: int) -> AfterCommit:
        step = _Step(self.name, self._source, self._turns, self._ways, tx, now)
        for stored in events:
            if self._has_ended or step.counts[Counted.ROOM_ENDED]:
                break
            await step.take(stored.event, self._settings.max_envelope)
        return await self._finish(step, tx, now)

    async def caught_up(self, tx: Transaction, *, now: int) -> AfterCommit:  # noqa: ARG002 - nothing waits for that here
        return lambda: None

    def next_wake(self) -> int | None:
        return self._next_wake

    async def wake(self, tx: Transaction, *, now: int) -> AfterCommit:
        step = _Step(self.name, self._source, self._turns, self._ways, tx, now)
        return await self._finish(step, tx, now)

    async def _finish(self, step: _Step, tx: Transaction, now: int) -> AfterCommit:
        await step.finish()
        greet_at = self._greet_at
        if now >= greet_at:
            greet_at = await greet(tx, self._source, self._settings, random=self._random, now=now)
        if step.turns.relays != self._turns.relays:
            await tx.records.put(self.name, _RELAYS, encode_relays(step.turns.relays))

        def after_commit() -> None:
            if new := len(step.turns.relays) - len(self._turns.relays):
                log.info("other relays between these rooms", room=self.room, new=new)
            self._turns, self._greet_at = step.turns, greet_at
            self._next_wake = min((at for at in (greet_at, step.due()) if at is not None), default=None)
            step.after_commit()
            self._has_ended = self._has_ended or Counted.ROOM_ENDED in step.counts
            for what, number in step.counts.items():
                self._count(what, number)
            for what in _WORTH_TELLING & step.counts.keys():
                log.warning("not copied", room=self.room, reason=what.value, number=step.counts[what])

        return after_commit


_WORTH_TELLING = frozenset({Counted.MALFORMED, Counted.TOO_LARGE, Counted.HISTORY_LOST, Counted.ROOM_ENDED})


class _Step:
    """What happens within one transaction."""

    def __init__(self, name: str, source: Side, turns: Turns, ways: Sequence[Way], tx: Transaction, now: int) -> None:
        self.turns = turns
        self.counts: Counter[Counted] = Counter()
        self._name = name
        self._source = source
        self._ways = [way.step(tx, now) for way in ways]
        self._tx = tx
        self._now = now

    async def take(self, event: RoomEvent, max_envelope: int) -> None:
        """Do what follows from something that happened."""
        for effect in decide(self._source, [way.target for way in self._ways], max_envelope, event):
            match effect:
                case Copy():
                    await self._copy(effect)
                case MeetRelay():
                    self.turns = self.turns.meet(effect.account, effect.rooms)
                case Counted():
                    self.counts[effect] += 1
                case _:
                    assert_never(effect)

    async def finish(self) -> None:
        """Move on what may move."""
        for way in self._ways:
            self.turns = await way.finish(self.turns)
            self.counts += way.handed_over

    def due(self) -> int | None:
        """Return when there is something to do without anything happening."""
        return min((at for at in (way.due() for way in self._ways) if at is not None), default=None)

    def after_commit(self) -> None:
        """Take over what has changed."""
        for way in self._ways:
            way.after_commit()

    async def _copy(self, copy: Copy) -> None:
        pending = Pending.of(copy)
        for way in self._ways:
            if way.target not in copy.targets or way.has_ended:
                continue
            is_new = await way.send(pending, wait=self.turns.wait(way.target.room, self._now))
            if not is_new and copy.sender != self._source.account:
                self.turns = self.turns.returned(way.target.room)

"""The sequencer of one home room: what stands there gets its place in the group's log, signed, once and for good.

What it seals, and when, is in `bridge.order.sealing`; what is written of it, in `bridge.order.sequencer_step`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import structlog

from bridge.order import sealing
from bridge.order.fair_queue import FairQueue
from bridge.order.sealing import Memory, SealingSettings, Stop
from bridge.order.sequencer_step import MEMORY, SEAL, Office, Standing, Step
from bridge.protocol.bodies import Hello
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope
from bridge.protocol.seal import Seal
from bridge.store.outbox import OutboxEntry
from mls.crypto.random import Random
from mls.crypto.signature import Ed25519, SignaturePrivateKey
from transports.room import Account, EnvelopeSeen, RoomAddress, RoomEnded

if TYPE_CHECKING:
    from bridge.service.consumer import AfterCommit
    from bridge.store import StoredEvent, Transaction

__all__ = ["KEYS", "RESTORED", "Sequencer", "sealed_group", "signing_key"]

log = structlog.get_logger("order.sequencer")

KEYS: Final = "sequencer key"
"""The space of the records that hold keys, by room."""

RESTORED: Final = "sequencer restored"
"""The space of the records that say that a room's key came out of a backup."""

_NONCE: Final = 6
_MAX_SOFTWARE: Final = 64

_REFUSED_AGAIN: Final = 60_000
"""Milliseconds after which what the room has refused is posted again."""

_MAX_ARRIVALS: Final = 4_096
"""Envelopes whose time to their seal is measured at once."""


async def signing_key(tx: Transaction, room: RoomAddress, random: Random) -> SignaturePrivateKey:
    """Return the key that a room's seals are signed with, made at the first time. It signs nothing else."""
    secret = await tx.records.get(KEYS, room.encode())
    if secret is None:
        secret = Ed25519().generate(random)
        await tx.records.put(KEYS, room.encode(), secret)
    return SignaturePrivateKey(Ed25519(), secret)


async def sealed_group(tx: Transaction, account: Account, room: RoomAddress) -> bytes:
    """Return the id of the group that is sealed in a room; empty where there is none yet."""
    stored = await tx.records.get(MEMORY, _name(account, room).encode())
    return b"" if stored is None else Memory.decode(stored).group_id


class Sequencer:
    """Seals what stands in one room. A `bridge.service.consumer.Consumer`."""

    def __init__(
        self,
        account: Account,
        room: RoomAddress,
        *,
        key: SignaturePrivateKey,
        hello: Hello,
        settings: SealingSettings,
        random: Random,
        on_seal: Callable[[int], None] = lambda _: None,
        on_shown: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`hello` is what it says of itself when it starts.

        `on_seal` is told how many envelopes a seal orders; `on_shown`, of each, how many milliseconds it took from its
        arrival until the room showed its seal.
        """
        self.name = _name(account, room)
        self.account = account
        self.room = room
        self._hello = hello
        self._random = random
        self._on_seal = on_seal
        self._on_shown = on_shown
        self._office = Office(self.name, account, room, key, settings)
        self._standing = Standing(sealing.begin(settings))
        self._queue = FairQueue(self.name, settings.quota)
        self._next_wake: int | None = None
        self._arrivals: dict[bytes, int] = {}
        self._refusal = ""
        self._post_again_at: int | None = None

    @property
    def alarm(self) -> str | None:
        """Why it seals no more, for people; `None` as long as it does."""
        return self._standing.memory.stopped.decode() or self._standing.ended or self._refusal or None

    @property
    def warning(self) -> str | None:
        """What else people should know: that another group is in the room."""
        standing = self._standing
        if not standing.stranger:
            return None
        sealed = standing.memory.group_id.hex()
        return f"another group is in this room and is not sealed: {standing.stranger.hex()}; the one that is: {sealed}"

    def publishing_failed(self, entry: OutboxEntry, reason: str) -> None:
        """Take note that the room has refused an envelope for good.

        A seal cannot be left out, nor made anew: it is posted again, after a while, until somebody has mended the room.
        """
        if entry.transaction.startswith(SEAL) or entry.transaction == self._standing.start_transaction:
            self._refusal = f"the room refuses what the sequencer posts: {reason}"

    async def start(self, tx: Transaction, *, now: int) -> AfterCommit:
        stored = await tx.records.get(MEMORY, self.name.encode())
        memory = sealing.begin(self._office.settings) if stored is None else Memory.decode(stored)
        memory = await self._turn_to_the_wanted(tx, memory)
        if await tx.records.get(RESTORED, self.room.encode()) is not None:
            memory = sealing.stop(memory, Stop.RESTORED)
        await self._queue.load(tx.records)
        # Whatever stands in the room before this comes before its reflection: then it is known what is sealed.
        nonce = self._random(_NONCE).hex()
        software = self._hello.software[: _MAX_SOFTWARE - len(nonce) - 1] + b" " + nonce.encode()
        greeting = envelope(EnvelopeKind.HELLO, b"", self._hello.replace(software=software)).encode()
        self._standing = Standing(memory, start_transaction=f"start-{nonce}", greeting=greeting)
        step = self._step(tx, now)
        await step.post_again()
        return self._take_over(step)

    async def take(self, tx: Transaction, events: Sequence[StoredEvent], *, now: int) -> AfterCommit:
        step = self._step(tx, now)
        for stored in events:
            if isinstance(stored.event, EnvelopeSeen):
                await step.take(stored.event)
            elif isinstance(stored.event, RoomEnded):
                step.end(stored.event.reason)
        await step.finish()
        return self._take_over(step)

    async def caught_up(self, tx: Transaction, *, now: int) -> AfterCommit:  # noqa: ARG002 - nothing waits for that here
        return lambda: None

    def next_wake(self) -> int | None:
        if not self._refusal:
            return self._next_wake
        again_at = 0 if self._post_again_at is None else self._post_again_at
        return again_at if self._next_wake is None else min(again_at, self._next_wake)

    async def wake(self, tx: Transaction, *, now: int) -> AfterCommit:
        step = self._step(tx, now)
        again_at = self._post_again_at
        if self._refusal and again_at is None:
            again_at = now + _REFUSED_AGAIN
        elif again_at is not None and again_at <= now:
            await step.post_again()
            again_at = now + _REFUSED_AGAIN  # until the room shows it
        await step.finish()
        after = self._take_over(step)

        def after_commit() -> None:
            self._post_again_at = again_at
            after()

        return after_commit

    async def _turn_to_the_wanted(self, tx: Transaction, memory: Memory) -> Memory:
        """Keep to the group that the settings name, whatever was sealed before."""
        wanted = self._office.settings.group_id
        if wanted in {b"", memory.group_id}:
            return memory
        if memory.group_id:
            log.warning("the configuration names another group than was sealed", room=self.room)
        newest = await tx.log.head(self.name, wanted)
        content = None if newest is None else Seal.decode(newest.seal).content
        turned = sealing.turn_to(memory, wanted, self._office.key.public_key, content)
        await tx.records.put(MEMORY, self.name.encode(), turned.encode())
        return turned

    def _step(self, tx: Transaction, now: int) -> Step:
        return Step(self._office, self._standing, self._queue.step(tx.records), tx, now)

    def _take_over(self, step: Step) -> AfterCommit:
        def after_commit() -> None:
            before, self._standing = self._standing, step.standing
            self._next_wake = step.due()
            step.queue.after_commit()
            self._measure(step)
            if step.is_heard:
                self._refusal, self._post_again_at = "", None
            stopped = self._standing.memory.stopped.decode() or self._standing.ended
            if stopped and not (before.memory.stopped or before.ended):
                log.error("sequencer stopped", room=self.room, reason=stopped)
            if self._standing.stranger and not before.stranger:
                log.warning("handshakes of another group are not sealed", room=self.room)
            for count in step.sealed:
                self._on_seal(count)

        return after_commit

    def _measure(self, step: Step) -> None:
        self._arrivals |= step.arrived
        for identity in step.shown:
            if (arrived := self._arrivals.pop(identity, None)) is not None:
                self._on_shown(max(0, step.now - arrived))
        for identity in tuple(self._arrivals)[:-_MAX_ARRIVALS]:
            del self._arrivals[identity]


def _name(account: Account, room: RoomAddress) -> str:
    return f"sequencer {account} {room}"

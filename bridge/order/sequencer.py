"""The sequencer of one home room: what stands there gets its place in the group's log, signed, once and for good.

All that a seal changes is written in one transaction before it leaves: the memory with its place, the hashes that it
seals, the seal itself, and its row in the outbox. So a crash leaves either a seal that will be posted, or none.

============================  ====================================================================================
where                         what
============================  ====================================================================================
record space `sequencer`      the memory, by account and room
record space `sequencer key`  the signature key, by room
record space `SCOPE`          the lanes of who waits; `SCOPE items`: what waits (`bridge.order.fair_queue`)
record space `SCOPE sealed`   every hash that is sealed, with its seal's number
`log`, under `SCOPE`          the seals
============================  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import structlog

from bridge.order import sealing
from bridge.order.fair_queue import FairQueue, QueueStep
from bridge.order.sealing import Handed, Memory, SealingSettings, Stop
from bridge.protocol.bodies import Hello, open_body
from bridge.protocol.code_points import MAX_SEAL_ENTRIES, SEALED_KINDS, EnvelopeKind
from bridge.protocol.envelope import Envelope, envelope, identity_of, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.seal import Seal, check_seal, sign_seal
from bridge.store.outbox import OutboxEntry
from mls.crypto.random import Random
from mls.crypto.signature import Ed25519, SignaturePrivateKey
from transports.room import Account, EnvelopeSeen, RoomAddress, RoomEnded

if TYPE_CHECKING:
    from bridge.service.consumer import AfterCommit
    from bridge.store import StoredEvent, Transaction

__all__ = ["Sequencer", "signing_key"]

log = structlog.get_logger("order.sequencer")

_MEMORY: Final = "sequencer"
_KEYS: Final = "sequencer key"
_KEY_SIZE: Final = 32
_SEAL: Final = "seal-"
"""How transactions of seals begin."""
_NONCE: Final = 6
_MAX_SOFTWARE: Final = 64

_REFUSED_AGAIN: Final = 60_000
"""Milliseconds after which what the room has refused is posted again."""

_MAX_ARRIVALS: Final = 4_096
"""Envelopes whose time to their seal is measured at once."""


async def signing_key(tx: Transaction, room: RoomAddress, random: Random) -> SignaturePrivateKey:
    """Return the key that a room's seals are signed with, made at the first time. It signs nothing else."""
    secret = await tx.records.get(_KEYS, room.encode())
    if secret is None:
        secret = Ed25519().generate(random)
        await tx.records.put(_KEYS, room.encode(), secret)
    return SignaturePrivateKey(Ed25519(), secret)


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
        self.name = f"sequencer {account} {room}"
        self.account = account
        self.room = room
        self._hello = hello
        self._random = random
        self._on_seal = on_seal
        self._on_shown = on_shown
        self._office = _Office(self.name, account, room, key, settings)
        self._standing = _Standing(sealing.begin(settings))
        self._queue = FairQueue(self.name, settings.quota)
        self._next_wake: int | None = None
        self._arrivals: dict[bytes, int] = {}
        self._refusal = ""
        self._post_again_at: int | None = None

    @property
    def alarm(self) -> str | None:
        """Why it seals no more, for people; `None` as long as it does."""
        return self._standing.memory.stopped.decode() or self._standing.ended or self._refusal or None

    def publishing_failed(self, entry: OutboxEntry, reason: str) -> None:
        """Take note that the room has refused an envelope for good.

        A seal cannot be left out, nor made anew: it is posted again, after a while, until somebody has mended the room.
        """
        if entry.transaction.startswith(_SEAL) or entry.transaction == self._standing.start_transaction:
            self._refusal = f"the room refuses what the sequencer posts: {reason}"

    async def start(self, tx: Transaction, *, now: int) -> AfterCommit:
        stored = await tx.records.get(_MEMORY, self.name.encode())
        memory = sealing.begin(self._office.settings) if stored is None else Memory.decode(stored)
        await self._queue.load(tx.records)
        # Whatever stands in the room before this comes before its reflection: then it is known what is sealed.
        nonce = self._random(_NONCE).hex()
        software = self._hello.software[: _MAX_SOFTWARE - len(nonce) - 1] + b" " + nonce.encode()
        greeting = envelope(EnvelopeKind.HELLO, b"", self._hello.replace(software=software)).encode()
        self._standing = _Standing(memory, start_transaction=f"start-{nonce}", greeting=greeting)
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

    def _step(self, tx: Transaction, now: int) -> _Step:
        return _Step(self._office, self._standing, self._queue.step(tx.records), tx, now)

    def _take_over(self, step: _Step) -> AfterCommit:
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
            if self._standing.has_met_stranger and not before.has_met_stranger:
                log.warning("handshakes of another group are not sealed", room=self.room)
            for count in step.sealed:
                self._on_seal(count)

        return after_commit

    def _measure(self, step: _Step) -> None:
        self._arrivals |= step.arrived
        for identity in step.shown:
            if (arrived := self._arrivals.pop(identity, None)) is not None:
                self._on_shown(max(0, step.now - arrived))
        for identity in tuple(self._arrivals)[:-_MAX_ARRIVALS]:
            del self._arrivals[identity]


@dataclass(frozen=True, slots=True)
class _Office:
    """What a sequencer is, as long as it runs."""

    name: str
    account: Account
    room: RoomAddress
    key: SignaturePrivateKey
    settings: SealingSettings

    @property
    def sealed_space(self) -> str:
        """Where the hashes are remembered that are sealed."""
        return f"{self.name} sealed"

    def seal_entry(self, group_id: bytes, seal_hash: bytes, seal: bytes, now: int) -> OutboxEntry:
        """Return a seal for the room."""
        data = envelope(EnvelopeKind.SEAL, group_id, seal).encode()
        return self.entry(data, _SEAL + seal_hash.hex()[:40], "seal", now)

    def entry(self, data: bytes, transaction: str, purpose: str, now: int) -> OutboxEntry:
        """Return an envelope for the room."""
        return OutboxEntry(self.account, self.room, data, transaction, None, None, purpose, now)


@dataclass(frozen=True, slots=True)
class _Standing:
    """How a sequencer stands between two steps."""

    memory: Memory
    start_transaction: str = ""
    greeting: bytes = b""
    """What is posted with that transaction."""
    has_read_room: bool = False
    has_met_stranger: bool = False
    ended: str = ""
    """Why the room is no more; empty while it is."""


class _Step:
    """What happens within one transaction."""

    def __init__(self, office: _Office, standing: _Standing, queue: QueueStep, tx: Transaction, now: int) -> None:
        self.standing = standing
        self.queue = queue
        self.sealed: list[int] = []
        self.arrived: dict[bytes, int] = {}
        """What came to be sealed, and when."""
        self.shown: list[bytes] = []
        """What a seal orders that the room has shown now."""
        self.is_heard = False
        """Whether the room has shown something of what was posted."""
        self._stored = standing.memory
        self._office = office
        self._tx = tx
        self.now = now

    async def take(self, event: EnvelopeSeen) -> None:
        """Take in what stands in the room."""
        try:
            opened = open_envelope(event.envelope)
        except ProtocolError:
            return
        if opened.kind in SEALED_KINDS:
            self._hand_in(event, opened)
        elif opened.kind == EnvelopeKind.SEAL:
            await self._meet_seal(event, opened)
        elif event.transaction is not None and event.transaction == self.standing.start_transaction:
            self.is_heard = True
            self.standing = replace(self.standing, has_read_room=True)
            self._memory = sealing.finish_reading(self._memory)

    async def post_again(self) -> None:
        """Post what is sealed, not shown, and not in the outbox any more: a room that refused it may take it now."""
        standing, memory = self.standing, self._memory
        if not standing.has_read_room:
            await self._post(self._office.entry(standing.greeting, standing.start_transaction, "hello", self.now))
        seals = await self._tx.log.seals_after(
            self._office.name, memory.group_id, memory.head.term, memory.shown, sealing.MAX_IN_FLIGHT
        )
        for stored in seals:
            await self._post(self._office.seal_entry(memory.group_id, stored.seal_hash, stored.seal, self.now))

    def end(self, reason: str) -> None:
        """Seal nothing more: the room is no more."""
        self.standing = replace(self.standing, ended=reason)

    async def finish(self) -> None:
        """Seal what is due, and write what has changed."""
        while (at := self.due()) is not None and at <= self.now:
            await self._seal()
        await self.queue.save(self.now)
        if self._memory != self._stored:
            await self._tx.records.put(_MEMORY, self._office.name.encode(), self._memory.encode())

    def due(self) -> int | None:
        """Return when the next seal is due."""
        if not self.standing.has_read_room or self.standing.ended:
            return None
        waiting, waiting_due = self.queue.lanes.count, self.queue.lanes.next_due()
        return sealing.due(self._memory, self._office.settings, waiting=waiting, waiting_due=waiting_due, now=self.now)

    @property
    def _memory(self) -> Memory:
        return self.standing.memory

    @_memory.setter
    def _memory(self, memory: Memory) -> None:
        self.standing = replace(self.standing, memory=memory)

    def _hand_in(self, event: EnvelopeSeen, opened: Envelope) -> None:
        """Let an envelope wait for its place."""
        memory = self._memory
        if not memory.group_id and opened.kind == EnvelopeKind.HANDSHAKE and opened.group_id:
            self._memory = memory = sealing.pin(memory, opened.group_id, self._office.key.public_key)
        # While the memory is built from the room, its seals may yet say that the group is another one.
        if opened.group_id != memory.group_id and not memory.is_begun:
            self.standing = replace(self.standing, has_met_stranger=True)
            return
        handed = Handed.of(opened.group_id, identity_of(event.envelope), event.envelope)
        sender = (event.origin.sender or "").encode(errors="surrogatepass")
        if self.standing.has_read_room:
            self.arrived[handed.identity] = self.now
        self.queue.push(sender, handed.encode(), now=self.now, size=len(event.envelope))

    async def _meet_seal(self, event: EnvelopeSeen, opened: Envelope) -> None:
        """Hold a seal in the room against what is known. Those of others say nothing here."""
        try:
            seal = open_body(Seal, opened)
        except ProtocolError:
            return
        try:
            check_seal(seal, self._office.key.public_key)
        except ProtocolError:
            # A copy that a relay made with this account has a note: it is somebody else's.
            if event.origin.sender == self._office.account and event.note is None:
                self._memory = sealing.stop(self._memory, Stop.OTHER_KEY)
            return
        content = seal.content
        known = await self._tx.log.seal(self._office.name, content.group_id, content.term, content.seq)
        if not self._memory.is_begun or (known is not None and known.seal_hash == content.hash):
            self.is_heard = True
            self.shown += [entry.identity for entry in content.entries]
            self._memory = sealing.confirm(self._memory, content, None if known is None else known.seal_hash)
            return
        self._memory = sealing.adopt(self._memory, content)
        if not self._memory.stopped:
            await self._remember(seal)

    async def _post(self, entry: OutboxEntry) -> None:
        """Put an entry into the outbox, unless it is there."""
        if await self._tx.outbox.get(self._office.account, entry.transaction) is None:
            await self._tx.outbox.add(entry)

    async def _seal(self) -> None:
        """Make the next seal, of what is due or as a checkpoint."""
        office, memory = self._office, self._memory
        handed = await self._next()
        is_checkpoint = memory.head.seq > 0 and self.now >= memory.sealed_at + office.settings.checkpoint
        if not handed and not is_checkpoint:
            return  # all that was due is sealed already, or another group's
        entries = sealing.make_entries(handed, memory.group_id, office.settings)
        self._memory, content = sealing.seal(memory, entries, now=self.now)
        seal = sign_seal(content, office.key)
        await self._remember(seal)
        await self._tx.outbox.add(office.seal_entry(content.group_id, content.hash, seal.encode(), self.now))
        self.sealed.append(len(entries))

    async def _next(self) -> list[Handed]:
        """Take what is to be sealed together."""
        handed: dict[bytes, Handed] = {}
        while len(handed) < MAX_SEAL_ENTRIES and (content := await self.queue.pop(self.now)) is not None:
            item = Handed.decode(content)
            is_ours = item.group_id == self._memory.group_id
            if is_ours and await self._tx.records.get(self._office.sealed_space, item.identity) is None:
                handed[item.identity] = item
        return list(handed.values())

    async def _remember(self, seal: Seal) -> None:
        content = seal.content
        for entry in content.entries:
            await self._tx.records.put(self._office.sealed_space, entry.identity, content.seq.to_bytes(8, "big"))
        await self._tx.log.put_seal(
            self._office.name, content.group_id, content.term, content.seq, content.hash, seal.encode(), self.now
        )

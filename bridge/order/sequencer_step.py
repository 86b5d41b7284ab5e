"""What happens to a sequencer within one transaction: envelopes come in, seals go out.

All that a seal changes is written in one transaction before it leaves: the memory with its place, the hashes that it
seals, the seal itself, and its row in the outbox. So a crash leaves either a seal that will be posted, or none.

============================  ====================================================================================
where                         what
============================  ====================================================================================
record space `sequencer`      the memory, by account and room
record space `sequencer key`  the signature key, by room
record space `SCOPE`          the lanes of who waits; `SCOPE items`: what waits (`bridge.order.fair_queue`)
record space `SCOPE sealed`   every hash that is sealed, with its seal's number
`log`, under `SCOPE`          the seals, and the envelopes that they name without holding them, for 30 days
============================  ====================================================================================
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from bridge.order import sealing
from bridge.order.answers import PRUNE_EVERY, find_answer, prune
from bridge.order.fair_queue import QueueStep
from bridge.order.sealing import Handed, Memory, SealingSettings, Stop
from bridge.order.supplying import MAX_TURNS, Supplying
from bridge.protocol.asking import RejoinWanted, open_answer, open_request
from bridge.protocol.bodies import open_body
from bridge.protocol.code_points import MAX_SEAL_ENTRIES, MAX_SEALED, SEALED_KINDS, EnvelopeKind
from bridge.protocol.envelope import Envelope, envelope, identity_of, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.seal import Seal, check_seal, sign_seal
from bridge.store.log import StoredSeal
from bridge.store.outbox import OutboxEntry
from mls.crypto.signature import SignaturePrivateKey
from transports.room import Account, EnvelopeSeen, RoomAddress

if TYPE_CHECKING:
    from bridge.store import Transaction

__all__ = ["MEMORY", "Office", "Standing", "Step"]

MEMORY: Final = "sequencer"
"""The space of the records that hold memories."""

SEAL: Final = "seal-"
"""How transactions of seals begin."""


@dataclass(frozen=True, slots=True)
class Office:
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
        return self.entry(data, SEAL + seal_hash.hex()[:40], "seal", now)

    def entry(self, data: bytes, transaction: str, purpose: str, now: int) -> OutboxEntry:
        """Return an envelope for the room."""
        return OutboxEntry(self.account, self.room, data, transaction, None, None, purpose, now)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a sequencer stands between two steps."""

    memory: Memory
    start_transaction: str = ""
    greeting: bytes = b""
    """What is posted with that transaction."""
    has_read_room: bool = False
    stranger: bytes = b""
    """The id of another group whose handshakes were read since the start; empty where none were."""
    ended: str = ""
    """Why the room is no more; empty while it is."""
    supplying: Supplying = field(default_factory=Supplying)
    """Who misses a part of the order."""


class Step:
    """What happens within one transaction."""

    def __init__(self, office: Office, standing: Standing, queue: QueueStep, tx: Transaction, now: int) -> None:
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
            await self._hand_in(event, opened)
        elif opened.kind == EnvelopeKind.SEAL:
            await self._meet_seal(event, opened)
        elif opened.kind in {EnvelopeKind.REQUEST, EnvelopeKind.ANSWER}:
            self._listen(event, opened)
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
        while (at := self._seal_due()) is not None and at <= self.now:
            await self._seal()
        await self._supply()
        await self.queue.save(self.now)
        if self._memory != self._stored:
            await self._tx.records.put(MEMORY, self._office.name.encode(), self._memory.encode())

    def due(self) -> int | None:
        """Return when there is something to do next."""
        if self.standing.ended:
            return None
        times = (self._seal_due(), self.standing.supplying.next_due)
        return min((time for time in times if time is not None), default=None)

    def _seal_due(self) -> int | None:
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

    async def _hand_in(self, event: EnvelopeSeen, opened: Envelope) -> None:
        """Let an envelope wait for its place."""
        memory = self._memory
        if len(event.envelope) > MAX_SEALED:
            return
        if not memory.group_id and opened.kind == EnvelopeKind.HANDSHAKE and opened.group_id:
            self._memory = memory = sealing.pin(memory, opened.group_id, self._office.key.public_key)
        # While the memory is built from the room, its seals may yet say that the group is another one.
        is_certain = bool(self._office.settings.group_id) or not memory.is_begun
        if opened.group_id != memory.group_id and is_certain:
            if opened.group_id:
                self.standing = replace(self.standing, stranger=opened.group_id)
            return
        handed = Handed.of(opened.group_id, identity_of(event.envelope), event.envelope)
        sender = (event.origin.sender or "").encode(errors="surrogatepass")
        if self.standing.has_read_room:
            self.arrived[handed.identity] = self.now
        self.queue.push(sender, handed.encode(), now=self.now, size=len(event.envelope))
        if not handed.inlined:
            # Its author may take it back before a member has read it: then all members would miss it.
            await self._tx.log.put_envelope(self._office.name, handed.identity, event.envelope, self.now)

    def _listen(self, event: EnvelopeSeen, opened: Envelope) -> None:
        """Hear who misses a part of the order, and who has helped them."""
        memory, supplying = self._memory, self.standing.supplying
        if opened.group_id != memory.group_id:
            return
        with suppress(ProtocolError):
            if opened.kind == EnvelopeKind.ANSWER:
                supplying = supplying.heard(open_answer(opened), self._office.key.public_key, memory.head.seq)
            elif not isinstance((request := open_request(opened)).wanted, RejoinWanted):
                # After all members: who orders is to do as little else as possible.
                supplying = supplying.asked(request, turn=MAX_TURNS + 1, at=event.origin.at, now=self.now)
            self.standing = replace(self.standing, supplying=supplying)

    async def _supply(self) -> None:
        if self.standing.ended:
            return
        left, due = self.standing.supplying.due(self.now)
        self.standing = replace(self.standing, supplying=left)
        group_id, head = self._memory.group_id, self._memory.head
        for asked in due:
            answer = await find_answer(self._tx, self._office.name, group_id, head, asked)
            if answer is not None:
                data = answer.encode()
                entry = self._office.entry(data, identity_of(data).hex()[:40], "answer", self.now)
                await self._post(entry)

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
        if await self._is_of_a_log_left(seal, known):
            return
        if not self._memory.is_begun or (known is not None and known.seal_hash == content.hash):
            self.is_heard = True
            self.shown += [entry.identity for entry in content.entries]
            self._memory = sealing.confirm(self._memory, content, None if known is None else known.seal_hash)
            return
        self._memory = sealing.adopt(self._memory, content)
        if not self._memory.stopped:
            await self._remember(seal)

    async def _is_of_a_log_left(self, seal: Seal, known: StoredSeal | None) -> bool:
        """Whether it sealed this for another group, before it was told which: known, and no matter here."""
        memory, group_id = self._memory, seal.content.group_id
        if not memory.group_id or group_id == memory.group_id:
            return False
        if known is not None:
            return known.seal_hash == seal.content.hash
        if not (memory.is_begun and self._office.settings.group_id):
            return False
        await self._remember(seal)  # whoever turns back to that group goes on behind it
        return True

    async def _post(self, entry: OutboxEntry) -> None:
        """Put an entry into the outbox, unless it is there."""
        if not await self._tx.outbox.contains(self._office.account, entry.transaction):
            await self._tx.outbox.add(entry)

    async def _seal(self) -> None:
        """Make the next seal, of what is due or as a checkpoint."""
        office, memory = self._office, self._memory
        handed = await self._next()
        is_checkpoint = memory.head.seq > 0 and self.now >= memory.sealed_at + office.settings.checkpoint
        if not handed and not is_checkpoint:
            return  # all that was due is sealed already, or another group's
        entries = sealing.make_entries(handed, memory.group_id, office.settings)
        for item, entry in zip(handed, entries, strict=True):
            if item.inlined and not entry.inlined:
                await self._tx.log.put_envelope(office.name, item.identity, item.inlined, self.now)
        self._memory, content = sealing.seal(memory, entries, now=self.now)
        seal = sign_seal(content, office.key)
        await self._remember(seal)
        await self._tx.outbox.add(office.seal_entry(content.group_id, content.hash, seal.encode(), self.now))
        self.sealed.append(len(entries))
        if content.seq % PRUNE_EVERY == 0 and memory.shown + sealing.MAX_IN_FLIGHT >= content.seq:
            await prune(self._tx, office.name, now=self.now)

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

"""What a sequencer seals, and when. Pure: states go in and come out, time is an argument.

The life of a sequencer's memory::

    begun --own seals read back--> begun ... --all of the room is read--> sealing --a seal of its own that it does
      |                                                                      |     not know, or of another key-->
      +-------------------- the same, in each of these states ---------------+---------------------------> stopped

- A sequencer seals nothing before it has read the home room up to its own start: what it finds there it has signed.
- Without a memory it rebuilds it from its own seals in the room. With one, a seal of its own that it does not know
  means that the memory is older than what it did (a backup was put back), or that it runs twice: it stops, since
  whatever it signed next could contradict what is signed already.
- A key out of a backup seals nothing: the room may not show all that it has signed since.
- It never asks whether a handshake is valid: it cannot know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from bridge.order.lanes import ByteQuota
from bridge.protocol.bodies import LogPosition
from bridge.protocol.code_points import MAX_INLINE, MAX_SEAL_ENTRIES
from bridge.protocol.seal import SealContent, SealEntry, start_of_log
from mls.codec import Constant, FixedOpaque, Opaque, Struct, UInt8, UInt64, struct

__all__ = [
    "MAX_IN_FLIGHT",
    "Handed",
    "Memory",
    "SealingSettings",
    "Stop",
    "adopt",
    "begin",
    "confirm",
    "due",
    "finish_reading",
    "make_entries",
    "pin",
    "seal",
    "stop",
    "turn_to",
]

MAX_IN_FLIGHT: Final = 4
"""Seals that the room has not shown yet, at the most: where it takes few events, seals grow instead of queueing."""

_HEADER: Final = 512
"""Bytes of a seal's envelope beyond its entries and the group's id, rounded up."""

_ENTRY: Final = 40
"""Bytes of an entry beyond what it inlines, rounded up."""

DEFAULT_QUOTA: Final = ByteQuota(per_minute=4 << 20)

_DAY: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class SealingSettings:
    """How a sequencer works. All times are in milliseconds."""

    max_event: int = 45_000
    """Bytes that one event of the home room takes: a seal is never larger, unless its room is smaller than 64 names."""
    gathering: int = 20
    """How soon after a seal the next one comes, at the earliest: what arrives meanwhile goes into one."""
    checkpoint: int = 10 * _DAY
    """After which quiet a seal without entries keeps the head of the log in the archive."""
    quota: ByteQuota = DEFAULT_QUOTA
    """What of one sender is sealed; the rest waits."""
    group_id: bytes = b""
    """The group that is sealed, whoever is there first; empty: the first one that a handshake is seen of."""
    term: int = 0


class Stop(StrEnum):
    """Why a sequencer seals no more. Only a new term helps."""

    UNKNOWN_SEAL = "the room has a seal of this key that this store does not know: it is an older copy, or runs twice"
    OTHER_KEY = "this account has sealed here with another key, which this store does not have: it was lost"
    RESTORED = "its key came out of a backup, which cannot tell what was sealed since: that could be contradicted"


@struct()
class Memory(Struct):
    """What a sequencer knows. Immutable; its encoding is what is stored."""

    version: Annotated[int, Constant(1, 1, "the version of a sequencer's stored memory")]
    group_id: Opaque
    """The group of this room: what the settings say, or the first that a handshake was seen of. Empty before that."""
    head: LogPosition
    """The newest seal. What is before the first one is known once the group is."""
    sealed_at: UInt64
    """The timestamp of the newest seal."""
    shown: UInt64
    """The number of the newest seal that the room has shown."""
    is_begun: UInt8
    """1 until the room has been read once: the memory is being built from it."""
    stopped: Opaque
    """Why it seals no more, a `Stop`; empty as long as it does."""


@struct()
class Handed(Struct):
    """An envelope that stands in the home room, and waits for its place."""

    group_id: Opaque
    identity: Annotated[bytes, FixedOpaque(32)]
    inlined: Opaque
    """Its bytes where they are few."""

    @classmethod
    def of(cls, group_id: bytes, identity: bytes, data: bytes) -> Handed:
        """Return what is kept of an envelope."""
        return cls(group_id, identity, data if len(data) <= MAX_INLINE else b"")


def begin(settings: SealingSettings) -> Memory:
    """Return the memory of a sequencer that has none."""
    return Memory(1, b"", LogPosition(settings.term, 0, bytes(32)), 0, 0, 1, b"")


def pin(memory: Memory, group_id: bytes, key: bytes) -> Memory:
    """Make a group the one that is sealed, at the start of its log."""
    return memory.replace(group_id=group_id, head=start_of_log(group_id, key, memory.head.term))


def turn_to(memory: Memory, group_id: bytes, key: bytes, newest: SealContent | None) -> Memory:
    """Seal another group from now on: where its log was left, or at its start. `newest` is its last seal, if any."""
    if newest is None:
        return pin(memory.replace(sealed_at=0, shown=0), group_id, key)
    # What of it the room has not shown yet stands in the outbox.
    return memory.replace(group_id=group_id, head=newest.position, sealed_at=newest.timestamp, shown=newest.seq)


def stop(memory: Memory, why: Stop) -> Memory:
    """Seal no more."""
    return memory if memory.stopped else memory.replace(stopped=why.encode())


def finish_reading(memory: Memory) -> Memory:
    """Take note that the room has been read up to the sequencer's start."""
    return memory.replace(is_begun=0)


def adopt(memory: Memory, content: SealContent) -> Memory:
    """Take over a seal of its own, found in the room by a sequencer without a memory.

    The first one may have any number: an archive need not reach back to the start. The handshakes that the missing
    ones sealed are older than they are, and so not in the archive either.
    """
    follows = content.seq == memory.head.seq + 1 and content.previous == memory.head.seal_hash
    is_first = memory.head.seq == 0
    if content.term != memory.head.term or not (is_first or (follows and content.group_id == memory.group_id)):
        return stop(memory, Stop.UNKNOWN_SEAL)
    return memory.replace(
        group_id=content.group_id, head=content.position, sealed_at=content.timestamp, shown=content.seq
    )


def confirm(memory: Memory, content: SealContent, known: bytes | None) -> Memory:
    """Take note that the room shows a seal of its own; `known` is the hash that is remembered for its place, if any."""
    is_of_this_log = content.term == memory.head.term and content.group_id == memory.group_id
    is_forgotten = known is None and content.seq < memory.head.seq  # the store does not keep seals for ever
    if not is_of_this_log or not (is_forgotten or content.hash == known):
        return stop(memory, Stop.UNKNOWN_SEAL)
    return memory.replace(shown=max(memory.shown, content.seq))


def due(memory: Memory, settings: SealingSettings, *, waiting: int, waiting_due: int | None, now: int) -> int | None:
    """Return when the next seal is to be made, `None` for not before something happens.

    `waiting` is how many envelopes wait, `waiting_due` when the first of them may be sealed.
    """
    if memory.is_begun or memory.stopped or not memory.group_id:
        return None
    if memory.head.seq - memory.shown >= MAX_IN_FLIGHT:
        return None
    checkpoint = memory.sealed_at + settings.checkpoint if memory.head.seq else None
    if waiting_due is None:
        return checkpoint
    is_at_once = waiting >= MAX_SEAL_ENTRIES or memory.sealed_at > now  # the clock may have been set back
    gathered = waiting_due if is_at_once else max(waiting_due, memory.sealed_at + settings.gathering)
    return gathered if checkpoint is None else min(gathered, checkpoint)


def make_entries(handed: Sequence[Handed], group_id: bytes, settings: SealingSettings) -> tuple[SealEntry, ...]:
    """Return what a seal says of these envelopes; as many of them travel in it as one event takes."""
    left = settings.max_event - _HEADER - len(group_id) - _ENTRY * len(handed)
    entries = []
    for item in handed:
        inlined = item.inlined if len(item.inlined) <= left else b""
        left -= len(inlined)
        entries.append(SealEntry(item.identity, inlined))
    return tuple(entries)


def seal(memory: Memory, entries: Sequence[SealEntry], *, now: int) -> tuple[Memory, SealContent]:
    """Return what is to be signed next, and the memory in which it is."""
    content = SealContent(
        memory.group_id,
        memory.head.term,
        memory.head.seq + 1,
        memory.head.seal_hash,
        tuple(entries),
        max(now, memory.sealed_at),
    )
    return memory.replace(head=content.position, sealed_at=content.timestamp), content

"""A member's walk along its group's log: seals in, in any order; entries out, in the one order.

Pure. The log says which envelope is next; what is in it, and whether it counts, is not its business.
"""

from __future__ import annotations

from bridge.protocol.bodies import LogPosition
from bridge.protocol.errors import ProtocolError
from bridge.protocol.seal import Seal, SealContent, SealEntry, check_seal
from mls.codec import Opaque, Struct, UInt16, struct

__all__ = ["EquivocationError", "Log", "begin_log"]

MAX_AHEAD = 4096
"""How many seals beyond the own position are kept: more than any outage brings, and less than a flood needs."""

_REMEMBERED = 64
"""How many positions behind the own one are remembered, to hold what others say against."""


class EquivocationError(ProtocolError):
    """The sequencer signed two different seals for one place: proof that it cheats, or that two of it run."""


@struct()
class Log(Struct):
    """Where a member stands. Immutable; its encoding is what is stored."""

    group_id: Opaque
    sequencer: Opaque
    """The Ed25519 key that signs the seals of this term."""
    position: LogPosition
    """The last seal that is wholly taken in."""
    taken: UInt16
    """How many entries of the seal after it are taken in already."""
    ahead: tuple[SealContent, ...]
    """Seals beyond the position, by number."""
    behind: tuple[LogPosition, ...]
    """Positions passed, the newest first."""

    def add(self, seal: Seal) -> Log:
        """Return the log with one more seal known. What is known already, or long past, changes nothing.

        Raises `ProtocolError` for a seal that is not this log's, `EquivocationError` for one that contradicts another.
        """
        content = seal.content
        if content.group_id != self.group_id or content.term != self.position.term:
            raise ProtocolError("a seal of another log")
        check_seal(seal, self.sequencer)
        self.compare(content.position)
        if content.seq <= self.position.seq or content in self.ahead:
            return self
        if content.seq > self.position.seq + MAX_AHEAD:
            raise ProtocolError(f"seal {content.seq} is more than {MAX_AHEAD} ahead of {self.position.seq}")
        return _settled(self.replace(ahead=tuple(sorted((*self.ahead, content), key=lambda item: item.seq))))

    def compare(self, claimed: LogPosition) -> None:
        """Hold a position that somebody names against what is known. Raises `EquivocationError`."""
        if claimed.term != self.position.term:
            return
        known = {item.seq: item.seal_hash for item in (self.position, *self.behind)}
        known |= {item.seq: item.hash for item in self.ahead}
        if known.get(claimed.seq, claimed.seal_hash) != claimed.seal_hash:
            raise EquivocationError(f"two seals with the number {claimed.seq} of term {claimed.term}")

    @property
    def next_entry(self) -> SealEntry | None:
        """The envelope that is to be taken in next; `None` where the log is at its end, or the next seal is missing."""
        seal = self.next_seal
        return None if seal is None else seal.entries[self.taken]

    @property
    def next_seal(self) -> SealContent | None:
        """The seal that `next_entry` is of."""
        first = self.ahead[0] if self.ahead else None
        return first if first is not None and first.seq == self.position.seq + 1 else None

    @property
    def has_gap(self) -> bool:
        """Whether a later seal is known and the next one is not."""
        return bool(self.ahead) and self.next_seal is None

    @property
    def newest(self) -> LogPosition:
        """The newest seal that is known, whether or not it can be taken in."""
        return self.ahead[-1].position if self.ahead else self.position

    def moved_to(self, position: LogPosition) -> Log:
        """Return the log of somebody who goes on behind another seal, with what is known of what follows.

        Raises `EquivocationError` where that does not follow.
        """
        ahead = tuple(item for item in self.ahead if item.seq > position.seq)
        behind = (self.position, *self.behind)[:_REMEMBERED]
        return _settled(self.replace(position=position, taken=0, ahead=ahead, behind=behind))

    def knowing(self, other: Log) -> Log:
        """Return the log with the seals that another view of it knows besides. Raises `EquivocationError`."""
        known = {item.seq for item in self.ahead}
        more = [item for item in other.ahead if item.seq > self.position.seq and item.seq not in known]
        if not more:
            return self
        return _settled(self.replace(ahead=tuple(sorted((*self.ahead, *more), key=lambda item: item.seq))))

    def advance(self) -> Log:
        """Return the log with the next entry taken in."""
        return _settled(self.replace(taken=self.taken + 1))


def begin_log(group_id: bytes, sequencer: bytes, position: LogPosition) -> Log:
    """Return the log of somebody who stands at `position`: at the start, or where a Welcome says."""
    return Log(group_id, sequencer, position, 0, (), ())


def _settled(log: Log) -> Log:
    """Return the log with the position behind every seal whose entries are all taken in."""
    while (seal := log.next_seal) is not None:
        if seal.previous != log.position.seal_hash:
            raise EquivocationError(f"seal {seal.seq} does not follow on the seal {log.position.seq} that we know")
        if log.taken < len(seal.entries):
            break
        behind = (log.position, *log.behind)[:_REMEMBERED]
        log = log.replace(position=seal.position, taken=0, ahead=log.ahead[1:], behind=behind)
    return log

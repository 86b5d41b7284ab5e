"""Who misses what of the order, and when somebody answers who has it (PROTOCOL.md, "Requests").

Pure. Whoever keeps seals is asked, members and sequencer alike; each has its turn, and answers unless somebody has
brought the requester on before. It is all signed or encrypted, and stood in the room for everybody to read: so whoever
asks is answered, within limits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bridge.protocol.asking import EnvelopesWanted, HeadWanted, LogWanted
from bridge.protocol.bodies import open_body
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import identity_of, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.seal import Seal, check_seal

if TYPE_CHECKING:
    from bridge.protocol.asking import Answer, Request, Wanted

__all__ = ["MAX_TURNS", "TURN", "Asked", "Supplying"]

TURN: Final = 1_000
"""Milliseconds between two turns."""
MAX_TURNS: Final = 12
"""How many turns there are before who is last has its own."""
_MAX_PENDING: Final = 16
_OLD: Final = 60_000
"""Milliseconds after which a request is not answered any more: who asked has asked again."""
_MINUTE: Final = 60_000
_MAX_ANSWERS: Final = 20
"""Answers within a minute, at the most: a request is small, and an answer may be large."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for parts of the order that one may have."""

    nonce: bytes
    wanted: Wanted
    due: int
    """When one answers: milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Supplying:
    """What others miss. Kept in memory alone: who still misses it after a restart asks again."""

    pending: tuple[Asked, ...] = ()
    answered: tuple[int, ...] = ()
    """When one has answered, the newest first."""

    @property
    def next_due(self) -> int | None:
        """When there is something to do, `None` for never."""
        return min((one.due for one in self.pending), default=None)

    def asked(self, request: Request, *, turn: int, at: int, now: int) -> Supplying:
        """Keep a request that the room had `at`, to answer it after so many turns."""
        if now - at > _OLD or any(one.nonce == request.nonce for one in self.pending):
            return self
        new = Asked(request.nonce, request.wanted, now + turn * TURN)
        return replace(self, pending=(*self.pending, new)[-_MAX_PENDING:])

    def heard(self, answer: Answer, sequencer: bytes, known: int) -> Supplying:
        """Take note of an answer, where it is one: nobody can silence the others with an empty one.

        `sequencer` is the key that signs seals, `known` the number of the newest one.
        """
        left = tuple(
            one for one in self.pending if one.nonce != answer.nonce or not _brings_on(one, answer, sequencer, known)
        )
        return self if len(left) == len(self.pending) else replace(self, pending=left)

    def due(self, now: int) -> tuple[Supplying, tuple[Asked, ...]]:
        """Return what is to be answered now, and what is left."""
        latest = now + (MAX_TURNS + 1) * TURN  # else the clock was set back
        over = tuple(one for one in self.pending if not now < one.due <= latest)
        if not over:
            return self, ()
        answered = tuple(at for at in self.answered if now - _MINUTE < at <= now)
        chosen = over[: max(0, _MAX_ANSWERS - len(answered))]
        pending = tuple(one for one in self.pending if one not in over)
        return Supplying(pending, (*(now for _ in chosen), *answered)), chosen


def _brings_on(asked: Asked, answer: Answer, sequencer: bytes, known: int) -> bool:
    """Return whether an answer holds anything of what was asked for."""
    match asked.wanted:
        case EnvelopesWanted(identities=identities):
            return any(identity_of(data) in identities for data in answer.envelopes)
        case LogWanted(after=after):
            first = _first_seal(answer, sequencer)
            return first is not None and first.content.previous == after.seal_hash
        case HeadWanted():
            first = _first_seal(answer, sequencer)
            return first is not None and first.content.seq >= known
        case _:
            return False


def _first_seal(answer: Answer, sequencer: bytes) -> Seal | None:
    for data in answer.envelopes:
        try:
            sealed = open_envelope(data)
            if sealed.kind == EnvelopeKind.SEAL:
                seal = open_body(Seal, sealed)
                check_seal(seal, sequencer)
                return seal
        except ProtocolError:
            return None
    return None

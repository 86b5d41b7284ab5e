"""Giving others what of the order they miss: seals, and the envelopes that seals name.

Of the members one answers, as for the way back (`bridge.member.answering`), and here the others can see whether an
answer is one: it brings the asker on. What is asked for is read from the store (`bridge.member.keeping`). It is all
signed or encrypted, and stood in the room for everybody to read: so whoever asks is answered, within limits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bridge.member.missing import Asked, Supplying
from bridge.member.spreading import rank
from bridge.protocol.asking import EnvelopesWanted, HeadWanted, LogWanted
from bridge.protocol.bodies import open_body
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import identity_of, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.seal import Seal, check_seal

if TYPE_CHECKING:
    from bridge.member.state import Session
    from bridge.member.step import Step
    from bridge.protocol.asking import Answer, Request

__all__ = ["next_due", "somebody_answered", "supply", "take_request"]

_TURN: Final = 1_000
"""Milliseconds between two turns."""
_MAX_TURNS: Final = 12
_MAX_PENDING: Final = 16
_OLD: Final = 60_000
"""Milliseconds after which a request is not answered any more: who asked has asked again."""
_MINUTE: Final = 60_000
_MAX_ANSWERS: Final = 20
"""Answers within a minute, at the most: a request is small, and an answer may be large."""


def take_request(step: Step, request: Request, at: int) -> None:
    """Keep a request that this member may be able to answer. `at` is when the room had it."""
    session, pending = step.session, step.session.supplying.pending
    is_known = any(one.nonce == request.nonce for one in pending)
    if session.memory.log is None or not session.is_active or step.now - at > _OLD or is_known:
        return
    due = step.now + min(rank(session, request.nonce), _MAX_TURNS) * _TURN
    _supply(step, pending=(*pending, Asked(request.nonce, request.wanted, due))[-_MAX_PENDING:])


def somebody_answered(step: Step, answer: Answer) -> None:
    """Take note of an answer, where it is one: nobody can silence the members with an empty one."""
    pending = step.session.supplying.pending
    left = tuple(one for one in pending if one.nonce != answer.nonce or not _brings_on(step.session, one, answer))
    if len(left) < len(pending):
        _supply(step, pending=left)


def supply(step: Step) -> None:
    """Answer what is due."""
    session, supplying = step.session, step.session.supplying
    due = [one for one in supplying.pending if one.due <= step.now or one.due > step.now + 2 * _MAX_TURNS * _TURN]
    if not due:
        return
    answered = tuple(at for at in supplying.answered if step.now - _MINUTE < at <= step.now)
    if session.is_active:
        step.supplied += due[: _MAX_ANSWERS - len(answered)]
    answered = (*(step.now for _ in step.supplied), *answered)
    _supply(step, pending=tuple(one for one in supplying.pending if one not in due), answered=answered)


def next_due(session: Session) -> int | None:
    """Return when there is something to do, `None` for never."""
    return min((one.due for one in session.supplying.pending), default=None)


def _brings_on(session: Session, asked: Asked, answer: Answer) -> bool:
    """Return whether an answer holds anything of what was asked for."""
    known = session.memory.log
    if known is None:
        return False
    match asked.wanted:
        case EnvelopesWanted(identities=identities):
            return any(identity_of(data) in identities for data in answer.envelopes)
        case LogWanted(after=after):
            first = _first_seal(answer, known.sequencer)
            return first is not None and first.content.previous == after.seal_hash
        case HeadWanted():
            first = _first_seal(answer, known.sequencer)
            return first is not None and first.content.seq >= known.position.seq
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


def _supply(step: Step, **changes: object) -> None:
    supplying: Supplying = replace(step.session.supplying, **changes)  # type: ignore[arg-type]
    step.session = replace(step.session, supplying=supplying)

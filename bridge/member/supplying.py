"""Giving others what of the order they miss: seals, and the envelopes that seals name (`bridge.order.supplying`).

Of the members one answers, as for the way back (`bridge.member.answering`): each has a rank that is hashed from leaf,
epoch and request. What is asked for is read from the store (`bridge.member.keeping`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.member.spreading import rank
from bridge.order.supplying import MAX_TURNS

if TYPE_CHECKING:
    from bridge.member.state import Session
    from bridge.member.step import Step
    from bridge.order.supplying import Supplying
    from bridge.protocol.asking import Answer, Request

__all__ = ["next_due", "somebody_answered", "supply", "take_request"]


def take_request(step: Step, request: Request, at: int) -> None:
    """Keep a request that this member may be able to answer. `at` is when the room had it."""
    session = step.session
    if session.memory.log is not None and _keeps(session):
        turn = min(rank(session, request.nonce), MAX_TURNS)
        _supply(step, session.supplying.asked(request, turn=turn, at=at, now=step.now))


def somebody_answered(step: Step, answer: Answer) -> None:
    """Take note of what says that it answers a request."""
    known = step.session.memory.log
    if known is not None:
        _supply(step, step.session.supplying.heard(answer, known.sequencer, known.position.seq))


def supply(step: Step) -> None:
    """Answer what is due."""
    left, due = step.session.supplying.due(step.now)
    _supply(step, left)
    if _keeps(step.session):
        step.supplied += due


def next_due(session: Session) -> int | None:
    """Return when there is something to do, `None` for never."""
    return session.supplying.next_due


def _keeps(session: Session) -> bool:
    return session.is_active or session.is_without_order


def _supply(step: Step, supplying: Supplying) -> None:
    if supplying is not step.session.supplying:
        step.session = replace(step.session, supplying=supplying)

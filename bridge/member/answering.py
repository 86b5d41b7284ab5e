"""Helping those back who have lost the thread: a GroupInfo for who asks under the signature of a leaf.

Of the members one answers: each has a rank that is hashed from leaf, epoch and request, and answers when its turn
comes, unless somebody has. A GroupInfo lets its reader into the group by a Commit that all members judge; it is
encrypted to the one who asked, and only who is in the group can ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

import mls
from bridge.member.committing import is_behind
from bridge.member.recovery import Answered, Pending
from bridge.member.spreading import rank
from bridge.protocol.asking import rejoin_is_signed, seal_group_info
from bridge.protocol.bodies import LogPosition
from bridge.protocol.errors import ProtocolError

if TYPE_CHECKING:
    from bridge.member.state import Session
    from bridge.member.step import Step
    from bridge.protocol.asking import RejoinWanted, Request

__all__ = ["answer", "next_due", "somebody_answered", "somebody_came_back", "take_request"]

log = structlog.get_logger("member.answer")

_TURN: Final = 1_000
"""Milliseconds between two turns."""
_MAX_TURNS: Final = 12
_MAX_PENDING: Final = 16
_OLD: Final = 3_600_000
"""Milliseconds after which a request is not answered any more: who asked has asked again."""
_FRESH: Final = 10_000
"""Milliseconds for which a request is under way, at the most."""
_ANSWERED: Final = 10_000
"""Milliseconds within which who has an answer is back."""
_APART: Final = 5_000
"""Milliseconds between two answers to one leaf, at the least: a GroupInfo is large, and a request is small."""


def take_request(step: Step, request: Request, wanted: RejoinWanted, at: int) -> None:
    """Keep a request that this member can answer. `at` is when the room had it. Raises `ProtocolError`."""
    recovery = step.session.recovery
    is_known = any(one.nonce == request.nonce for one in recovery.pending)
    if step.session.is_active and step.now - at <= _OLD and not is_known:
        _take_rejoin(step, request, wanted, at)


def somebody_answered(step: Step, nonce: bytes) -> None:
    """Take note of what says that it answers a request. It may be anybody's: it puts off one's own answer, and once."""
    pending = step.session.recovery.pending
    if any(one.nonce == nonce and not one.has_answer for one in pending):
        later = step.now + _ANSWERED
        step.recover(
            pending=tuple(one.replace(due=later, has_answer=1) if one.nonce == nonce else one for one in pending)
        )


def somebody_came_back(step: Step, signature_key: bytes) -> None:
    """Take note that a request has served its purpose."""
    pending = step.session.recovery.pending
    if any(one.signature_key == signature_key for one in pending):
        step.recover(pending=tuple(one for one in pending if one.signature_key != signature_key))


def answer(step: Step) -> None:
    """Answer what is due, as far as this member can tell where the group stands."""
    pending = step.session.recovery.pending
    fresh = tuple(one for one in pending if 0 <= step.now - one.asked_at <= _OLD)
    due = [one for one in fresh if one.due <= step.now] if _can_answer(step.session) else []
    if due or len(fresh) < len(pending):
        step.recover(pending=tuple(one for one in fresh if one not in due))
    for one in due:
        _answer(step, one)


def next_due(session: Session) -> int | None:
    """Return when there is something to do, `None` for never."""
    if not session.recovery.pending or not _can_answer(session):
        return None
    return min(one.due for one in session.recovery.pending)


def _can_answer(session: Session) -> bool:
    return session.is_active and session.standing.unsettled is None and not is_behind(session)


def _answer(step: Step, one: Pending) -> None:
    group, known = step.group, step.session.memory.log
    if one.signature_key not in group.public.tree.signature_keys:
        return  # it was removed since
    stands_at = LogPosition(0, 0, step.session.memory.last_commit) if known is None else known.position
    try:
        sealed = seal_group_info(
            group.suite,
            one.public_key,
            step.random,
            group_id=group.group_id,
            nonce=one.nonce,
            stands_at=stands_at,
            group_info=mls.group_info(group).encode(),
        )
    except ProtocolError as error:
        log.info("refused", reason=error.what)
        return
    step.post(sealed, "group info")
    others = tuple(other for other in step.session.recovery.answered if other.signature_key != one.signature_key)
    step.recover(answered=(Answered(one.signature_key, step.now), *others)[:_MAX_PENDING])


def _take_rejoin(step: Step, request: Request, wanted: RejoinWanted, at: int) -> None:
    leaf = _require_member(step, request, wanted)
    recovery, key = step.session.recovery, wanted.signature_key
    due = step.now + min(rank(step.session, request.nonce, without=leaf), _MAX_TURNS) * _TURN
    if step.now - at > _FRESH:  # read in an archive, where a newer one may follow
        due += _APART
    answered_at = next((one.at for one in recovery.answered if one.signature_key == key), None)
    if answered_at is not None:
        due = max(due, min(answered_at, step.now) + _APART)
    others = tuple(one for one in recovery.pending if one.signature_key != key)
    asked = Pending(request.nonce, key, wanted.public_key, step.now, due, 0)
    step.recover(pending=(*others, asked)[-_MAX_PENDING:])


def _require_member(step: Step, request: Request, wanted: RejoinWanted) -> int:
    """Return the leaf of a request's signature key, another's than one's own. Raises `ProtocolError`."""
    group = step.group
    leaf = group.public.tree.signature_keys.get(wanted.signature_key)
    if leaf is None or leaf == group.own_leaf:
        raise ProtocolError("a request by one who is not in the group, or by this member itself")
    if not rejoin_is_signed(group.suite, group_id=group.group_id, nonce=request.nonce, wanted=wanted):
        raise ProtocolError("a request that its leaf has not signed")
    return leaf

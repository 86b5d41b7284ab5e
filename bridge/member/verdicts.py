"""Verdicts on a Commit: what others' words do, and when this member says its own (PROTOCOL.md, "Verdicts").

Of those who can say something, one does: each has a rank that is hashed from leaf, epoch and Commit, and speaks when
its turn comes, unless somebody's word has a place in the order by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from bridge.member import settling
from bridge.member.committing import is_behind
from bridge.protocol.code_points import CLOSE_AFTER, EnvelopeKind, Mode
from bridge.protocol.errors import ProtocolError
from bridge.protocol.verdicts import open_verdict, verdict_envelope, verdict_is_signed

if TYPE_CHECKING:
    from bridge.member.standing import Place, Unsettled
    from bridge.member.state import Session
    from bridge.member.step import Step
    from bridge.protocol.envelope import Envelope
    from bridge.protocol.verdicts import Verdict

__all__ = ["next_due", "speak", "take_verdict"]

log = structlog.get_logger("member.verdict")

_TURN: Final = 1_000
"""Milliseconds between the turns of those who can say `ack` or `nack`."""
_CLOSING_TURN: Final = 5_000
"""Milliseconds between the turns of those who can say `close`."""
_MARGIN: Final = 1_000
"""Milliseconds that a `close` waits beyond the time at which it counts: seals have times of their own."""


def take_verdict(step: Step, sealed: Envelope, place: Place) -> str:
    """Take in a verdict that the order names; returns why it counts for nothing, or nothing.

    Raises `ProtocolError` for one that is malformed.
    """
    verdict = open_verdict(sealed)
    unsettled = step.session.standing.unsettled
    if unsettled is None or (verdict.commit, verdict.epoch) != (unsettled.commit, unsettled.epoch):
        return "it is about nothing that is unsettled"
    key = _key_of(step.session, unsettled, verdict)
    if key is None or not verdict_is_signed(step.group.suite, key, sealed, verdict):
        return "it is not signed by a member"
    is_author = verdict.leaf == unsettled.author_leaf
    match EnvelopeKind(sealed.kind):
        case EnvelopeKind.CLOSE:
            return _close(step, unsettled, verdict, place)
        case _ if is_author:
            return "nobody judges what is their own"
        case EnvelopeKind.ACK:
            settling.finish(step)
        case EnvelopeKind.NACK:
            _nack(step, unsettled, verdict, place)
        case other:
            raise ProtocolError(f"an envelope of kind {other} is no verdict")
    return ""


def speak(step: Step) -> None:
    """Say what this member has to say, once its turn has come."""
    session, unsettled = step.session, step.session.standing.unsettled
    if unsettled is None:
        return
    if unsettled.since > step.now:  # the clock was set back: nothing is put off for longer than it ever is
        unsettled = unsettled.replace(since=step.now)
        step.stand(unsettled=unsettled)
        session = step.session
    due = next_due(session)
    if due is None or due > step.now:
        return
    if _has_to_judge(unsettled):
        kind, attempt = (EnvelopeKind.NACK if session.is_waiting else EnvelopeKind.ACK), 0
        step.stand(unsettled=unsettled.replace(has_spoken=1))
    else:
        kind, attempt = EnvelopeKind.CLOSE, unsettled.closes
        step.stand(unsettled=unsettled.replace(closes=attempt + 1, since=step.now))
    group = step.group
    word = verdict_envelope(
        group.suite,
        group.signature_key,
        kind,
        group_id=group.group_id,
        commit=unsettled.commit,
        epoch=unsettled.epoch,
        leaf=group.own_leaf,
        attempt=attempt,
    )
    step.post(word, kind.name.lower())


def next_due(session: Session) -> int | None:
    """Return when this member has something to say, `None` for not before something happens."""
    unsettled, group = session.standing.unsettled, session.group
    if unsettled is None or group is None or not session.is_active or is_behind(session):
        return None
    witnesses = list(unsettled.witnesses)
    if group.own_leaf not in {*witnesses, unsettled.author_leaf}:
        return None
    rank = witnesses.index(group.own_leaf) if group.own_leaf in witnesses else 0
    if _has_to_judge(unsettled):
        return unsettled.since + rank * _TURN
    if session.order.mode is Mode.ROOM and session.is_waiting:
        return None  # who cannot follow does not close where there are no times to go by
    # The author first: nobody waits for it more.
    turn = 0 if group.own_leaf == unsettled.author_leaf else rank + 1
    return unsettled.since + CLOSE_AFTER + _MARGIN + turn * _CLOSING_TURN


def _has_to_judge(unsettled: Unsettled) -> bool:
    """Whether this member has not said yet if it can follow."""
    return not unsettled.has_spoken


def _nack(step: Step, unsettled: Unsettled, verdict: Verdict, place: Place) -> None:
    if verdict.leaf in unsettled.nackers:
        return
    if not unsettled.nackers:
        unsettled = unsettled.replace(nacked_at=place.sealed_at, since=step.now)
    unsettled = unsettled.replace(nackers=(*unsettled.nackers, verdict.leaf))
    step.stand(unsettled=unsettled)
    if set(unsettled.witnesses) <= set(unsettled.nackers):
        settling.take_back(step)  # nobody is left who could say otherwise


def _close(step: Step, unsettled: Unsettled, verdict: Verdict, place: Place) -> str:
    if step.session.order.mode is Mode.ROOM:
        if verdict.leaf in unsettled.nackers:
            return "who cannot follow does not settle it"
    else:
        since = unsettled.nacked_at if unsettled.nackers else unsettled.sealed_at
        if place.sealed_at < since + CLOSE_AFTER:
            return "it comes too early"
    if unsettled.nackers:
        settling.take_back(step)
    else:
        settling.finish(step)
    return ""


def _key_of(session: Session, unsettled: Unsettled, verdict: Verdict) -> bytes | None:
    """Return the key of a leaf of the epoch that the Commit leads to."""
    if unsettled.voices:
        return next((voice.key for voice in unsettled.voices if voice.leaf == verdict.leaf), None)
    leaf = None if session.group is None else session.group.public.tree.leaf(verdict.leaf)
    return None if leaf is None else leaf.signature_key

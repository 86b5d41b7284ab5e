"""Asking for what of the order is missing, and taking it in (PROTOCOL.md, "Requests").

What is missing shows in three ways: a later seal is there and the next one is not; the order names bytes that are not
there; somebody names a seal that is not known here. And what is lost at the very end of the order shows in none of
them: so a member asks for the newest seal after each start, after each loss that its server admits, and once a day.

Servers bring late what they bring, so it waits a little first, and asks again at growing intervals. Of the members that
miss the same, one asks and the others listen. Nothing of an answer is believed for the answer's sake: seals are signed,
and the order names envelopes by their hash. Where nobody has it, the member comes back (`bridge.member.losing`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from bridge.conversation import Alarm
from bridge.member import ordering
from bridge.member.missing import Fetching
from bridge.member.spreading import fraction
from bridge.member.state import Held
from bridge.protocol.asking import MAX_WANTED, NONCE_SIZE, EnvelopesWanted, HeadWanted, LogWanted, request_envelope
from bridge.protocol.bodies import open_body
from bridge.protocol.code_points import SEALED_KINDS, EnvelopeKind
from bridge.protocol.envelope import open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.seal import Seal

if TYPE_CHECKING:
    from bridge.member.state import Session
    from bridge.member.step import Step
    from bridge.protocol.asking import Answer, Wanted
    from bridge.protocol.bodies import LogPosition

__all__ = ["go_on", "hear_of", "look_for_the_newest", "next_due", "somebody_asks", "take_answer"]

log = structlog.get_logger("member.fetch")

_PATIENCE: Final = 5_000
"""Milliseconds until what is missing is asked for."""
_SPREAD, _SPREAD_EACH = 3_000, 100
"""Milliseconds, at the most, by which one of several that miss the same is later than another; and more a member."""
_SOON: Final = 500
"""Milliseconds until more is asked for, where an answer has brought a part."""
_PAUSES: Final = (10_000, 30_000, 60_000, 120_000, 300_000)
"""Milliseconds between two requests for the same; the last again and again."""
_MAX_FOR_A_NAME: Final = 4
"""How often a seal is asked for that somebody has merely named: anybody can name anything."""
_DEAF: Final = 600_000
"""Milliseconds for which no more names are listened to, where nobody had what was named."""
_MAX_FOR_THE_NEWEST: Final = 3
_SAY_AFTER, _SAY_AGAIN = 180_000, 3_600_000
"""Milliseconds until people are told, and told again, what nobody but they can mend. A verdict may take a minute."""
_NEWEST_AGAIN: Final = 24 * 3_600_000
"""Milliseconds until a member that knows the newest seal makes sure that it still does."""


def go_on(step: Step) -> None:
    """Ask for what is missing, where it is time."""
    session, fetching = step.session, step.session.fetching
    if session.memory.log is None:
        _say_what_the_room_has_lost(step)
        return
    wanted = _missing(session)
    if wanted is None:
        if fetching.stands_at is not None:
            if fetching.tries or fetching.is_under_way:
                log.info("what was missing is here")
            _fetch(step, stands_at=None, tries=0, is_under_way=False, is_deferred=False, named=None)
        _ask_for_the_newest(step)
        return
    if fetching.stands_at != _place(session):
        began = fetching.stands_at is not None and (fetching.is_under_way or fetching.tries > 0)
        wait = _SOON if began else _wait(session, wanted.encode())
        due = step.now + wait
        _fetch(step, stands_at=_place(session), due=due, tries=0, is_under_way=began, is_deferred=False)
    elif fetching.due > step.now + 2 * _PAUSES[-1]:  # the clock was set back
        _fetch(step, due=step.now)
    elif step.now >= fetching.due:
        _ask(step, wanted)


def next_due(session: Session) -> int | None:
    """Return when there is something to do, `None` for never."""
    fetching = session.fetching
    if session.memory.log is None:
        return fetching.due if fetching.stands_at is not None else None
    if _missing(session) is None:
        return fetching.head_due if _can_miss_something(session) else None
    return fetching.due if fetching.stands_at == _place(session) else 0


def hear_of(step: Step, named: LogPosition) -> None:
    """Take note that somebody says to know a seal. It may be anybody: at most, a few requests follow."""
    known, fetching = step.session.memory.log, step.session.fetching
    if known is None or named.term != known.position.term or named.seq <= known.newest.seq:
        return
    if step.now >= fetching.deaf_until and (fetching.named is None or named.seq > fetching.named.seq):
        _fetch(step, named=named)


def look_for_the_newest(step: Step) -> None:
    """Make sure soon that nothing is missing at the end of the order."""
    _fetch(step, head_due=step.now + _wait(step.session, b"newest"), head_tries=0)


def somebody_asks(step: Step, wanted: Wanted) -> None:
    """Let somebody else ask for what is missing here as well.

    It may be anybody: so it puts off one's own request once, and not again and again. But for a seal that is merely
    named everybody asks once: else a few bytes of a stranger's would make each member ask.
    """
    fetching = step.session.fetching
    if fetching.stands_at is None or wanted != _missing(step.session):
        return
    if _is_merely_named(step.session):
        _fetch(step, due=step.now + _pause(fetching), tries=fetching.tries + 1)
    elif not fetching.is_deferred:
        _fetch(step, due=max(fetching.due, step.now + _PAUSES[0]), is_deferred=True)


def take_answer(step: Step, answer: Answer) -> None:
    """Take in what an answer holds of what is missing here, whoever has asked for it."""
    if not step.session.is_following and not step.session.is_without_order:
        return
    try:
        for data in answer.envelopes:
            _take(step, data)
    except ProtocolError as error:  # and with it the rest: nobody honest has put that in
        log.info("refused", reason=error.what)
    known, fetching = step.session.memory.log, step.session.fetching
    if known is not None and fetching.head_due is not None and answer.head.seq >= known.newest.seq:
        _fetch(step, head_due=step.now + _NEWEST_AGAIN, head_tries=0)


def _say_what_the_room_has_lost(step: Step) -> None:
    """Tell people of messages of an epoch to come, where the room is the order: it had the Commit before them.

    Nobody can be asked for it, and anybody can make up such a message: a person decides.
    """
    session, fetching = step.session, step.session.fetching
    is_early = session.is_active and any(item.kind == EnvelopeKind.APPLICATION for item in session.held.values())
    if not is_early:
        if fetching.stands_at is not None:
            _fetch(step, stands_at=None)
    elif fetching.stands_at is None or fetching.due > step.now + _SAY_AGAIN:
        _fetch(step, stands_at=(0, 0), due=step.now + _SAY_AFTER)
    elif step.now >= fetching.due:
        _fetch(step, due=step.now + _SAY_AGAIN)
        what = "There are messages of an epoch that this program does not know"
        next_step = "If the others cannot read you: take the group anew, /resync"
        step.tell(Alarm(f"{what}: the room may have lost a change to the group.", next_step))


def _take(step: Step, data: bytes) -> None:
    sealed = open_envelope(data)
    if sealed.group_id != step.group.group_id:
        raise ProtocolError("an answer with an envelope of another group")
    if sealed.kind == EnvelopeKind.SEAL:
        ordering.take_seal(step, open_body(Seal, sealed))
    elif sealed.kind in SEALED_KINDS and sealed.identity in _unseen(step.session):
        step.hold(sealed.identity, Held(sealed.kind, data, step.now, 0))
        ordering.walk(step)


def _missing(session: Session) -> Wanted | None:
    """Return what this member would ask for now, `None` where nothing is missing as far as it can tell."""
    known = session.memory.log
    if known is None or not _can_miss_something(session):
        return None
    named = session.fetching.named
    if known.has_gap or (known.next_entry is None and named is not None and named.seq > known.newest.seq):
        return LogWanted(known.position)
    unseen = _unseen(session)
    return EnvelopesWanted(unseen[:MAX_WANTED]) if unseen and known.next_entry is not None else None


def _unseen(session: Session) -> tuple[bytes, ...]:
    """Return the envelopes that the order names and that are not here, the next ones first."""
    known = session.memory.log
    if known is None:
        return ()
    ahead = [entry for seal in known.ahead for entry in seal.entries]
    to_come = ahead if known.has_gap else ahead[known.taken :]
    return tuple(entry.identity for entry in to_come if not entry.inlined and entry.identity not in session.held)


def _place(session: Session) -> tuple[int, int]:
    known = session.memory.log
    return (0, 0) if known is None else (known.position.seq, known.taken)


def _can_miss_something(session: Session) -> bool:
    is_after_it = session.is_following or session.is_without_order
    return is_after_it and not session.is_reading and session.memory.log is not None


def _ask(step: Step, wanted: Wanted) -> None:
    fetching = step.session.fetching
    if _is_merely_named(step.session) and fetching.tries >= _MAX_FOR_A_NAME:
        log.warning("nobody has the seal that somebody has named")
        _fetch(step, stands_at=None, tries=0, named=None, deaf_until=step.now + _DEAF)
        return
    log.info("asking for what is missing", kind=type(wanted).__name__, tries=fetching.tries)
    step.post(request_envelope(step.group.group_id, step.random(NONCE_SIZE), wanted), "request")
    _fetch(step, due=step.now + _pause(fetching), tries=fetching.tries + 1, is_deferred=False)


def _is_merely_named(session: Session) -> bool:
    """Whether nothing but somebody's word says that something is missing."""
    known = session.memory.log
    return known is not None and not known.ahead


def _pause(fetching: Fetching) -> int:
    return _PAUSES[min(fetching.tries, len(_PAUSES) - 1)]


def _wait(session: Session, subject: bytes) -> int:
    spread = _SPREAD + _SPREAD_EACH * len(session.members())
    return _PATIENCE + int(fraction(session, subject) * spread)


def _ask_for_the_newest(step: Step) -> None:
    fetching = step.session.fetching
    due = fetching.head_due
    if due is None or not _can_miss_something(step.session):
        return
    if due > step.now + 2 * _NEWEST_AGAIN:  # the clock was set back
        due = step.now
    if step.now < due:
        return
    if fetching.head_tries >= _MAX_FOR_THE_NEWEST:
        _fetch(step, head_due=step.now + _NEWEST_AGAIN, head_tries=0)
        return
    step.post(request_envelope(step.group.group_id, step.random(NONCE_SIZE), HeadWanted()), "request")
    _fetch(step, head_due=step.now + _PAUSES[fetching.head_tries + 1], head_tries=fetching.head_tries + 1)


def _fetch(step: Step, **changes: object) -> None:
    fetching: Fetching = replace(step.session.fetching, **changes)  # type: ignore[arg-type]
    step.session = replace(step.session, fetching=fetching)

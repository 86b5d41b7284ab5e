"""Losing the thread: a member that can no longer tell where its group stands, and sets out to come back.

That is so where the others took up a change that it cannot follow, where a part of the order stays away, and where its
database turns out to be an old one. What can be mended by coming back is lost here; where the order itself contradicts
itself, a member stops (`bridge.member.stopping`), for a person to decide.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from bridge.conversation import Notice
from bridge.member.committing import is_behind
from bridge.member.memory import NO_COMMIT
from bridge.member.recovery import Returning
from bridge.member.standing import firm
from bridge.member.stopping import stop
from bridge.protocol.asking import NONCE_SIZE
from bridge.protocol.bodies import LogPosition

if TYPE_CHECKING:
    from bridge.member.state import Session
    from bridge.member.step import Step

__all__ = ["ANOTHER_COPY", "find_again", "lose", "next_due", "resync", "watch"]

log = structlog.get_logger("member.lose")

ANOTHER_COPY: Final = "another copy of this program's state is at work, or this one is an old one"

_HOUR: Final = 3_600_000
_MAX_RETURNS: Final = 4
"""How often within an hour: who has to come back more often fights with something, another copy of itself perhaps."""
_PATIENCE: Final = 180_000
"""Milliseconds for which a part of the order may be missing: servers bring late what they bring."""


def lose(step: Step, why: str) -> None:
    """Follow the group no further, say so, and set out to come back. Nothing for who has stopped or set out already."""
    session, recovery = step.session, step.session.recovery
    if session.group is None or recovery.returning is not None or session.memory.flags.stuck:
        return
    recent = tuple(at for at in recovery.returned if step.now - _HOUR < at <= step.now)
    if len(recent) >= _MAX_RETURNS:
        stop(step, f"{why}; it came back {len(recent)} times within an hour, and lost the thread again each time")
        return
    step.flag(stuck=why.encode())
    step.forget_left()
    step.session = replace(step.session, standing=firm())
    returning = Returning(0, 0, bytes(NONCE_SIZE), LogPosition(0, 0, NO_COMMIT), b"", NO_COMMIT, None, 0)
    step.recover(returning=returning, returned=(step.now, *recent), behind_since=0, pending=())
    log.warning("lost the thread", reason=why, epoch=step.group.epoch)
    step.tell(
        Notice(f"This program has lost the thread of the group: {why}. It comes back by itself; what you say waits.")
    )


def resync(step: Step) -> None:
    """Set out to come back because a person wants it: whatever this member has stopped for, and however often."""
    step.flag(stuck=b"")
    step.forget_coming()
    step.recover(returning=None, returned=())
    lose(step, "you asked for it")


def watch(step: Step) -> None:
    """Lose the thread where a part of the order stays away for too long."""
    since = step.session.recovery.behind_since
    if step.session.is_without_order:
        return
    if not step.session.is_active or not is_behind(step.session):
        if since:
            step.recover(behind_since=0)
    elif not 0 < since <= step.now:
        step.recover(behind_since=step.now)
    elif step.now >= since + _PATIENCE:
        lose(step, f"a part of its order has been missing for {_PATIENCE // 60_000} minutes")
        step.recover(behind_since=since)


def find_again(step: Step) -> bool:
    """Go on where one was, if what was missing has come after all. Returns whether it has.

    Where all members miss the same, nobody could help them back: whoever has it last, the sequencer perhaps, helps all.
    """
    returning, known = step.session.recovery.returning, step.session.memory.log
    if returning is None or known is None or not step.session.is_without_order or returning.commit != NO_COMMIT:
        return False
    entry = known.next_entry
    if entry is None or (not entry.inlined and entry.identity not in step.session.held):
        return False
    step.flag(stuck=b"")
    step.recover(returning=None, returned=step.session.recovery.returned[1:], behind_since=step.now)
    log.info("found the thread again", epoch=step.group.epoch)
    step.tell(Notice("What was missing of the group's order has come after all: this program goes on where it was."))
    return True


def next_due(session: Session) -> int | None:
    """Return when there is something to do, `None` for never."""
    since = session.recovery.behind_since
    return since + _PATIENCE if since and session.is_active else None

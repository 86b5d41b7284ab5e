"""What a member wants of the group, and the Commits that bring it about.

A wish is an intent, and outlives lost races: after each epoch it is looked at again, dropped when its effect is in the
group, and else committed anew on what the group is now. An old Commit is never sent again. One Commit at a time is in
flight, and carries everything that is due.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import mls
from bridge.conversation import Alarm, Notice
from bridge.member import notices
from bridge.member.memory import InFlight, Intent, IntentKind
from bridge.member.spreading import fraction
from bridge.member.state import Held
from bridge.protocol.bodies import Handshake
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope, open_envelope
from bridge.protocol.identity import Identity
from mls.wire.framing import Member
from mls.wire.key_package import KeyPackage
from mls.wire.message import MLSMessage
from mls.wire.proposals import Add, Remove, SelfRemove

if TYPE_CHECKING:
    from bridge.member.state import Session
    from bridge.member.step import Step

__all__ = [
    "commit_what_is_due",
    "drop_what_was_answered",
    "give_up_all",
    "is_behind",
    "next_due",
    "prune",
    "put_off",
    "want",
    "watch_in_flight",
]

_DAY = 24 * 3600 * 1000
_PAUSE = 10_000
"""Milliseconds until a wish is tried again whose Commit was skipped."""
_FURTHEST = 120_000
"""Milliseconds for which a wish is put off, at the most."""

_MAX_ALARMS = 8

_MAX_CHANGES = 64
"""How many wishes go into one Commit: its Welcome shall stay within a few events."""


def want(
    step: Step,
    kind: IntentKind,
    subject: Identity | None = None,
    *,
    key_package: bytes = b"",
    at_once: bool = False,
) -> None:
    """Keep in mind what is to be committed. The same wish twice is one; of two KeyPackages the newer one counts."""
    name = b"" if subject is None else subject.encode()
    others = tuple(item for item in step.session.memory.intents if (item.kind, item.subject) != (kind, name))
    known = next((item for item in step.session.memory.intents if (item.kind, item.subject) == (kind, name)), None)
    due = step.now if at_once else step.now + _stagger(step.session, name)
    if known is not None:
        due = min(due, known.due)
    step.remember(intents=(*others, Intent(kind, name, key_package, due)))


def commit_what_is_due(step: Step) -> None:
    """Commit what is due, if this member can commit now."""
    session = step.session
    if session.is_reading or not session.is_active or session.is_bound:
        return
    if session.memory.in_flight is not None or is_behind(session) or step.now < notices.held_up_until(session):
        return
    _bring_near(step)
    due = [intent for intent in step.session.memory.intents if intent.due <= step.now]
    if any(intent.kind is IntentKind.LEAVE for intent in due):
        if not _is_last_to_leave(step.session):
            _propose_to_leave(step)
            return
        due = _stay(step, due)
    if due:
        _commit(step, due)


def put_off(step: Step) -> None:
    """Try again in a while what was tried, and skipped."""
    later = tuple(item.replace(due=max(item.due, step.now + _PAUSE)) for item in step.session.memory.intents)
    step.remember(intents=later)


def drop_what_was_answered(step: Step) -> None:
    """Drop the wishes to add those who do not ask any more: in epochs that were missed they came in, and went again."""
    people = step.session.people
    asking = {identity.encode() for identity, person in people.items() if person.asks}
    intents = step.session.memory.intents
    step.remember(intents=tuple(one for one in intents if one.kind is not IntentKind.ADD or one.subject in asking))


def give_up_all(step: Step, why: str) -> None:
    """Drop every wish, and say so of those that somebody has uttered."""
    for intent in step.session.memory.intents:
        if intent.kind in {IntentKind.ADD, IntentKind.REMOVE}:
            _tell_given_up(step, intent, why)
    step.remember(intents=(), in_flight=None)


def prune(step: Step) -> None:
    """Drop the intents whose effect is in the group."""
    kept = tuple(intent for intent in step.session.memory.intents if not _is_fulfilled(step.session, intent))
    if kept != step.session.memory.intents:
        step.remember(intents=kept)


def next_due(session: Session) -> int | None:
    """Return when there is something to do, `None` for never."""
    if session.is_reading or not session.is_active or session.is_bound:
        return None
    flight = session.memory.in_flight
    if flight is not None:
        return _alarm_due(session, flight)
    times = [intent.due for intent in session.memory.intents]
    times.append(_update_due(session))
    held_up = notices.held_up_until(session)
    return None if held_up == notices.NEVER else max(min(times), held_up)


def watch_in_flight(step: Step) -> None:
    """Do something about a Commit of one's own that has no place in the order for too long; refresh one's keys in time.

    It may have been taken out of the room before the sequencer saw it: so the same bytes are posted again, ever more
    rarely. Whoever has them already drops the copy.
    """
    session = step.session
    flight = session.memory.in_flight
    if flight is not None and step.now >= _alarm_due(session, flight):
        alarms = flight.alarms + 1
        step.remember(in_flight=flight.replace(alarms=alarms))
        posted = session.held.get(flight.identity)
        if posted is not None:  # else the room is the order
            step.post(open_envelope(posted.envelope), "handshake", again=alarms)
        if alarms == 1:
            seconds = (step.now - flight.since) // 1000
            step.tell(
                Alarm(
                    f"A change to the group waits for its place in the order for {seconds} seconds: nobody seals it.",
                    "Is the bridge running? Messages still go out, to the members as they are now.",
                )
            )
    if session.is_active and step.now >= _update_due(session):
        want(step, IntentKind.UPDATE, at_once=True)


def _alarm_due(session: Session, flight: InFlight) -> int:
    return flight.since + (session.settings.unsealed_alarm << 2 * min(flight.alarms, _MAX_ALARMS))


def _bring_near(step: Step) -> None:
    """Put off nothing for longer than anything is ever put off: the clock may have been set back since."""
    intents = step.session.memory.intents
    if any(intent.due > step.now + _FURTHEST for intent in intents):
        step.remember(intents=tuple(intent.replace(due=min(intent.due, step.now)) for intent in intents))


def _commit(step: Step, due: list[Intent]) -> None:
    """Make one Commit of everything that is due, and post it. One wish that cannot be must not hold up the others."""
    try:
        _try_to_commit(step, due)
    except mls.MlsError as error:
        if len(due) == 1:
            _give_up(step, due[0], error)
            return
        for intent in due:
            if step.session.memory.in_flight is None:
                _commit(step, [intent])


def _try_to_commit(step: Step, due: list[Intent]) -> None:
    proposals = [proposal for intent in due[:_MAX_CHANGES] if (proposal := _proposal(step, intent)) is not None]
    # Where nobody else is about, a Commit with a path waits a minute to be settled: who is let in need not.
    only_adds = all(intent.kind is IntentKind.ADD for intent in due)
    options = mls.CommitOptions(authenticated_data=step.authenticated_data, with_path=not only_adds)
    made = mls.commit(step.group, step.environment, now=step.seconds, proposals=proposals, options=options)
    output = step.take(made)
    leads_to = hashlib.sha256(output.pending.next_epoch.public.context.encode()).digest()
    _post_handshake(step, Handshake(output.message.encode(), leads_to))


def _propose_to_leave(step: Step) -> None:
    """Ask the others to be removed: nobody can commit that for itself (RFC 9420, section 12.1.3)."""
    if len(step.session.members()) == 1:  # the others have gone in the meantime
        _drop(step, IntentKind.LEAVE)
        step.tell(Notice("You are alone in the group by now: nobody could take you out of it. You stay in."))
        return
    if any(item.sender == Member(step.group.own_leaf) for item in step.group.proposals):
        return
    message = step.take(mls.leave(step.group, step.environment, authenticated_data=step.authenticated_data))
    _post_handshake(step, Handshake(message.encode(), b""))


def _is_last_to_leave(session: Session) -> bool:
    """Whether all members have asked to be let go, and it is this one that has to do it: the first in the tree."""
    if session.group is None:
        return False
    leaving = {item.sender for item in session.group.proposals if isinstance(item.proposal, SelfRemove)}
    leaves = [leaf for leaf, _ in session.group.members()]
    return all(Member(leaf) in leaving for leaf in leaves) and session.group.own_leaf == min(leaves)


def _stay(step: Step, due: list[Intent]) -> list[Intent]:
    """Let the others go: somebody has to. Returns what is due then."""
    _drop(step, IntentKind.LEAVE)
    step.tell(Notice("This is not possible: leave. All leave at once: you let the others go, and are alone then."))
    return [intent for intent in due if intent.kind is not IntentKind.LEAVE]


def _post_handshake(step: Step, body: Handshake) -> None:
    sealed = envelope(EnvelopeKind.HANDSHAKE, step.group.group_id, body)
    step.remember(in_flight=InFlight(sealed.identity, step.now, 0))
    if step.session.memory.log is not None:  # the room may lose it before it shows it even here
        step.hold(sealed.identity, Held(sealed.kind, sealed.encode(), step.now, 0))
    step.post(sealed, "handshake")


def _proposal(step: Step, intent: Intent) -> Add | Remove | None:
    match intent.kind:
        case IntentKind.ADD:
            message = MLSMessage.decode(intent.key_package).message
            return Add(message) if isinstance(message, KeyPackage) else None
        case IntentKind.REMOVE:
            leaf = step.session.leaf_of(Identity.decode(intent.subject))
            return None if leaf is None else Remove(leaf)
        case IntentKind.UPDATE | IntentKind.LEAVE | IntentKind.LET_GO:
            return None


def _give_up(step: Step, intent: Intent, error: mls.MlsError) -> None:
    """Drop a wish that the group's rules do not allow, and say why."""
    step.remember(intents=tuple(item for item in step.session.memory.intents if item != intent))
    _tell_given_up(step, intent, str(error))


def _tell_given_up(step: Step, intent: Intent, why: str) -> None:
    what = intent.kind.name.lower().replace("_", " ")
    who = f" {Identity.decode(intent.subject).account}" if intent.subject else ""
    step.tell(Notice(f"This is not possible: {what}{who}. {why}"))


def _drop(step: Step, kind: IntentKind) -> None:
    step.remember(intents=tuple(item for item in step.session.memory.intents if item.kind is not kind))


def _is_fulfilled(session: Session, intent: Intent) -> bool:
    match intent.kind:
        case IntentKind.ADD:
            return session.leaf_of(Identity.decode(intent.subject)) is not None
        case IntentKind.REMOVE:
            return session.leaf_of(Identity.decode(intent.subject)) is None
        case IntentKind.UPDATE:
            return session.memory.flags.updated_at >= intent.due
        case IntentKind.LEAVE:
            return session.group is None or session.group.status is not mls.Status.ACTIVE
        case IntentKind.LET_GO:
            return session.group is None or not session.group.proposals


def is_behind(session: Session) -> bool:
    """Whether the order holds something that this member has not taken in: a Commit now would lose its race."""
    log = session.memory.log
    return log is not None and (log.has_gap or log.next_entry is not None)


def _update_due(session: Session) -> int:
    """Return when this member's keys are to be refreshed: jittered, so that not all members do it at once."""
    flags, settings = session.memory.flags, session.settings
    if flags.sent_since >= settings.update_messages:
        return 0
    spread = fraction(session, b"update") / 5 - 0.1
    return flags.updated_at + int(settings.update_days * _DAY * (1 + spread))


def _stagger(session: Session, subject: bytes) -> int:
    """Return this member's delay before it does what others could do as well: one of several, spread by a hash."""
    own = session.identity
    peers = [who for _, who, _ in session.members() if who.network == own.network]
    return int(fraction(session, subject) * session.settings.stagger) if len(peers) > 1 else 0

"""What a person asks of a member, and the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import mls
from bridge.content import ContentError, Stamp, encode, message_id, text
from bridge.conversation import (
    Add,
    Answer,
    Confirm,
    ConnectionShown,
    Done,
    Join,
    Leave,
    Members,
    MemberShown,
    MembersListed,
    NumbersShown,
    Remove,
    Request,
    RequestRefusedError,
    Resync,
    Said,
    Say,
    Status,
    StatusShown,
    Verification,
    Verify,
)
from bridge.member import committing, joining, losing, people, receiving, talking
from bridge.member.memory import IntentKind
from bridge.member.rights import may_commit
from bridge.protocol.code_points import Right
from bridge.protocol.numbers import group_number
from mls.wire import proposals
from mls.wire.message import wrap

if TYPE_CHECKING:
    from bridge.member.state import Session
    from bridge.member.step import Step
    from bridge.protocol.identity import Identity
    from transports.room import Account

__all__ = ["answer"]

_SALT = 16


def answer(step: Step, request: Request, connections: tuple[ConnectionShown, ...]) -> Answer:
    """Do what a person asks. Raises `RequestRefusedError`."""
    given = _answer(step, request, connections)
    receiving.do_what_is_due(step)
    return given


def _answer(step: Step, request: Request, connections: tuple[ConnectionShown, ...]) -> Answer:
    match request:
        case Say():
            return _say(step, request)
        case Verify(account=who):
            account = people.find(step.session, who)
            return NumbersShown(account, people.name_of(account), people.digits_with(step.session, account))
        case Members():
            return MembersListed(tuple(_members(step.session)))
        case Status():
            return _status(step.session, connections)
        case _:
            _do(step, request)
            return Done()


def _do(step: Step, request: Add | Remove | Confirm | Join | Resync | Leave) -> None:
    match request:
        case Add(account=who):
            _add(step, people.find(step.session, who))
        case Remove(account=who):
            _remove(step, people.find(step.session, who))
        case Confirm(account=who, digits=digits):
            people.vouch(step, people.find(step.session, who), digits)
        case Join():
            _join(step)
        case Resync():
            _resync(step)
        case Leave():
            _leave(step)
        case _:
            assert_never(request)


def _say(step: Step, request: Say) -> Said:
    session = step.session
    if session.group is None:
        raise RequestRefusedError("You are not in the group yet.", next_step="Somebody has to let you in first.")
    room = session.order.room.decode()
    stamp = Stamp(step.random(_SALT), session.account, room)
    try:
        content = text(request.text, stamp, markdown=request.markdown, reply_to=request.reply_to)
        encoded = encode(content)
        identifier = message_id(encoded, sender_uri=session.account, room_uri=room, salt=stamp.salt)
    except ContentError as error:
        raise RequestRefusedError(f"This cannot be said: {error}.") from error
    talking.say(step, encoded, identifier)
    return Said(identifier)


def _add(step: Step, account: Account) -> None:
    session = _in_group(step)
    asking = [person for identity, person in session.people.items() if identity.account == account and person.asks]
    wanted = [person for person in asking if session.leaf_of(person.identity) is None]
    if not wanted:
        raise RequestRefusedError(f"{account} does not ask to be let in.")
    for person in wanted:
        _require(may_commit(session.order, session.identity, proposals.Add(person.key_package), person.identity))
        if not people.is_vouched_for(session, person):
            raise RequestRefusedError(
                f"Only the bridge says that this key is {account}'s.",
                next_step="Compare numbers first",
                command=f"verify {account}",
            )
        package = wrap(person.key_package).encode()
        committing.want(step, IntentKind.ADD, person.identity, key_package=package, at_once=True)


def _remove(step: Step, account: Account) -> None:
    session = _in_group(step)
    if account == session.account:
        raise RequestRefusedError("Nobody can remove themselves.", next_step="To leave", command="leave")
    devices = [(leaf, who) for leaf, who, _ in session.members() if who.account == account]
    if not devices:
        raise RequestRefusedError(f"{account} is not in the group.")
    for leaf, who in devices:
        _require(may_commit(session.order, session.identity, proposals.Remove(leaf), who))
    for _, who in devices:
        committing.want(step, IntentKind.REMOVE, who, at_once=True)


def _leave(step: Step) -> None:
    session = _in_group(step)
    if len(session.members()) == 1:
        raise RequestRefusedError("You are alone in the group: nobody could take you out of it.")
    committing.want(step, IntentKind.LEAVE, at_once=True)


def _join(step: Step) -> None:
    if step.session.is_active:
        raise RequestRefusedError("You are in the group already.")
    joining.ask(step)


def _resync(step: Step) -> None:
    group = step.session.group
    if group is None or group.status is not mls.Status.ACTIVE:
        raise RequestRefusedError("You are not in the group.", next_step="To be let in", command="join")
    if len(step.session.members()) == 1:
        raise RequestRefusedError("You are alone in the group: there is nobody to take it from.")
    losing.resync(step)


def _members(session: Session) -> list[MemberShown]:
    return [
        MemberShown(
            who.account,
            people.name_of(who.account),
            who.device,
            _level(session, who, key),
            who == session.identity,
            _rights(session, who),
        )
        for _, who, key in session.members()
    ]


def _status(session: Session, connections: tuple[ConnectionShown, ...]) -> StatusShown:
    group = session.group
    if group is None:
        return StatusShown(0, 0, Verification.BRIDGE, 0, "", connections, "waiting to be let into the group")
    number = group_number(group.group_id, group.epoch, group.epoch_authenticator)
    weakest = min(
        (_level(session, who, key) for _, who, key in session.members()),
        key=list(Verification).index,
    )
    waiting = len(session.memory.outgoing) + len(session.memory.awaited)
    return StatusShown(
        group.epoch, group.public.tree.member_count, weakest, waiting, number, connections, _held(session)
    )


def _held(session: Session) -> str:
    """Return what holds this member up, empty where nothing does."""
    log = session.memory.log
    reasons = (
        (session.is_returning, f"on the way back into the group: {session.obstacle}"),
        (bool(session.obstacle), session.obstacle),
        (not session.is_active, "you were removed from the group"),
        (session.is_waiting, "a change to the group cannot be followed here: the others' verdict on it is awaited"),
        (log is not None and log.has_gap, f"the seal after number {0 if log is None else log.position.seq} is missing"),
        (log is not None and log.next_entry is not None, "an envelope that the order names is missing"),
        (session.is_bound, "your change to the group waits until another member has followed it: a minute at most"),
        (session.memory.in_flight is not None, "a change to the group waits for its place in the order"),
    )
    return next((reason for holds, reason in reasons if holds), "")


def _level(session: Session, who: Identity, key: bytes) -> Verification:
    return Verification.COMPARED if who == session.identity else people.verification(session, who.account, key)


def _rights(session: Session, who: Identity) -> tuple[str, ...]:
    rights = session.order.rights_of(who.account)
    return tuple(str(right.name).lower() for right in Right if right in rights)


def _in_group(step: Step) -> Session:
    if not step.session.is_active:
        why = step.session.obstacle or "you are not in the group"
        raise RequestRefusedError(f"This cannot be done: {why}.")
    return step.session


def _require(reason: str | None) -> None:
    if reason is not None:
        raise RequestRefusedError(f"This is not allowed: {reason}.")

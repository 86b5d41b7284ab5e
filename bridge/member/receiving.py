"""What a room's events mean to a member."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import structlog

import mls
from bridge.conversation import Alarm, Notice, PlaintextShown
from bridge.member import (
    answering,
    committing,
    fetching,
    founding,
    housekeeping,
    joining,
    losing,
    ordering,
    people,
    returning,
    supplying,
    talking,
    verdicts,
)
from bridge.member.memory import KnownHello
from bridge.member.standing import Place
from bridge.member.state import Held
from bridge.protocol.asking import RejoinWanted, SealedGroupInfo, open_answer, open_request
from bridge.protocol.bodies import Hello, LogPosition, open_body
from bridge.protocol.code_points import SEALED_KINDS, EnvelopeKind, Mode
from bridge.protocol.envelope import envelope, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.seal import Seal
from transports.room import (
    EnvelopeSeen,
    HistoryLost,
    MalformedSeen,
    Membership,
    MembershipSeen,
    PlaintextSeen,
    RoomEnded,
)

if TYPE_CHECKING:
    from bridge.member.step import Step
    from bridge.protocol.asking import Request
    from bridge.protocol.envelope import Envelope
    from transports.room import RoomEvent

__all__ = ["do_what_is_due", "take_event"]

log = structlog.get_logger("member.receive")

_MAX_HELD = 4_096
_MAX_HELLOS = 16


def take_event(step: Step, event: RoomEvent) -> None:
    """Take in one event of the room."""
    match event:
        case EnvelopeSeen():
            _take_envelope(step, event)
        case PlaintextSeen(origin=origin, body=body):
            if step.session.group is not None and origin.sender != step.session.account:
                step.tell(PlaintextShown(origin.sender or "", body, origin.at))
        case MembershipSeen(account=account, membership=membership):
            _take_membership(step, account, membership)
        case MalformedSeen(reason=reason):
            log.info("malformed envelope", reason=reason)
        case HistoryLost(reason=reason):
            step.tell(Notice(f"Something may be missing here: {reason}"))
            fetching.look_for_the_newest(step)
        case RoomEnded(reason=reason, successor=successor):
            where = "another room" if successor is None else f"the room that follows, {successor}"
            step.tell(Alarm(f"This room is no more: {reason}. Nothing is sent here.", f"Start a new group in {where}."))
        case _:
            assert_never(event)


def do_what_is_due(step: Step) -> None:
    """Found the group where that is wanted and possible, commit what is due, send what waits; help, and be helped."""
    _come_back(step)
    housekeeping.keep_house(step)
    session = step.session
    if session.group is None and session.settings.create and not session.is_reading and not _knows_a_group(step):
        founding.found(step)
    committing.watch_in_flight(step)
    fetching.go_on(step)
    supplying.supply(step)
    losing.watch(step)
    joining.be_seen(step)
    verdicts.speak(step)
    answering.answer(step)
    committing.commit_what_is_due(step)
    talking.flush(step)


def _come_back(step: Step) -> None:
    """Go on with what brings a member back that has lost the thread."""
    if losing.find_again(step):
        ordering.walk(step)
        talking.open_held(step)
    returning.go_on(step)
    if not returning.look(step):
        return
    if step.session.order.mode is Mode.ROOM:
        joining.catch_up_with_the_room(step)
    ordering.walk(step)
    talking.open_held(step)


def _take_envelope(step: Step, seen: EnvelopeSeen) -> None:
    try:
        sealed = open_envelope(seen.envelope)
        if sealed.group_id and not _is_ours(step, sealed):
            log.info("an envelope of another group", kind=sealed.kind)
            return
        _take(step, seen, sealed)
    except ProtocolError as error:
        log.info("refused", reason=error.what)


def _take(step: Step, seen: EnvelopeSeen, sealed: Envelope) -> None:
    match sealed.kind:
        case EnvelopeKind.WELCOME:
            # Its place in the order has to be passed one day. For that it is enough to know that it is here; it is
            # whoever follows the order that keeps it for others.
            stub = envelope(EnvelopeKind.WELCOME, sealed.group_id, b"")
            _await_order(step, seen, sealed, sealed if step.session.is_following else stub)
            joining.take_welcome(step, sealed)
        case kind if kind in SEALED_KINDS:
            _await_order(step, seen, sealed, sealed)
        case EnvelopeKind.SEAL:
            if not _is_member(step):
                # Of the group that this member comes into, or comes back into: its Welcome says from where they count.
                _hold(step, seen, sealed, sealed)
            if step.session.is_following or step.session.is_returning:
                ordering.take_seal(step, open_body(Seal, sealed))
        case _:
            _take_unordered(step, seen, sealed)


def _take_unordered(step: Step, seen: EnvelopeSeen, sealed: Envelope) -> None:
    match sealed.kind:
        case EnvelopeKind.HELLO:
            _take_hello(step, seen.origin.sender, open_body(Hello, sealed))
        case EnvelopeKind.KEY_PACKAGE:
            people.take_key_package(step, seen.origin, sealed)
        case EnvelopeKind.REQUEST:
            if seen.transaction is None or seen.note is not None:  # else it is this member's own
                _take_request(step, open_request(sealed), seen.origin.at)
        case EnvelopeKind.ANSWER:
            answer = open_answer(sealed)
            supplying.somebody_answered(step, answer)
            fetching.take_answer(step, answer)
        case EnvelopeKind.GROUP_INFO:
            body = open_body(SealedGroupInfo, sealed)
            answering.somebody_answered(step, body.nonce)
            returning.take_group_info(step, sealed, body)
        case EnvelopeKind.APPLICATION:
            if seen.transaction is not None:
                talking.reflected(step, sealed.identity)
            talking.take_application(step, sealed, _held(seen, sealed))
        case _:
            pass


def _take_request(step: Step, request: Request, at: int) -> None:
    match request.wanted:
        case RejoinWanted() as wanted:
            answering.take_request(step, request, wanted, at)
        case wanted:
            fetching.somebody_asks(step, wanted)
            supplying.take_request(step, request, at)


def _await_order(step: Step, seen: EnvelopeSeen, sealed: Envelope, kept: Envelope) -> None:
    """Take in what the order has named, or will name one day. In mode `room` this is the order."""
    if _orders_by_room(step):
        ordering.apply(step, seen.envelope, Place(sealed.identity, LogPosition(0, 0, sealed.identity), 0))
        talking.open_held(step)
    elif sealed.identity not in step.session.memory.applied:  # else it came inside its seal
        _hold(step, seen, sealed, kept)
        if sealed.kind == EnvelopeKind.HANDSHAKE:
            ordering.watch_for_copies(step, sealed)
        ordering.walk(step)


def _take_hello(step: Step, sender: str | None, hello: Hello) -> None:
    by = (sender or "").encode()
    others = tuple(item for item in step.session.memory.hellos if item.account != by)
    step.remember(hellos=(*others, KnownHello(by, hello))[-_MAX_HELLOS:])


def _take_membership(step: Step, account: str, membership: Membership) -> None:
    """Say so when somebody who can read along is no longer in the room."""
    if membership not in {Membership.LEFT, Membership.KICKED, Membership.BANNED}:
        return
    if any(who.account == account for _, who, _ in step.session.members()):
        name = people.name_of(account)
        step.tell(Notice(f"{account} is no longer in the room, and can still read along. To end that: /remove {name}"))


def _hold(step: Step, seen: EnvelopeSeen, sealed: Envelope, kept: Envelope) -> None:
    if len(step.session.held) >= _MAX_HELD:
        step.release(next(iter(step.session.held)))
        log.warning("too many envelopes wait: the oldest is forgotten")
    step.hold(sealed.identity, _held(seen, kept))


def _held(seen: EnvelopeSeen, sealed: Envelope) -> Held:
    return Held(sealed.kind, sealed.encode(), seen.origin.at, 0)


def _is_member(step: Step) -> bool:
    return step.session.group is not None and step.session.group.status is mls.Status.ACTIVE


def _orders_by_room(step: Step) -> bool:
    return step.session.is_following and step.session.order.mode is Mode.ROOM


def _is_ours(step: Step, sealed: Envelope) -> bool:
    """Whether an envelope is of this member's group; as long as none is known, everything may be."""
    session = step.session
    known = session.settings.group_id if session.group is None else session.group.group_id
    return known in {b"", sealed.group_id} or sealed.kind == EnvelopeKind.WELCOME


def _knows_a_group(step: Step) -> bool:
    """Whether somebody has founded a group in this room already: then one asks to be let in instead."""
    return any(
        held.kind in {EnvelopeKind.SEAL, EnvelopeKind.HANDSHAKE} and _is_ours(step, open_envelope(held.envelope))
        for held in step.session.held.values()
    )

"""Taking in what the order says: the first valid Commit of each epoch is applied, everything else is skipped.

One's own Commits come through here as well, and nothing is applied that the order has not named. Whether a Commit is
valid depends on the group and on the ordered bytes alone, so that all members come to the same answer.

A Commit that fails on a *secret* may be good for others and bad for this member: to skip it could fork the group. The
member says so, and waits for the others' verdict (`bridge.member.settling`).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import structlog

import mls
from bridge.conversation import Alarm, MemberCame, MemberWent, Notice, Removed, Verification
from bridge.member import answering, committing, notices, people, settling, talking, verdicts
from bridge.member.epochs import tell_epoch
from bridge.member.losing import ANOTHER_COPY, lose
from bridge.member.memory import IntentKind
from bridge.member.standing import Place
from bridge.member.stopping import stop
from bridge.order.log import EquivocationError
from bridge.protocol.bodies import Handshake, open_body
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import identity_of, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.identity import identity_of_credential
from bridge.protocol.verdicts import VERDICTS
from mls.errors import DecodeError, RuleError
from mls.registry import ContentType
from mls.wire.framing import NewMemberCommit, PrivateMessage, PublicMessage
from mls.wire.message import MLSMessage
from mls.wire.proposals import Remove, SelfRemove

if TYPE_CHECKING:
    from bridge.member.step import Step
    from bridge.protocol.envelope import Envelope
    from bridge.protocol.identity import Identity
    from bridge.protocol.seal import Seal, SealEntry

__all__ = ["apply", "take_seal", "walk", "watch_for_copies"]

log = structlog.get_logger("member.order")

_REMEMBERED = 128


def take_seal(step: Step, seal: Seal) -> None:
    """Take in a seal of the group's log. Raises `ProtocolError` for one that is not the sequencer's."""
    known = step.session.memory.log
    if known is None:
        return
    try:
        longer = known.add(seal)
    except EquivocationError as error:
        stop(step, f"{error.what}: the bridge shows different members different histories")
        return
    if longer is not known:
        step.kept_seals.append(seal)
        step.remember(log=longer)
    walk(step)


def watch_for_copies(step: Step, sealed: Envelope) -> None:
    """Lose the thread where a handshake that has no place yet is this member's own, and it has not made it.

    To wait for its place would be too late: this member's next one would use the same key.
    """
    if step.session.group is None:
        return
    try:
        message = _message_of(open_body(Handshake, sealed)).message
        if not isinstance(message, PrivateMessage):
            return
        own = mls.own_message(step.group, step.environment, message)
    except (ProtocolError, mls.MlsError):
        return  # whoever wrote it: its place in the order will show what it is worth
    if own is not None and not own.is_known:
        lose(step, ANOTHER_COPY)


def walk(step: Step) -> None:
    """Take in everything that the log names next and whose bytes are here."""
    while step.session.is_following:
        known = step.session.memory.log
        seal = None if known is None else known.next_seal
        entry = None if known is None else known.next_entry
        if known is None or seal is None or entry is None:
            return
        held = step.session.held.get(entry.identity)
        if held is None and not entry.inlined:
            return  # until it comes: what the order names is never left out
        try:
            following = known.advance()
        except EquivocationError as error:
            stop(step, f"{error.what}: the bridge shows different members different histories")
            return
        before = step.session.group
        data = entry.inlined if held is None else held.envelope
        if not data or apply(step, data, Place(entry.identity, seal.position, seal.timestamp)):
            _pass(step, entry, data)
            step.remember(log=following)
        if step.session.group is not before:
            talking.open_held(step)


def _pass(step: Step, entry: SealEntry, data: bytes) -> None:
    """Take note that an envelope has been taken in, and keep it for those who miss it."""
    step.release(entry.identity)
    step.remember(applied=(entry.identity, *step.session.memory.applied)[:_REMEMBERED])
    if not entry.inlined and identity_of(data) == entry.identity:
        step.kept[entry.identity] = data
    if step.session.recovery.behind_since:  # what was missing has begun to come
        step.recover(behind_since=step.now)


def apply(step: Step, data: bytes, place: Place) -> bool:
    """Take in the envelope that the order names. Returns whether to go on: `False` where this member has to stop."""
    is_own = _is_no_longer_in_flight(step, place.identity)
    try:
        sealed = open_envelope(data)
        match sealed.kind:
            case EnvelopeKind.HANDSHAKE:
                reason = _apply_handshake(step, sealed, place)
            case kind if kind in VERDICTS:
                reason = verdicts.take_verdict(step, sealed, place)
            case EnvelopeKind.REMOVE_NOTICE:
                reason = notices.take_notice(step, sealed, place)
            case _:
                return True
    except ProtocolError as error:
        reason = error.what
    if reason:
        log.info("skipped", reason=reason, epoch=step.group.epoch)
        if is_own:
            committing.put_off(step)
    return not step.session.memory.flags.stuck


def _is_no_longer_in_flight(step: Step, identity: bytes) -> bool:
    """Take note that an envelope has its place, and return whether it was made in the current epoch."""
    flight, unsettled = step.session.memory.in_flight, step.session.standing.unsettled
    earlier = None if unsettled is None else unsettled.before.in_flight
    if unsettled is not None and earlier is not None and earlier.identity == identity:
        step.stand(unsettled=unsettled.replace(before=unsettled.before.replace(in_flight=None)))
    if flight is None or flight.identity != identity:
        return False
    step.remember(in_flight=None)
    return True


def _apply_handshake(step: Step, sealed: Envelope, place: Place) -> str:
    """Apply a handshake message; returns why it was skipped, or nothing."""
    body = open_body(Handshake, sealed)
    message = _message_of(body)
    if step.session.is_waiting or step.group.status is not mls.Status.ACTIVE:
        return _pass_by(step, message)
    try:
        made = mls.process(step.group, step.environment, message, now=step.seconds)
    except mls.WrongEpochError:
        return "it is of another epoch"
    except RuleError as error:
        return _without(step, body, message, place, error)
    except mls.MlsError as error:
        return str(error)
    match made.output:
        case mls.Committed() as committed:
            there = _there(step, message, made, committed)
            reason = _why_not(step, body, there, place)
            if not reason:
                _follow(step, mls.Transition(made.state, committed, made.spent), there, place)
            return reason
        case mls.ProposalReceived():
            step.take(made)
            committing.want(step, IntentKind.LET_GO)
        case mls.OwnMessage(is_known=False):
            lose(step, ANOTHER_COPY)
        case _:
            step.take(made)
    return ""


def _there(
    step: Step, message: MLSMessage, made: mls.Transition[mls.Received], committed: mls.Committed
) -> mls.Foreseen:
    """Return where a Commit leads. Who is removed by it sees that from outside."""
    if committed.removed_us:
        return mls.foresee(step.group, step.environment, message)
    return mls.Foreseen(committed, made.state.public.context, made.state.public.tree)


def _follow(step: Step, made: mls.Transition[mls.Committed], there: mls.Foreseen, place: Place) -> None:
    """Go where a Commit leads, as far as it is settled."""
    before = settling.leave(step, made)
    step.remember(last_commit=place.identity)
    _enter(step, made.output, there)
    settling.begin(step, there, place, before)


def _why_not(step: Step, body: Handshake, there: mls.Foreseen, place: Place) -> str:
    """Return what keeps a Commit from counting that is valid by RFC 9420."""
    if hashlib.sha256(there.context.encode()).digest() != body.leads_to:
        return "it does not lead to where it says"
    leaf, author = settling.author_of(step, there)
    standing = step.session.standing
    if place.identity in standing.voided:
        return "it was void"
    if standing.unsettled is not None and standing.unsettled.author == author.encode():
        return "its author's last one is not settled yet"
    if standing.has_notice_of(leaf, place.sealed_at):
        return "its author is about to be removed"
    return ""


def _without(step: Step, body: Handshake, message: MLSMessage, place: Place, error: RuleError) -> str:
    """Consider a Commit that does not work here: what is wrong with it for everyone, or wait for what others say."""
    try:
        there = mls.foresee(step.group, step.environment, message)
    except mls.MlsError:
        return str(error)
    if settling.author_of(step, there)[1] == step.session.identity:
        lose(step, ANOTHER_COPY)
        return str(error)
    reason = _why_not(step, body, there, place) if settling.has_path(there) else str(error)
    if not reason:
        settling.finish(step)
        settling.wait(step, there, place, str(error))
    return reason


def _pass_by(step: Step, message: MLSMessage) -> str:
    """Leave out a handshake that cannot be judged here: this member is not in the epoch that others are in."""
    unsettled = step.session.standing.unsettled
    inner = message.message
    epoch = inner.epoch if isinstance(inner, PrivateMessage) else None
    if isinstance(inner, PublicMessage):
        epoch = inner.content.epoch
    if unsettled is not None and epoch == unsettled.epoch:
        settling.finish(step)  # it may have settled the one before it, and nobody will say so again
    return "it cannot be judged here"


def _message_of(body: Handshake) -> MLSMessage:
    """Decode a handshake, and check that it is one: members' are private, but for a wish to leave."""
    try:
        message = MLSMessage.decode(body.message)
    except DecodeError as error:
        raise ProtocolError(f"not an MLSMessage: {error}") from error
    match message.message:
        case PrivateMessage(content_type=ContentType.APPLICATION):
            raise ProtocolError("an application message among the handshakes")
        case PrivateMessage():
            return message
        case PublicMessage(content=content) if isinstance(content.content, SelfRemove):
            return message
        case PublicMessage(content=content) if isinstance(content.sender, NewMemberCommit):
            return message
        case _:
            raise ProtocolError("a handshake that is neither private, nor a wish to leave, nor somebody's return")


def _enter(step: Step, committed: mls.Committed, there: mls.Foreseen) -> None:
    """Do what follows from a new epoch."""
    _, author = settling.author_of(step, there)
    by = author.account
    removed = {item.proposal.removed for item in committed.proposals if isinstance(item.proposal, Remove)}
    if isinstance(committed.committer, NewMemberCommit):
        _enter_after_return(step, committed, by)
        return
    if committed.is_own and settling.has_path(there):
        step.flag(updated_at=step.now, sent_since=0)
    for change in committed.changes:
        identity = identity_of_credential(change.leaf.credential)
        name = people.name_of(identity.account)
        match change:
            case mls.MemberAdded(leaf=leaf):
                step.trust(identity.account, leaf.signature_key, Verification.FIRST_USE)
                _compare_with_known(step, identity, leaf.signature_key)
                people.came_in(step, identity)
                step.tell(MemberCame(identity.account, name, by, step.now))
            case mls.MemberRemoved(index=index) if index in removed:
                people.was_removed(step, identity)
                step.tell(MemberWent(identity.account, name, by, step.now, "removed"))
            case mls.MemberRemoved():
                step.tell(MemberWent(identity.account, name, by, step.now, "left"))
            case mls.MemberUpdated():
                pass
    if committed.removed_us:
        talking.give_up(step, "you were removed from the group before it could be encrypted")
        committing.give_up_all(step, "You are out of the group.")
        step.tell(Removed(by, step.now))
        return
    notices.give(step, author)
    _go_on(step)


def _enter_after_return(step: Step, committed: mls.Committed, by: str) -> None:
    """Do what follows from somebody's return: nobody has come, and nobody has gone."""
    if committed.removed_us:
        why = "another copy of this program's state has come back in its place: let one alone run"
        talking.give_up(step, why)
        committing.give_up_all(step, "You are out of the group.")
        step.tell(Removed(by, step.now, why))
        return
    for change in committed.changes:
        if isinstance(change, mls.MemberAdded):
            answering.somebody_came_back(step, change.leaf.signature_key)
    step.tell(Notice(f"{by} had lost the thread, and is back in the group."))
    _go_on(step)


def _go_on(step: Step) -> None:
    """Go on in a new epoch."""
    tell_epoch(step)
    if step.session.memory.in_flight is not None:  # it was made in the epoch that is over
        step.remember(in_flight=None)
    committing.prune(step)
    people.reconsider(step)


def _compare_with_known(step: Step, identity: Identity, key: bytes) -> None:
    """Say so when somebody comes back with another key than before."""
    others = {known for (account, known) in step.session.trust if account == identity.account and known != key}
    same_device = [person for who, person in step.session.people.items() if who == identity]
    if others and not any(person.key_package.leaf_node.signature_key == key for person in same_device):
        step.tell(
            Alarm(
                f"The key of {identity.account} is not the one known so far.",
                f"Compare numbers before you trust it: /verify {people.name_of(identity.account)}",
            )
        )

"""What people say: content into application messages, and out of them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

import mls
from bridge.content import ContentError, MessageId, decode, message_id, render
from bridge.conversation import DeliveryChanged, DeliveryState, MessageArrived, Notice, RequestRefusedError
from bridge.member import fetching, people
from bridge.member.losing import ANOTHER_COPY, lose
from bridge.member.memory import Awaited, IntentKind, Outgoing
from bridge.member.state import Held
from bridge.member.stopping import stop
from bridge.order.log import EquivocationError
from bridge.protocol.authenticated_data import SealHead, open_authenticated_data
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.identity import identity_of_credential
from mls.errors import DecodeError
from mls.registry import ContentType
from mls.wire.framing import PrivateMessage
from mls.wire.message import MLSMessage

if TYPE_CHECKING:
    from bridge.member.step import Step
    from bridge.protocol.envelope import Envelope

__all__ = ["flush", "forget_earlier", "give_up", "open_held", "reflected", "say", "take_application"]

log = structlog.get_logger("member.talk")

FALLBACK = "This message is encrypted with MLS."
"""What clients without MLS show in its place."""

_MAX_OUTGOING = 1_000
_MAX_EARLY = 2_000
_MAX_SHOWN = 1_000
_MAX_SAID = 1 << 18
"""Bytes of content that are kept until their epoch is settled."""


def say(step: Step, content: bytes, identifier: MessageId) -> None:
    """Send content, now or as soon as it can be encrypted. Raises `RequestRefusedError` where that will never be."""
    session = step.session
    if session.group is None:
        raise RequestRefusedError("You are not in the group yet.", next_step="Somebody has to let you in first.")
    if not session.is_active and not session.is_returning:
        why = session.obstacle or "you were removed from the group"
        raise RequestRefusedError(f"Nothing can be sent: {why}.")
    if any(intent.kind is IntentKind.LEAVE for intent in session.memory.intents):
        raise RequestRefusedError("You are about to leave: nothing is sent any more.")
    if len(session.memory.outgoing) >= _MAX_OUTGOING:
        raise RequestRefusedError(
            f"{_MAX_OUTGOING} messages wait already.", next_step="What holds them", command="status"
        )
    step.remember(outgoing=(*session.memory.outgoing, Outgoing(identifier, content)))
    step.tell(DeliveryChanged(identifier, DeliveryState.WAITING))
    flush(step)


def flush(step: Step) -> None:
    """Encrypt and post what waits. Not while somebody's wish to leave waits: who goes shall not read on."""
    session = step.session
    if session.is_reading or not session.is_active or session.is_waiting or step.group.proposals:
        return
    while step.session.memory.outgoing and _may_be_said_again(step):
        item, *others = step.session.memory.outgoing
        made = mls.protect(step.group, step.environment, item.content, authenticated_data=step.authenticated_data)
        sealed = envelope(EnvelopeKind.APPLICATION, step.group.group_id, step.take(made).encode())
        awaited = (*step.session.memory.awaited, Awaited(sealed.identity, item.message_id))
        step.remember(awaited=awaited, outgoing=tuple(others))
        step.flag(sent_since=step.session.memory.flags.sent_since + 1)
        step.post(sealed, "application", fallback=FALLBACK)
        if step.session.standing.unsettled is not None:
            step.stand(said=(*step.session.standing.said, item))


def give_up(step: Step, reason: str) -> None:
    """Say of all that waits to be encrypted that it will not be."""
    for item in step.session.memory.outgoing:
        step.tell(DeliveryChanged(MessageId(item.message_id), DeliveryState.FAILED, reason))
    step.remember(outgoing=())


def reflected(step: Step, identity: bytes) -> None:
    """Take note that a message of one's own stands in the room."""
    memory = step.session.memory
    for item in memory.awaited:
        if item.identity == identity:
            step.remember(awaited=tuple(other for other in memory.awaited if other is not item))
            step.tell(DeliveryChanged(MessageId(item.message_id), DeliveryState.SENT))
            return


def take_application(step: Step, sealed: Envelope, held: Held) -> None:
    """Open a message, or keep it for the epoch that it belongs to. Raises `ProtocolError`."""
    message = _message_of(sealed)
    _hear_of_positions(step, message.authenticated_data)
    group = step.session.group
    if group is None or message.epoch > group.epoch:
        early = [key for key, item in step.session.held.items() if item.kind == EnvelopeKind.APPLICATION]
        if len(early) >= _MAX_EARLY:
            # Whoever comes in finds all that was ever said before, and can read the newest at most.
            step.release(early[0])
            log.warning("too many messages of epochs to come: the oldest is forgotten")
        step.hold(sealed.identity, held)
        return
    _open(step, message, held.at)


def forget_earlier(step: Step) -> int:
    """Forget what was said before this member came in, and return how much: it never had the keys."""
    forgotten = 0
    for identity, held in list(step.session.held.items()):
        if held.kind != EnvelopeKind.APPLICATION:
            continue
        try:
            is_readable = _message_of(open_envelope(held.envelope)).epoch >= step.group.epoch
        except ProtocolError:
            is_readable = False
        if not is_readable:
            forgotten += 1
            step.release(identity)
    return forgotten


def open_held(step: Step) -> None:
    """Open the messages whose epoch has come."""
    for identity, held in list(step.session.held.items()):
        if held.kind != EnvelopeKind.APPLICATION:
            continue
        try:
            message = _message_of(open_envelope(held.envelope))
            if message.epoch <= step.group.epoch:
                step.release(identity)
                _open(step, message, held.at)
        except ProtocolError as error:
            step.release(identity)
            log.info("dropped", reason=error.what)


def _open(step: Step, message: PrivateMessage, at: int) -> None:
    """Decrypt a message, and tell what it says."""
    current = step.group.epoch
    try:
        made = mls.process(step.group, step.environment, MLSMessage(1, message), now=step.seconds)
    except mls.ExhaustedError:
        return  # it was opened before
    except mls.WrongEpochError as error:
        if error.got < error.have:
            what = f"A message of epoch {error.got} cannot be opened any more: its keys are gone, now is {error.have}."
            step.tell(Notice(what))
        return
    except mls.MlsError as error:
        step.tell(Notice(f"A message could not be opened: {error}"))
        return
    match made.output:
        case mls.ApplicationMessage() as said:
            step.take(made)
            _tell(step, said, at, is_late=message.epoch < current)
        case mls.OwnMessage(is_known=False):
            lose(step, ANOTHER_COPY)
        case _:
            pass


def _may_be_said_again(step: Step) -> bool:
    """Whether there is room to keep one more message until its epoch is settled; else it waits unsent."""
    standing = step.session.standing
    kept = sum(len(item.content) for item in standing.said)
    return standing.unsettled is None or (len(standing.said) < _MAX_OUTGOING and kept < _MAX_SAID)


def _is_told_already(step: Step, identifier: MessageId, epoch: int) -> bool:
    """Whether people have read a message before, in an epoch that turned out void."""
    standing = step.session.standing
    if identifier in standing.repeats:
        step.stand(repeats=tuple(other for other in standing.repeats if other != identifier))
        return True
    if standing.unsettled is not None and epoch == standing.unsettled.epoch:
        step.stand(shown=(identifier, *standing.shown)[:_MAX_SHOWN])
    return False


def _tell(step: Step, said: mls.ApplicationMessage, at: int, *, is_late: bool) -> None:
    sender = identity_of_credential(said.sender_leaf.credential)
    try:
        _compare_positions(step, said.authenticated_data)
        content = decode(said.data)
        if content.sender_uri != sender.account:
            raise ProtocolError("its sender is not who encrypted it")  # noqa: TRY301
        if content.room_uri != step.session.order.room.decode():
            raise ProtocolError("it was written for another room")  # noqa: TRY301
        identifier = message_id(said.data, sender_uri=sender.account, room_uri=content.room_uri, salt=content.salt)
    except (ContentError, ProtocolError) as error:
        step.tell(Notice(f"A message of {sender.account} is not shown: {error}"))
        return
    if _is_told_already(step, identifier, said.epoch):
        return
    shown = render(content)
    step.tell(
        MessageArrived(
            id=identifier,
            sender_account=sender.account,
            sender_name=people.name_of(sender.account),
            at_ms=at,
            text=shown.text,
            markdown=shown.markdown,
            kind=shown.kind,
            reply_to=shown.in_reply_to,
            replaces=shown.replaces,
            is_own=False,
            verified=people.verification(step.session, sender.account, said.sender_leaf.signature_key),
            late=is_late,
        )
    )


def _compare_positions(step: Step, authenticated_data: bytes) -> None:
    """Hold the sender's place in the log against one's own."""
    head = open_authenticated_data(authenticated_data).head
    known = step.session.memory.log
    if isinstance(head, SealHead) and known is not None:
        try:
            known.compare(head.position)
        except EquivocationError as error:
            stop(step, f"{error.what}: the bridge shows different members different histories")


def _hear_of_positions(step: Step, authenticated_data: bytes) -> None:
    """Take note of how far a sender says to know the order, before anything proves that it is a member who says so."""
    with suppress(ProtocolError):
        head = open_authenticated_data(authenticated_data).head
        if isinstance(head, SealHead):
            fetching.hear_of(step, head.position)


def _message_of(sealed: Envelope) -> PrivateMessage:
    try:
        message = MLSMessage.decode(sealed.body).message
    except DecodeError as error:
        raise ProtocolError(f"not an MLSMessage: {error}") from error
    if not isinstance(message, PrivateMessage) or message.content_type != ContentType.APPLICATION:
        raise ProtocolError("an application envelope without an application message")
    if message.group_id != sealed.group_id:
        raise ProtocolError("an envelope and its message name different groups")
    return message

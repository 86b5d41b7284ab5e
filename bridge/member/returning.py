"""Coming back into a group that this member has lost: by an external Commit that replaces its own old leaf.

A member that has lost the thread (`bridge.member.losing`) asks in the room for a GroupInfo, under its leaf's signature;
a member answers (`bridge.member.answering`); and it comes back as PROTOCOL.md, "Coming back", has it.

From outside it cannot judge what the order names. It is in again when a member says so: by an `ack` of its Commit, or
by a handshake that its new keys open. Until then it sends nothing. Where that does not come, it asks again; in the end
it stops, and a person decides.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

import mls
from bridge.conversation import Notice, Verification
from bridge.member import committing, people, talking
from bridge.member.epochs import tell_epoch
from bridge.member.memory import NO_COMMIT
from bridge.member.recovery import Returning
from bridge.member.stopping import stop
from bridge.order.log import EquivocationError
from bridge.protocol.asking import (
    NONCE_SIZE,
    RejoinWanted,
    open_group_info,
    request_envelope,
    sign_rejoin,
)
from bridge.protocol.bodies import Handshake, LogPosition, open_body
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.order import find_order
from bridge.protocol.verdicts import open_verdict, verdict_is_signed
from mls.errors import DecodeError
from mls.group.group_info import ratchet_tree_of
from mls.tree.math import LeafIndex
from mls.wire.framing import PrivateMessage, PublicMessage
from mls.wire.leaf_node import LeafNode
from mls.wire.message import MLSMessage
from mls.wire.welcome import GroupInfo

if TYPE_CHECKING:
    from bridge.member.state import Held, Session
    from bridge.member.step import Step
    from bridge.protocol.asking import SealedGroupInfo
    from bridge.protocol.envelope import Envelope

__all__ = ["go_on", "look", "next_due", "take_group_info"]

log = structlog.get_logger("member.return")

_PAUSES: Final = (0, 20_000, 40_000, 60_000, 90_000, 120_000, 600_000, 1_200_000, 2_400_000)
"""Milliseconds between two requests, each longer than an answer and its Commit take; the last again and again."""
_PATIENCE: Final = 24 * 3_600_000
"""Milliseconds after which a person decides: by then somebody's program should have run."""
_SPREAD: Final = (6_000, 16_000)
"""Milliseconds, from and to, until who has lost a race asks again: not all at once."""


def go_on(step: Step) -> None:
    """Ask, or ask again, where it is time."""
    returning = step.session.recovery.returning
    if returning is None:
        return
    if returning.asked_at > step.now:  # the clock was set back
        returning = returning.replace(asked_at=step.now)
        step.recover(returning=returning)
    due = next_due(step.session)
    if due is None or step.now < due:
        return
    if step.now < _end(step.session):
        _ask(step, returning)
        return
    step.recover(returning=None)
    step.forget_coming()
    step.flag(stuck=b"")
    talking.give_up(step, "no member has helped this program back into the group")
    stop(step, "it has lost the thread of the group, and no member has helped it back for a day; were you removed?")


def next_due(session: Session) -> int | None:
    """Return when there is something to do, `None` for never."""
    returning = session.recovery.returning
    if returning is None:
        return None
    return min(returning.asked_at + _PAUSES[min(returning.tries, len(_PAUSES) - 1)], _end(session))


def _end(session: Session) -> int:
    return session.recovery.returned[0] + _PATIENCE


def take_group_info(step: Step, sealed: Envelope, body: SealedGroupInfo) -> None:
    """Make the external Commit, where this is the answer to one's own request. Raises `ProtocolError`."""
    returning = step.session.recovery.returning
    if returning is None or body.nonce != returning.nonce or returning.commit != NO_COMMIT or not returning.private_key:
        return
    suite = step.group.suite
    opened = open_group_info(suite, suite.load_hpke_key(returning.private_key), sealed.group_id, body)
    if opened is None:
        raise ProtocolError("a GroupInfo that is not for this member's key")
    info = _group_info_of(opened)
    _require_fresh(step, returning, info, body.stands_at)
    try:
        made = _join(step, info)
    except mls.MlsError as error:
        raise ProtocolError(f"a GroupInfo by which nobody comes back: {error}") from error
    context = made.state.public.context.encode()
    handshake = Handshake(made.output.message.encode(), hashlib.sha256(context).digest())
    commit = envelope(EnvelopeKind.HANDSHAKE, sealed.group_id, handshake)
    known = step.session.memory.log
    walk = None if known is None else known.moved_to(body.stands_at)
    step.session = replace(step.session, coming=made.state)
    step.recover(returning=returning.replace(commit=commit.identity, walk=walk))
    step.post(commit, "handshake")


def look(step: Step) -> bool:
    """Look through what the order names for a member's word that this one is in again. Returns whether it is."""
    try:
        return _look(step)
    except EquivocationError as error:
        # The sequencer's seals do not follow on what the answer says: it lies. Whether the seals contradict each
        # other, the log itself knows.
        log.warning("an answer that does not fit the order", reason=error.what)
        returning = step.session.recovery.returning
        step.forget_coming()
        if returning is not None:
            step.recover(returning=returning.replace(commit=NO_COMMIT, private_key=b"", walk=None))
        return False


def _look(step: Step) -> bool:
    _learn_of_seals(step)
    while (coming := step.session.coming) is not None:
        found = _next(step)
        if found is None:
            return False
        identity, data = found
        if data and _tells(step, coming, data):
            _arrive(step, coming)
            return True
        _pass(step, identity)
        if data:
            _watch_the_race(step, coming, identity, data)
    return False


def _ask(step: Step, returning: Returning) -> None:
    session, suite = step.session, step.group.suite
    key = suite.generate_hpke_key(step.random)
    nonce = step.random(NONCE_SIZE)
    head = LogPosition(0, 0, session.memory.last_commit) if session.memory.log is None else session.memory.log.newest
    own = session.client.signature_key
    wanted = RejoinWanted(own.public_key, head, key.public_key, b"")
    wanted = sign_rejoin(suite, own, group_id=step.group.group_id, nonce=nonce, wanted=wanted)
    step.forget_coming()
    private_key = bytes(key.secret.value)
    tries = returning.tries + 1
    step.recover(returning=Returning(tries, step.now, nonce, head, private_key, NO_COMMIT, None, 0))
    step.post(request_envelope(step.group.group_id, nonce, wanted), "request")


def _group_info_of(data: bytes) -> GroupInfo:
    try:
        message = MLSMessage.decode(data).message
    except DecodeError as error:
        raise ProtocolError(f"not an MLSMessage: {error}") from error
    if not isinstance(message, GroupInfo):
        raise ProtocolError(f"a {type(message).__name__} where a GroupInfo should be")
    return message


def _require_fresh(step: Step, returning: Returning, info: GroupInfo, stands_at: LogPosition) -> None:
    """Refuse a GroupInfo of the past, of another group, or by somebody whom this member never knew."""
    session, group = step.session, step.group
    context = info.group_context
    if context.group_id != group.group_id or context.epoch < group.epoch:
        raise ProtocolError("a GroupInfo of another group, or of an epoch long past")
    known = session.memory.log
    if known is not None:
        if (stands_at.term, stands_at.seq) < (returning.head.term, returning.head.seq):
            raise ProtocolError("a stale GroupInfo: it stands before what this member knows of the order")
        known.compare(stands_at)
    order = find_order(context.extensions)
    if (order.room, order.sequencer, order.mode) != (session.order.room, session.order.sequencer, session.order.mode):
        raise ProtocolError("a GroupInfo of a group with another order")


def _join(step: Step, info: GroupInfo) -> mls.Transition[mls.ExternalJoin]:
    """Return the external Commit that replaces this member's leaf, wherever that is by now."""
    session = step.session
    nodes = ratchet_tree_of(info, None).nodes[::2]
    keys = {LeafIndex(at): leaf.signature_key for at, leaf in enumerate(nodes) if isinstance(leaf, LeafNode)}
    if keys.get(LeafIndex(info.signer)) not in {key for _, _, key in session.members()}:
        raise ProtocolError("a GroupInfo by somebody whom this member never knew")
    own = session.client.signature_key.public_key
    old = next((index for index, key in keys.items() if key == own), None)
    if old is None:
        raise ProtocolError("a GroupInfo of a group that this member is no longer in")
    groups = (step.group.group_id,)
    return mls.join_externally(session.client, step.environment, MLSMessage(1, info), replaces=old, groups=groups)


def _learn_of_seals(step: Step) -> None:
    """Take in the seals that have come since."""
    returning, known = step.session.recovery.returning, step.session.memory.log
    if returning is not None and returning.walk is not None and known is not None:
        walk = returning.walk.knowing(known)
        if walk is not returning.walk:
            step.recover(returning=returning.replace(walk=walk))


def _next(step: Step) -> tuple[bytes, bytes] | None:
    """Return identity and bytes of what the order names next, `None` where it is not there yet."""
    session, returning = step.session, step.session.recovery.returning
    walk = None if returning is None else returning.walk
    if walk is None:
        ordered: list[tuple[bytes, Held]] = list(session.held.items())
        return next(((one, held.envelope) for one, held in ordered if held.kind != EnvelopeKind.APPLICATION), None)
    entry = walk.next_entry
    if entry is None:
        return None
    held = session.held.get(entry.identity)
    if held is None and not entry.inlined:
        return None
    return entry.identity, entry.inlined if held is None else held.envelope


def _pass(step: Step, identity: bytes) -> None:
    # Whatever a later answer stands at, it is behind this.
    step.release(identity)
    returning = step.session.recovery.returning
    if returning is not None and returning.walk is not None:
        step.recover(returning=returning.replace(walk=returning.walk.advance()))


def _tells(step: Step, coming: mls.GroupState, data: bytes) -> bool:
    """Return whether an envelope proves that a member has applied this one's external Commit."""
    returning = step.session.recovery.returning
    try:
        sealed = open_envelope(data)
        if sealed.kind == EnvelopeKind.ACK and returning is not None:
            verdict = open_verdict(sealed)
            leaf = coming.public.tree.leaf(verdict.leaf)
            about = (verdict.commit, verdict.epoch) == (returning.commit, coming.epoch)
            if leaf is None or verdict.leaf == coming.own_leaf or not about:
                return False
            return verdict_is_signed(coming.suite, leaf.signature_key, sealed, verdict)
        if sealed.kind == EnvelopeKind.HANDSHAKE:
            message = MLSMessage.decode(open_body(Handshake, sealed).message)
            if not isinstance(message.message, PrivateMessage | PublicMessage):
                return False
            mls.process(coming, step.environment, message, now=step.seconds)
            return True
    except (ProtocolError, mls.MlsError):
        return False
    return False


def _watch_the_race(step: Step, coming: mls.GroupState, identity: bytes, data: bytes) -> None:
    """Ask again soon where somebody else's Commit came before: many may have to come back at once."""
    returning = step.session.recovery.returning
    if returning is None:
        return
    if identity == returning.commit:
        if returning.has_rival:
            _lose_the_race(step, returning)
    elif _epoch_of(data) == coming.epoch - 1:
        step.recover(returning=returning.replace(has_rival=1))


def _lose_the_race(step: Step, returning: Returning) -> None:
    log.info("another Commit came first")
    step.forget_coming()
    tries = max(returning.tries - 1, 1)
    spread = int.from_bytes(returning.nonce[:2], "big") * (_SPREAD[1] - _SPREAD[0]) >> 16
    asked_at = step.now + _SPREAD[0] + spread - _PAUSES[tries]
    step.recover(returning=returning.replace(tries=tries, asked_at=max(asked_at, 1)))


def _epoch_of(data: bytes) -> int | None:
    """Return of which epoch a handshake is; `None` for what is none."""
    try:
        sealed = open_envelope(data)
        if sealed.kind != EnvelopeKind.HANDSHAKE:
            return None
        message = MLSMessage.decode(open_body(Handshake, sealed).message).message
    except (ProtocolError, DecodeError):
        return None
    if isinstance(message, PublicMessage):
        return message.content.epoch
    return message.epoch if isinstance(message, PrivateMessage) else None


def _arrive(step: Step, coming: mls.GroupState) -> None:
    """Be in the group again."""
    session = step.session
    returning, left_at = session.recovery.returning, step.group.epoch
    step.session = replace(session, coming=None)  # it is what goes on
    step.begin_anew(mls.Transition(coming, None, ()))
    step.flag(stuck=b"", updated_at=step.now, sent_since=0)
    commit = NO_COMMIT if returning is None else returning.commit
    step.remember(in_flight=None, last_commit=commit, log=None if returning is None else returning.walk)
    for _, identity, key in step.session.members():
        step.trust(identity.account, key, Verification.FIRST_USE)
        people.came_in(step, identity)
    lost = talking.forget_earlier(step)
    log.info("back in the group", epoch=coming.epoch, before=left_at)
    missing = f" {lost} messages of the time between cannot be read here: ask for them again." if lost else ""
    step.tell(Notice(f"Back in the group: in epoch {coming.epoch}, after epoch {left_at}.{missing}"))
    tell_epoch(step)
    committing.drop_what_was_answered(step)
    committing.prune(step)
    people.reconsider(step)

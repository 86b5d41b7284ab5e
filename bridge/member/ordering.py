"""Taking in what the order says: the first valid Commit of each epoch is applied, everything else is skipped.

One's own Commits come through here as well, and nothing is applied that the order has not named. Whether a Commit is
valid depends on the group and on the ordered bytes alone, so that all members come to the same answer.

A Commit that fails on a *secret* may be good for others and bad for this member: to skip it could fork the group. The
member stops there, says so, and sends nothing more.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import structlog

import mls
from bridge.conversation import Alarm, EpochChanged, MemberCame, MemberWent, Removed, Verification
from bridge.member import committing, people, talking
from bridge.member.state import IntentKind
from bridge.member.stopping import stop
from bridge.order.log import EquivocationError
from bridge.protocol.bodies import Handshake, LogPosition, WelcomeBody, open_body
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.identity import identity_of_credential
from bridge.protocol.numbers import group_number
from mls import rules
from mls.errors import DecodeError, RuleError
from mls.registry import ContentType
from mls.wire.framing import Member, PrivateMessage, PublicMessage
from mls.wire.message import MLSMessage
from mls.wire.proposals import Remove, SelfRemove

if TYPE_CHECKING:
    from bridge.member.step import Step
    from bridge.protocol.envelope import Envelope
    from bridge.protocol.identity import Identity
    from bridge.protocol.seal import Seal

__all__ = ["apply", "take_seal", "tell_epoch", "walk"]

log = structlog.get_logger("member.order")

_REMEMBERED = 128

_ABOUT_SECRETS = frozenset(
    {
        rules.CONFIRMATION_TAG_IS_VALID,
        rules.PATH_SECRET_DECRYPTS,
        rules.PATH_SECRET_HAS_THE_RIGHT_SIZE,
    }
)
"""Rules that one member can see broken and another not."""


def take_seal(step: Step, seal: Seal) -> None:
    """Take in a seal of the group's log. Raises `ProtocolError` for one that is not the sequencer's."""
    known = step.session.memory.log
    if known is None:
        return
    try:
        step.remember(log=known.add(seal))
    except EquivocationError as error:
        stop(step, f"{error.what}: the bridge shows different members different histories")
        return
    walk(step)


def walk(step: Step) -> None:
    """Take in everything that the log names next and whose bytes are here."""
    while step.session.is_active:
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
        if not data or apply(step, data, entry.identity, seal.position):
            step.release(entry.identity)
            applied = (entry.identity, *step.session.memory.applied)[:_REMEMBERED]
            step.remember(log=following, applied=applied)
        if step.session.group is not before:
            talking.open_held(step)


def apply(step: Step, data: bytes, identity: bytes, position: LogPosition) -> bool:
    """Take in the envelope that the order names. Returns whether to go on: `False` where this member has to stop."""
    flight = step.session.memory.in_flight
    if flight is not None and flight.identity == identity:
        step.remember(in_flight=None)
    try:
        sealed = open_envelope(data)
        if sealed.kind != EnvelopeKind.HANDSHAKE:
            return True
        reason = _apply_handshake(step, sealed, identity, position)
    except ProtocolError as error:
        reason = error.what
    if reason:
        log.info("skipped", reason=reason, epoch=step.group.epoch)
    return not step.session.memory.flags.stuck


def tell_epoch(step: Step) -> None:
    """Show the group's new epoch."""
    group = step.group
    number = group_number(group.group_id, group.epoch, group.epoch_authenticator)
    step.tell(EpochChanged(group.epoch, group.public.tree.member_count, number))


def _apply_handshake(step: Step, sealed: Envelope, identity: bytes, position: LogPosition) -> str:
    """Apply a handshake message; returns why it was skipped, or nothing."""
    body = open_body(Handshake, sealed)
    message = _message_of(body)
    try:
        made = mls.process(step.group, step.environment, message, now=step.seconds)
    except mls.WrongEpochError:
        return "it is of another epoch"
    except RuleError as error:
        if error.rule in _ABOUT_SECRETS and body.leads_to:
            stop(step, f"a change to the group cannot be followed here ({error.rule.name})")
        return str(error)
    except mls.MlsError as error:
        return str(error)
    match made.output:
        case mls.Committed() as committed:
            # Who is removed does not learn the context that the Commit leads to, and it is of no matter to them.
            context = made.state.public.context.encode()
            if not committed.removed_us and hashlib.sha256(context).digest() != body.leads_to:
                return "it does not lead to where it says"
            step.take(made)
            step.remember(last_commit=identity)
            _enter(step, committed, position)
        case mls.ProposalReceived():
            step.take(made)
            committing.want(step, IntentKind.LET_GO)
        case mls.OwnMessage(is_known=False):
            stop(step, "another copy of this member is at work")
        case _:
            step.take(made)
    return ""


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
        case _:
            raise ProtocolError("a handshake that is neither private nor a wish to leave")


def _enter(step: Step, committed: mls.Committed, position: LogPosition) -> None:
    """Do what follows from a new epoch."""
    by = _author(step, committed)
    removed = {item.proposal.removed for item in committed.proposals if isinstance(item.proposal, Remove)}
    if committed.is_own:
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
        step.remember(intents=(), in_flight=None)
        step.tell(Removed(by, step.now))
        return
    tell_epoch(step)
    if committed.welcome is not None:
        body = WelcomeBody(committed.welcome.encode(), position)
        step.post(envelope(EnvelopeKind.WELCOME, step.group.group_id, body), "welcome")
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


def _author(step: Step, committed: mls.Committed) -> str:
    match committed.committer:
        case Member(leaf_index=index):
            # In the tree after the Commit: who commits is still in it.
            leaf = step.group.public.tree.leaf(index)
            return "" if leaf is None else identity_of_credential(leaf.credential).account
        case _:
            return ""

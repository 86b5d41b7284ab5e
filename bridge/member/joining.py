"""Coming in: asking with a KeyPackage in the room, and taking the Welcome that answers it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

import mls
from bridge.conversation import Alarm, Joined, Notice, Verification
from bridge.member import ordering, people, talking
from bridge.member.epochs import tell_epoch
from bridge.member.standing import Place
from bridge.order.log import begin_log
from bridge.protocol.bodies import KeyPackagePurpose, LogPosition, PublishedKeyPackage, WelcomeBody, open_body
from bridge.protocol.code_points import SEALED_KINDS, EnvelopeKind, Mode
from bridge.protocol.envelope import envelope, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.identity import identity_of_credential
from bridge.protocol.order import find_order
from bridge.protocol.seal import Seal
from mls.errors import DecodeError
from mls.wire.message import MLSMessage
from mls.wire.welcome import Welcome

if TYPE_CHECKING:
    from bridge.member.step import Step
    from bridge.protocol.envelope import Envelope

__all__ = ["ask", "be_seen", "catch_up_with_the_room", "publish_key_package", "take_welcome"]

log = structlog.get_logger("member.join")

_MAX_BUNDLES = 8

_SEEN = 60_000
"""Milliseconds within which a KeyPackage is not posted again."""
_ASK_AGAIN = 60_000
"""Milliseconds between two asks, at the least: whoever makes up Welcomes shall not make others flood the room."""


def ask(step: Step) -> None:
    """Ask to be let in: by a fresh KeyPackage in the room."""
    publish_key_package(step, KeyPackagePurpose.ASK)
    step.flag(asked_at=step.now, ask_again_at=0)
    step.tell(Notice("Asked to be let in. A member of the group has to agree, or their program does."))


def publish_key_package(step: Step, purpose: KeyPackagePurpose) -> None:
    """Post a fresh KeyPackage: for who wants to let this member in, or to compare numbers with it."""
    session = step.session
    lifetime = mls.lifetime_of_days(session.settings.key_package_days, now=step.seconds)
    bundle = mls.create_key_package(session.client, step.environment, lifetime=lifetime)
    step.session = replace(session, bundles=(*session.bundles, bundle)[-_MAX_BUNDLES:], published_at=step.now)
    body = PublishedKeyPackage(purpose, session.room.encode(), bundle.message.encode())
    step.post(envelope(EnvelopeKind.KEY_PACKAGE, b"", body), "key package")


def be_seen(step: Step) -> None:
    """Post a KeyPackage for who has just come and is to compare numbers: the room may have forgotten the last one."""
    if step.is_to_be_compared and not step.now - _SEEN < step.session.published_at <= step.now:
        publish_key_package(step, KeyPackagePurpose.SUPPLY)


def take_welcome(step: Step, sealed: Envelope) -> None:
    """Join by a Welcome that answers one of this member's KeyPackages; others are not its business.

    Raises `ProtocolError` for a Welcome that is none, or that leads into a group of another room.
    """
    body = open_body(WelcomeBody, sealed)
    welcome = _welcome_of(body)
    wanted = {entry.new_member for entry in welcome.secrets}
    people.was_welcomed(step, wanted)
    bundle = next((item for item in step.session.bundles if item.reference in wanted), None)
    if bundle is None:
        return
    if step.session.is_active:
        raise ProtocolError("a Welcome for who is in a group already")
    _require_named_group(step, sealed.group_id)
    try:
        made = mls.join(step.environment, MLSMessage(1, welcome), [bundle])
        order = find_order(made.state.public.context.extensions)
    except mls.MlsError as error:
        _ask_with_another(step)
        raise ProtocolError(f"a Welcome that cannot be followed: {error}") from error
    if step.session.room.encode() not in order.rooms:
        raise ProtocolError("a Welcome into the group of another room")
    if made.state.group_id != sealed.group_id:
        raise ProtocolError("a Welcome whose envelope names another group")
    _enter(step, made, bundle, body.stands_at)


def _ask_with_another(step: Step) -> None:
    """Ask again, in a while: whoever saw the Welcome, made up by whomever, takes its KeyPackage for used.

    The KeyPackage itself is kept: whoever has not seen it may be about to add this member by it.
    """
    if step.session.memory.flags.asked_at:
        step.flag(ask_again_at=step.session.memory.flags.asked_at + _ASK_AGAIN)


def _require_named_group(step: Step, group_id: bytes) -> None:
    """Let nobody take this member into another group than its settings name. Raises `ProtocolError`."""
    named = step.session.settings.group_id
    if named in {b"", group_id}:
        return
    step.tell(
        Alarm(
            f"Somebody wanted to let you into another group than the one that is configured: {group_id.hex()}.",
            f"You are not in: the configuration names {named.hex()}. Whoever has founded the group knows its id.",
        )
    )
    raise ProtocolError("a Welcome into another group than the configured one")


def _enter(step: Step, made: mls.Transition[mls.Joined], bundle: mls.KeyPackageBundle, stands_at: LogPosition) -> None:
    joined = step.begin_anew(made)
    kept = tuple(item for item in step.session.bundles if item is not bundle)
    step.session = replace(step.session, bundles=kept)
    order = step.session.order
    known = begin_log(step.group.group_id, order.sequencer, stands_at) if order.mode is Mode.SEALED else None
    step.remember(log=known, last_commit=stands_at.seal_hash, intents=(), in_flight=None)
    step.flag(asked_at=0, ask_again_at=0, updated_at=step.now, sent_since=0, stuck=b"")
    for _, identity, key in step.session.members():
        step.trust(identity.account, key, Verification.FIRST_USE)
        people.came_in(step, identity)
    inviter = step.group.public.tree.leaf(joined.inviter)
    by = "" if inviter is None else identity_of_credential(inviter.credential).account
    step.tell(Joined(joined.epoch, step.group.public.tree.member_count, by))
    tell_epoch(step)
    _catch_up(step)


def _catch_up(step: Step) -> None:
    """Take in what came for the group before the Welcome did: seals, handshakes, messages."""
    talking.forget_earlier(step)
    for identity, held in list(step.session.held.items()):
        sealed = open_envelope(held.envelope)
        if sealed.group_id != step.group.group_id:
            step.release(identity)
        elif held.kind == EnvelopeKind.SEAL:
            step.release(identity)
            try:
                ordering.take_seal(step, open_body(Seal, sealed))
            except ProtocolError as error:
                log.info("dropped", reason=error.what)
    if step.session.order.mode is Mode.ROOM:
        catch_up_with_the_room(step)
    ordering.walk(step)
    talking.open_held(step)
    people.reconsider(step)


def catch_up_with_the_room(step: Step) -> None:
    """Mode `room`: take in what the order has named behind the Commit which let this member in."""
    waiting = [(identity, held) for identity, held in step.session.held.items() if held.kind in SEALED_KINDS]
    identities = [identity for identity, _ in waiting]
    own = step.session.memory.last_commit
    begins = identities.index(own) + 1 if own in identities else 0
    for number, (identity, held) in enumerate(waiting):
        step.release(identity)
        if number >= begins and step.session.is_following:
            ordering.apply(step, held.envelope, Place(identity, LogPosition(0, 0, identity), 0))


def _welcome_of(body: WelcomeBody) -> Welcome:
    try:
        message = MLSMessage.decode(body.welcome).message
    except DecodeError as error:
        raise ProtocolError(f"not an MLSMessage: {error}") from error
    if not isinstance(message, Welcome):
        raise ProtocolError(f"a {type(message).__name__} where a Welcome should be")
    return message

"""Founding a room's group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mls
from bridge.conversation import Joined, Notice
from bridge.member import committing, joining, people
from bridge.member.environment import required_capabilities
from bridge.member.epochs import tell_epoch
from bridge.member.memory import IntentKind
from bridge.order.log import begin_log
from bridge.protocol.bodies import KeyPackagePurpose
from bridge.protocol.code_points import DEFAULT_MEMBER_RIGHTS, Introductions, Mode, Right
from bridge.protocol.order import Admin, Order, pack_order
from bridge.protocol.seal import start_of_log

if TYPE_CHECKING:
    from bridge.member.memory import KnownHello
    from bridge.member.state import Session
    from bridge.member.step import Step

__all__ = ["found", "hello_to_believe"]

_GROUP_ID = 16
_FIRST_TERM = 0
_LIFETIME_DAYS = 365


def hello_to_believe(session: Session) -> KnownHello | None:
    """Return the bridge's `hello` that a group would be founded on; `None` where there is none, or more than one."""
    wanted = session.settings.bridge
    found = [
        item
        for item in session.memory.hellos
        if item.hello.sequencer_key
        and session.room.encode() in item.hello.rooms
        and (wanted is None or item.account == wanted.encode())
    ]
    keys = {item.hello.sequencer_key for item in found}
    return found[-1] if len(keys) == 1 else None


def found(step: Step) -> bool:
    """Found a group, with this member alone in it and all rights; returns `False` where there is no order for it yet.

    The first Commit follows at once: its seal is what pins the room to this group.
    """
    order = _order(step.session)
    if order is None:
        return False
    group_id = step.session.settings.group_id or step.random(_GROUP_ID)
    extensions = (required_capabilities(), pack_order(order))
    lifetime = mls.lifetime_of_days(_LIFETIME_DAYS, now=step.seconds)
    client, environment = step.session.client, step.environment
    step.begin_anew(mls.create(client, environment, group_id=group_id, lifetime=lifetime, extensions=extensions))
    start = start_of_log(group_id, order.sequencer, order.term)
    step.remember(log=begin_log(group_id, order.sequencer, start) if order.mode is Mode.SEALED else None)
    step.flag(updated_at=step.now)
    step.tell(Joined(step.group.epoch, 1, step.session.account))
    step.tell(Notice("Founded the group. Whoever asks from your network is let in; others once you compared numbers."))
    tell_epoch(step)
    joining.publish_key_package(step, KeyPackagePurpose.SUPPLY)
    committing.want(step, IntentKind.UPDATE, at_once=True)
    people.reconsider(step, quietly=False)  # who asked before there was anybody to ask
    return True


def _order(session: Session) -> Order | None:
    rooms: tuple[bytes, ...] = (session.room.encode(),)
    sequencer = b""
    if session.settings.mode is Mode.SEALED:
        known = hello_to_believe(session)
        if known is None:
            return None
        rooms, sequencer = known.hello.rooms, known.hello.sequencer_key
    return Order(
        1,
        session.settings.mode,
        rooms[0],
        rooms,
        _FIRST_TERM,
        sequencer,
        (),
        0,
        (Admin(session.account.encode(), sum(Right)),),
        DEFAULT_MEMBER_RIGHTS,
        Introductions.MEMBERS,
        session.settings.retention,
    )

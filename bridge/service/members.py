"""The member's role, from the configuration; and what it tells of its group. Loaded only where there is a member."""

from __future__ import annotations

from bridge.config.rooms import Room
from bridge.member.role import MemberRole
from bridge.member.settings import AddPolicy, MemberSettings
from bridge.protocol.code_points import Mode
from bridge.relay import Side
from bridge.service.reporting import Report
from bridge.store.member import MemberTransaction
from mls.crypto.random import Random, system_random

__all__ = ["describe_member", "make_member", "read_member"]


def make_member(room: Room, side: Side, random: Random) -> MemberRole:
    """Return the member that a room of the configuration asks for."""
    if room.member is None:
        raise ValueError("this room has no member")
    settings = MemberSettings(
        device=room.member.device,
        create=room.member.create,
        mode=Mode[room.mode.name],
        add=AddPolicy[room.member.add.name],
        update_days=room.member.updates.days,
        update_messages=room.member.updates.messages,
    )
    return MemberRole(f"member {side.scope}", side.account, side.room, settings, random)


def describe_member(role: MemberRole) -> Report:
    """Return how a member stands to its group."""
    session = role.session
    group = session.group
    members = sorted({identity.account for _, identity, _ in session.members()})
    return {
        "epoch": None if group is None else group.public.context.epoch,
        "members": members,
        "stuck": session.memory.flags.stuck.decode(errors="replace") or None,
    }


async def read_member(tx: MemberTransaction, room: Room, side: Side, *, now: int) -> MemberRole:
    """Return a member as it is stored. What its start writes is not to be committed."""
    role = make_member(room, side, system_random)
    (await role.start(tx, now=now))()
    return role

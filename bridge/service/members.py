"""The member's role: from the configuration, asked, and described. Loaded only where there is a member."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bridge.config.rooms import Late, Room
from bridge.conversation import Answer, ConnectionShown, LinkState, Request, RequestRefusedError, Told
from bridge.member import history, people
from bridge.member.role import MemberRole, of_member
from bridge.member.settings import AddPolicy, MemberSettings
from bridge.protocol.code_points import Mode
from bridge.protocol.order import Retention
from bridge.relay import Side
from bridge.service.control import Object
from bridge.service.errors import ServiceError
from bridge.terminal.line_format import happening_object
from bridge.terminal.transcript import Authorship
from mls.crypto.random import Random
from transports.room import ConnectionState

if TYPE_CHECKING:
    from bridge.service.consumer import AfterCommit
    from bridge.service.service import Service
    from bridge.store import Transaction

__all__ = ["describe_member", "do", "epoch_of", "forget_history", "history_of", "link", "make_member"]

_EPOCHS_MAX = 64


def make_member(room: Room, side: Side, random: Random, *, history: bool) -> MemberRole:
    """Return the member that a room of the configuration asks for. `history`: whether messages are kept."""
    if room.member is None:
        raise ValueError("this room has no member")
    settings = MemberSettings(
        device=room.member.device,
        create=room.member.create,
        group_id=room.group_id,
        mode=Mode[room.mode.name],
        retention=_retention(room.member.late),
        padding=room.member.padding,
        history=history,
        add=AddPolicy[room.member.add.name],
        update_days=room.member.updates.days,
        update_messages=room.member.updates.messages,
    )
    return MemberRole(f"member {side.scope}", side.account, side.room, settings, random)


async def do(service: Service, role: MemberRole, asked: Request, connections: Sequence[ConnectionShown]) -> Answer:
    """Do what a person asks of a member that runs. Raises `RequestRefusedError`, `StoreError`."""
    answers: list[Answer] = []

    async def step(tx: Transaction, now: int) -> AfterCommit:
        answer, after = await role.request(tx, asked, tuple(connections), now=now)
        answers.append(answer)
        return after

    try:
        await service.act(role, step)
    except ServiceError as error:
        raise RequestRefusedError(f"This cannot be done now: {error}") from error
    return answers[0]


def link(network: str, state: ConnectionState) -> ConnectionShown:
    """Return how a connection stands, as people are told."""
    return ConnectionShown(network, LinkState(state.value.replace(" ", "-")))


async def history_of(tx: Transaction, role: MemberRole, limit: int, before: int) -> list[Object]:
    """Return messages that were kept, as JSON objects, with their positions."""
    kept = await history.recall(of_member(tx), role.inbox, limit, before=before)
    return [happening_object(Told(item.message, item.position), Authorship.UNKNOWN) for item in kept]


async def forget_history(tx: Transaction, role: MemberRole, *, now: int) -> None:
    """Delete the messages that were kept."""
    await history.forget(of_member(tx), role.inbox, now=now)


def describe_member(role: MemberRole) -> Object:
    """Return how a member stands to its group."""
    session = role.session
    group = session.group
    asking = [person for person in session.people.values() if person.asks]
    return {
        "id": None if group is None else group.group_id.hex(),
        "epoch": None if group is None else group.public.context.epoch,
        "members": sorted({identity.account for _, identity, _ in session.members()}),
        "asking": [
            {
                "account": person.identity.account,
                "device": person.identity.device,
                "vouched_for": people.is_vouched_for(session, person),
                "was_in": session.leaf_of(person.identity) is not None,
            }
            # Members too: who has lost its group asks to come back, and its old leaf is still in the tree.
            for person in asking
            if group is not None
        ],
        "stuck": session.obstacle or None,
    }


def epoch_of(role: MemberRole) -> float:
    """Return the epoch of a member's group, not a number where there is none yet."""
    group = role.session.group if role.has_started else None
    return math.nan if group is None else group.public.context.epoch


def _retention(late: Late) -> Retention:
    return Retention(late.minutes * 60, late.epochs, late.hours * 3600, _EPOCHS_MAX)

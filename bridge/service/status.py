"""How everything stands, in a form for people and programs: rooms, groups, accounts, and what waits to be sent.

The same of a service that runs and of one that is stopped, except for what only a running one knows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from bridge.config import Config
from bridge.config.rooms import Room
from bridge.observing.health import Readiness
from bridge.order.sequencer import sealed_group
from bridge.relay import Side
from bridge.service.control import Object
from bridge.store import Transaction
from transports.room import Account, RoomAddress

if TYPE_CHECKING:
    from bridge.member.role import MemberRole
    from bridge.service.account import AccountRunner

__all__ = ["SIDES", "describe", "remember_sides", "sides_of"]

SIDES: Final = "sides"
"""The space of the records that say where rooms' accounts are."""


async def remember_sides(tx: Transaction, room: str, sides: Mapping[str, Side]) -> None:
    """Keep where a room's accounts are: their names in the configuration and the networks' own."""
    value = {name: [side.account, side.room] for name, side in sides.items()}
    await tx.records.put(SIDES, room.encode(), json.dumps(value).encode())


async def describe(
    tx: Transaction,
    config: Config,
    readiness: Readiness | None,
    accounts: Mapping[str, AccountRunner],
    members: Mapping[str, MemberRole],
    warnings: Mapping[str, str | None],
) -> Object:
    """Return how everything stands. `readiness` is `None` where no service runs; `warnings` are the sequencers'."""
    sides = {name: await sides_of(tx, name) for name in config.rooms}
    known = {name: side.account for one in sides.values() for name, side in one.items()}
    return {
        "running": readiness is not None,
        "accounts": {
            name: {
                "account": known.get(name),
                "state": readiness.accounts[name].value if readiness and name in readiness.accounts else None,
                "problem": accounts[name].problem if name in accounts else None,
                "waiting": await tx.outbox.count(known[name]) if name in known else 0,
            }
            for name in config.accounts
        },
        "rooms": {
            name: {
                "rooms": [str(side.room) for side in sides[name].values()],
                "roles": [
                    role
                    for role, is_held in (
                        ("relay", room.relay),
                        ("sequencer", room.sequencer),
                        ("member", room.member is not None),
                    )
                    if is_held
                ],
                "problem": readiness.rooms.get(name) if readiness else None,
                "warning": warnings.get(name),
                "sealed_group": await _sealed_group(tx, room, sides[name]),
                "group": _group(members.get(name)),
            }
            for name, room in config.rooms.items()
        },
    }


async def sides_of(tx: Transaction, room: str) -> dict[str, Side]:
    """Return where a room's accounts were when it was last served, by their names in the configuration."""
    value = await tx.records.get(SIDES, room.encode())
    stored = {} if value is None else json.loads(value)
    return {name: Side(Account(account), RoomAddress(address)) for name, (account, address) in stored.items()}


async def _sealed_group(tx: Transaction, room: Room, sides: Mapping[str, Side]) -> str | None:
    """Return the id of the group that this process seals in a room."""
    home = sides.get(room.home_side.account)
    if not room.sequencer or home is None:
        return None
    return (await sealed_group(tx, home.account, home.room)).hex() or None


def _group(member: MemberRole | None) -> Object | None:
    if member is None or not member.has_started:
        return None
    from bridge.service.members import describe_member  # noqa: PLC0415 - a mere relay loads no member

    return describe_member(member)

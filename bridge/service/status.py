"""How everything stands, in a form for people and programs: rooms, groups, accounts, and what waits to be sent.

The same of a service that runs and of one that is stopped, except for what only a running one knows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from bridge.config import Config
from bridge.observing.health import Readiness
from bridge.relay import Side
from bridge.service.clock import Clock
from bridge.service.reporting import Report
from bridge.store import Store, Transaction
from transports.room import Account, RoomAddress

if TYPE_CHECKING:
    from bridge.member.role import MemberRole
    from bridge.service.account import AccountRunner

__all__ = ["describe", "read_stopped", "remember_sides"]

_SIDES: Final = "sides"


async def remember_sides(tx: Transaction, room: str, sides: Mapping[str, Side]) -> None:
    """Keep where a room's accounts are: their names in the configuration and the networks' own."""
    value = {name: [side.account, side.room] for name, side in sides.items()}
    await tx.records.put(_SIDES, room.encode(), json.dumps(value).encode())


async def describe(
    tx: Transaction,
    config: Config,
    readiness: Readiness | None,
    accounts: Mapping[str, AccountRunner],
    members: Mapping[str, MemberRole],
) -> Report:
    """Return how everything stands. `readiness` is `None` where no service runs."""
    sides = {name: await _sides(tx, name) for name in config.rooms}
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
                "group": _group(members.get(name)),
            }
            for name, room in config.rooms.items()
        },
    }


async def read_stopped(config: Config, store: Store, clock: Clock) -> Report:
    """Return what the database of a stopped service says."""
    report: Report = {}
    with suppress(_Discard):
        async with store.transaction() as tx:
            report = await describe(tx, config, None, {}, await _stored_members(tx, config, clock))
            raise _Discard
    return report


class _Discard(Exception):  # noqa: N818 - not an error: nothing that reading has written is to be kept
    """Ends a transaction without a commit."""


async def _stored_members(tx: Transaction, config: Config, clock: Clock) -> dict[str, MemberRole]:
    members = {}
    for name, room in config.rooms.items():
        side = None if room.member is None else (await _sides(tx, name)).get(room.member.account)
        if side is not None:
            from bridge.service.members import read_member  # noqa: PLC0415 - a mere relay loads no member
            from bridge.store.member import MemberTransaction  # noqa: PLC0415 - the same

            if isinstance(tx, MemberTransaction):
                members[name] = await read_member(tx, room, side, now=clock.now())
    return members


async def _sides(tx: Transaction, room: str) -> dict[str, Side]:
    value = await tx.records.get(_SIDES, room.encode())
    stored = {} if value is None else json.loads(value)
    return {name: Side(Account(account), RoomAddress(address)) for name, (account, address) in stored.items()}


def _group(member: MemberRole | None) -> Report | None:
    if member is None:
        return None
    from bridge.service.members import describe_member  # noqa: PLC0415 - a mere relay loads no member

    return describe_member(member)

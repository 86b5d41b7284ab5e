"""`mls-bridge members`: who is in a room's group, and who asks to be let in."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bridge.commands.asking import VOUCHERS, ask_or_exit, plain
from bridge.commands.configured import (
    DEFAULT_CONFIG,
    ConfigOption,
    RoomOption,
    load_or_exit,
    member_room_or_exit,
)
from bridge.config import Config
from bridge.service.control import Object

__all__ = ["print_members", "read_members", "run"]


def run(
    *,
    room: RoomOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """List who is in a room's group, what vouches for each, and who asks to be let in.

    Asks the process that runs (`run` or `chat`), or else reads its database.

    Exit codes: 0 shown, 1 it could not be found out, 2 wrong usage or configuration.
    """
    configuration = load_or_exit(config)
    name = member_room_or_exit(configuration, room)
    members, asking = read_members(configuration, name)
    if as_json:
        typer.echo(json.dumps({"room": name, "members": members, "asking": asking}, indent=2))
    else:
        print_members(members, asking)


def read_members(config: Config, room: str) -> tuple[list[Object], list[Object]]:
    """Return who is in a room's group, and who asks to be let in."""
    members = ask_or_exit(config, {"room": room, "type": "members"})["members"]
    group = ask_or_exit(config, {"type": "status"})["service"]["rooms"][room]["group"]
    return members, [] if group is None else group["asking"]


def print_members(members: list[Object], asking: list[Object]) -> None:
    """Show both."""
    console = Console(highlight=False)
    table = Table("who", "account", "device", "vouched for by", "may", box=SIMPLE_HEAD)
    for member in members:
        voucher = "this is you" if member["own"] else VOUCHERS[member["verified"]]
        rights = ", ".join(member["rights"])
        table.add_row(*map(plain, (member["name"], member["account"], member["device"], voucher, rights)))
    console.print(table if members else "You are in no group yet: somebody has to let you in.")
    for one in asking:
        console.print(plain(_how_to_let_in(one)), soft_wrap=True)


def _how_to_let_in(one: Object) -> str:
    account = one["account"]
    how = f"mls-bridge add {account}" if one["vouched_for"] else f"compare digits first: mls-bridge verify {account}"
    if one["was_in"]:
        how = f"mls-bridge remove {account}, then {how}"
        return f"{account} has lost its group and asks to come back. If it is they: {how}"
    return f"{account} asks to be let in: {how}"

"""`mls-bridge status`: how everything stands."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bridge.commands.asking import ask_or_exit, plain
from bridge.commands.configured import DEFAULT_CONFIG, ConfigOption, load_or_exit
from bridge.service.control import Object

__all__ = ["run"]


def run(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the tables, and nothing else.")
    ] = False,
) -> None:
    """Show rooms, groups, members, accounts, and what waits to be sent.

    A running service is asked, over a socket beside its database that only its own user may open; of a stopped one the
    database is read.

    Exit codes: 0 shown, 1 it could not be found out, 2 wrong usage or configuration.
    """
    report = ask_or_exit(load_or_exit(config), {"type": "status"})["service"]
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        _print(report)


def _print(report: Object) -> None:
    console = Console()
    console.print("The service runs." if report["running"] else "The service is stopped.", highlight=False)
    rooms = Table("room", "roles", "where", "epoch", "members", "asking", "problem", box=SIMPLE_HEAD)
    for name, room in report["rooms"].items():
        group = room["group"] or {}
        rooms.add_row(
            name,
            ", ".join(room["roles"]),
            plain("\n".join(room["rooms"])),
            plain(group.get("epoch")),
            plain("\n".join(group.get("members", ()))),
            plain("\n".join(one["account"] for one in group.get("asking", ()))),
            plain(room["problem"] or group.get("stuck") or room["warning"]),
        )
    accounts = Table("account", "who", "connection", "waiting", "problem", box=SIMPLE_HEAD)
    for name, account in report["accounts"].items():
        accounts.add_row(name, *(plain(account[column]) for column in ("account", "state", "waiting", "problem")))
    console.print(rooms, accounts)
    for name, room in report["rooms"].items():
        for what, group_id in (("sealed", room["sealed_group"]), ("member of", (room["group"] or {}).get("id"))):
            if group_id is not None:  # in one piece, so that it can be copied
                console.print(f"{name}: {what} group {group_id}", highlight=False, markup=False, soft_wrap=True)

"""`mls-bridge status`: how everything stands."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.commands.configured import DEFAULT_CONFIG, ConfigOption, load_or_exit
from bridge.config import Config, SecretError
from bridge.config.problems import printable
from bridge.config.secrets import read_key
from bridge.service.clock import SystemClock
from bridge.service.composing import open_store
from bridge.service.reporting import Report, ask
from bridge.service.status import read_stopped
from bridge.store import StoreError

__all__ = ["run"]

EXIT_FAILED = 1


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

    Exit codes: 0 shown, 1 it could not be found out, 2 wrong usage.
    """
    configuration = load_or_exit(config)
    try:
        report = asyncio.run(_report(configuration))
    except (SecretError, StoreError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        _print(report)


async def _report(config: Config) -> Report:
    report = await ask(config.store.path)
    if report is not None:
        return report
    if not config.store.path.exists():
        raise StoreError("there is no database yet", where=str(config.store.path), advice="Start `mls-bridge run`")
    clock = SystemClock()
    store = await open_store(config, read_key(config.store.key), clock)
    try:
        return await read_stopped(config, store, clock)
    finally:
        await store.close()


def _print(report: Report) -> None:
    console = Console()
    console.print("The service runs." if report["running"] else "The service is stopped.", highlight=False)
    rooms = Table("room", "roles", "where", "epoch", "members", "problem", box=SIMPLE_HEAD)
    for name, room in report["rooms"].items():
        group = room["group"] or {}
        rooms.add_row(
            name,
            ", ".join(room["roles"]),
            _text("\n".join(room["rooms"])),
            _text(group.get("epoch")),
            _text("\n".join(group.get("members", ()))),
            _text(room["problem"] or group.get("stuck")),
        )
    accounts = Table("account", "who", "connection", "waiting", "problem", box=SIMPLE_HEAD)
    for name, account in report["accounts"].items():
        accounts.add_row(name, *(_text(account[column]) for column in ("account", "state", "waiting", "problem")))
    console.print(rooms, accounts)


def _text(value: object) -> Text:
    """Return what a server or a person has named, as it is: without markup and control characters."""
    return Text("-" if value is None or value == "" else "\n".join(map(printable, str(value).split("\n"))))

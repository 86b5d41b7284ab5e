"""`mls-bridge chat`: a person at a terminal, or a script, talks in a room."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from bridge.commands.configured import DEFAULT_CONFIG, ConfigOption, load_or_exit, member_room_or_exit
from bridge.config import Config, SecretError
from bridge.config.secrets import read_key
from bridge.service.errors import ServiceError
from bridge.store import StoreError
from bridge.terminal.screen import NotATerminalError
from transports.errors import TransportError

__all__ = ["run"]

EXIT_FAILED = 1
EXIT_USAGE = 2

RoomArgument = Annotated[
    str, typer.Argument(help="The room, by its name in the configuration; needed if there are several.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="JSON lines on standard output and input, for scripts and bots.")
]
CreateOption = Annotated[bool, typer.Option("--create", help="Found the room's group, if nobody has yet.")]
LogOption = Annotated[Path | None, typer.Option("--log", help="Write logs to this file (none are written otherwise).")]


def run(
    room: RoomArgument = "",
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
    create: CreateOption = False,
    log: LogOption = None,
) -> None:
    """Talk in a room, end-to-end encrypted.

    The room's part `member` in the configuration says who you are. Whoever is new asks to be let in: a member on the
    same network lets you in by itself, and between networks two people compare a number first (`/verify`). In the
    terminal, `/help` lists what you can do; with `--json`, see docs/json-lines.md.

    Exit codes: 0 ended as told, 1 it could not start or go on, 2 wrong usage or configuration.
    """
    configuration = load_or_exit(config)
    if not json and not (sys.stdin.isatty() and sys.stdout.isatty()):
        typer.echo(str(NotATerminalError()), err=True)
        raise typer.Exit(EXIT_USAGE)
    name = member_room_or_exit(configuration, room)
    try:
        key = read_key(configuration.store.key)
        asyncio.run(_chat(configuration, name, key, json=json, create=create, log=log))
    except (SecretError, StoreError, ServiceError, TransportError, NotATerminalError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None


async def _chat(config: Config, name: str, key: bytes, *, json: bool, create: bool, log: Path | None) -> None:
    from bridge.service.conversing import converse  # noqa: PLC0415 - other commands need not load what holds keys

    await converse(config, name, key, json=json, create=create, log=log)

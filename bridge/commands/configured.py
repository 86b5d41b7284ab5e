"""What commands that need a configuration share: the options that name it and a room in it, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from bridge.config import Config, ConfigError, load

__all__ = ["DEFAULT_CONFIG", "ConfigOption", "RoomOption", "load_or_exit", "member_room_or_exit"]

EXIT_USAGE = 2

DEFAULT_CONFIG = Path("mls-bridge.yaml")

ConfigOption: TypeAlias = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", envvar="MLS_BRIDGE_CONFIG", help="The configuration.")
]
"""To be given the default `DEFAULT_CONFIG`."""

RoomOption: TypeAlias = Annotated[
    str,
    typer.Option("--room", metavar="ROOM", help="The room, by its name in the configuration; if there are several."),
]
"""To be given the default `""`."""


def load_or_exit(path: Path) -> Config:
    """Return the configuration, or say all that is wrong with it and end the program."""
    try:
        return load(path)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_USAGE) from None


def member_room_or_exit(config: Config, room: str) -> str:
    """Return the name of a room in which this program is a member; an empty `room` means the only one."""
    members = [name for name, one in config.rooms.items() if one.member is not None]
    if room in members or (not room and len(members) == 1):
        return room or members[0]
    if room in config.rooms:
        typer.echo(f"rooms.{room} has no part `member`: this program is no member there.", err=True)
    elif room:
        typer.echo(f"There is no room {room} in the configuration: there are {', '.join(config.rooms)}.", err=True)
    elif members:
        typer.echo(f"Which room? There are {', '.join(members)}.", err=True)
    else:
        typer.echo("No room of the configuration has a part `member`.", err=True)
    raise typer.Exit(EXIT_USAGE)

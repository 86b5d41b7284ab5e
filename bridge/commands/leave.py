"""`mls-bridge leave`: leaves a group for good."""

from __future__ import annotations

from typing import Annotated

import typer

from bridge.commands.asking import agree_or_exit, ask_or_exit, say_when_it_goes_out
from bridge.commands.configured import (
    DEFAULT_CONFIG,
    ConfigOption,
    RoomOption,
    load_or_exit,
    member_room_or_exit,
)

__all__ = ["run"]


def run(
    *,
    room: RoomOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether you mean it.")] = False,
) -> None:
    """Leave a room's group for good: this program can read nothing that is said afterwards.

    Another member's program takes it out. To come back, somebody has to let it in again: `mls-bridge join`.

    Exit codes: 0 begun; 1 refused or failed; 2 wrong usage or configuration.
    """
    configuration = load_or_exit(config)
    name = member_room_or_exit(configuration, room)
    agree_or_exit(f"Leave the group of {name}?", is_agreed=yes)
    ask_or_exit(configuration, {"room": name, "type": "leave"})
    typer.echo("Asked to be let go: the next member whose program runs takes you out.", err=True)
    say_when_it_goes_out(configuration)

"""`mls-bridge join`: asks to be let into a group, again."""

from __future__ import annotations

import typer

from bridge.commands.asking import ask_or_exit, say_when_it_goes_out
from bridge.commands.configured import (
    DEFAULT_CONFIG,
    ConfigOption,
    RoomOption,
    load_or_exit,
    member_room_or_exit,
)

__all__ = ["run"]


def run(*, room: RoomOption = "", config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Ask to be let into a room's group, again.

    For who left it, was removed, or cannot follow it any more. The first time, a member asks by itself.

    Exit codes: 0 asked; 1 refused or failed; 2 wrong usage or configuration.
    """
    configuration = load_or_exit(config)
    name = member_room_or_exit(configuration, room)
    ask_or_exit(configuration, {"room": name, "type": "join"})
    typer.echo("Asked to be let in.", err=True)
    say_when_it_goes_out(configuration)

"""`mls-bridge resync`: takes a group's state anew from its other members."""

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
    """Take a room's group anew from its other members, where something is wrong with one's own state.

    A program that notices so by itself does this by itself. It stays the same member, with new keys: one of the others
    has to run to help it back. Messages that have not been read by then cannot be read any more. `mls-bridge status`
    shows how far it is.

    Exit codes: 0 begun; 1 refused or failed; 2 wrong usage or configuration.
    """
    configuration = load_or_exit(config)
    name = member_room_or_exit(configuration, room)
    agree_or_exit(f"Take the group of {name} anew from its other members?", is_agreed=yes)
    ask_or_exit(configuration, {"room": name, "type": "resync"})
    typer.echo("Asked the other members for the group as it is now.", err=True)
    say_when_it_goes_out(configuration)

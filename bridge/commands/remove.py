"""`mls-bridge remove`: takes somebody out of a group."""

from __future__ import annotations

from typing import Annotated

import typer

from bridge.commands.asking import agree_or_exit, ask_or_exit, begun, plain
from bridge.commands.configured import (
    DEFAULT_CONFIG,
    ConfigOption,
    RoomOption,
    load_or_exit,
    member_room_or_exit,
)
from bridge.conversation.naming import account_meant

__all__ = ["run"]


def run(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="An account, or a name that one alone bears.")],
    *,
    room: RoomOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether you mean it.")] = False,
) -> None:
    """Remove somebody from a room's group, with all their devices.

    They can read nothing that is said afterwards. They stay in the chat room itself, where the servers let them.

    Exit codes: 0 done, or begun where it takes longer; 1 refused or failed; 2 wrong usage or configuration.
    """
    configuration = load_or_exit(config)
    name = member_room_or_exit(configuration, room)
    account = account_meant(person)
    agree_or_exit(f"Remove {plain(account)} from the group of {name}?", is_agreed=yes)
    ask_or_exit(configuration, {"room": name, "type": "remove", "account": account})
    begun(configuration, name, account, is_to_be_member=False)

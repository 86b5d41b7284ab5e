"""`mls-bridge add`: lets in somebody who asks."""

from __future__ import annotations

from typing import Annotated

import typer

from bridge.commands.asking import ask_or_exit, begun
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
) -> None:
    """Let somebody into a room's group who asks for it.

    Their own network must vouch for their key, or you: compare digits first, with `mls-bridge verify PERSON`. Who asks
    is shown by `mls-bridge members`.

    Exit codes: 0 done, or begun where it takes longer; 1 refused or failed; 2 wrong usage or configuration.
    """
    configuration = load_or_exit(config)
    name = member_room_or_exit(configuration, room)
    account = account_meant(person)
    ask_or_exit(configuration, {"room": name, "type": "add", "account": account})
    begun(configuration, name, account, is_to_be_member=True)

"""`mls-bridge history`: what was said, where it is kept."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from bridge.commands.asking import agree_or_exit, ask_or_exit
from bridge.commands.configured import (
    DEFAULT_CONFIG,
    ConfigOption,
    RoomOption,
    load_or_exit,
    member_room_or_exit,
)
from bridge.config import Config
from bridge.config.problems import printable
from bridge.service.answering import MAX_PAGE
from bridge.service.control import Object

__all__ = ["run"]

DEFAULT_LIMIT = 50


def run(
    *,
    room: RoomOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="How many messages: the last ones.")
    ] = DEFAULT_LIMIT,
    purge: Annotated[bool, typer.Option("--purge", help="Delete all that is kept of this room.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --purge: do not ask whether you mean it.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object a line, as `mls-bridge chat --json` does.")
    ] = False,
) -> None:
    """Print the last messages of a room: your own and others'.

    They are kept, encrypted, only where the configuration says `store: {history: true}`, and from then on. Turning it
    off deletes nothing: `--purge` does.

    Exit codes: 0 printed or deleted; 1 refused or failed; 2 wrong usage or configuration.
    """
    configuration = load_or_exit(config)
    name = member_room_or_exit(configuration, room)
    if purge:
        agree_or_exit(f"Delete all messages of {name} that are kept here?", is_agreed=yes)
        ask_or_exit(configuration, {"room": name, "type": "forget"})
        typer.echo("Deleted.", err=True)
        return
    messages = _read(configuration, name, limit)
    if not messages and not configuration.store.history:
        typer.echo("No messages are kept: store.history is off in the configuration.", err=True)
    console = Console(highlight=False)
    for message in messages:
        if as_json:
            typer.echo(json.dumps(message, separators=(",", ":")))
        else:
            console.print(_line(message), soft_wrap=True)


def _read(config: Config, room: str, limit: int) -> list[Object]:
    """Return the last messages, oldest first: page by page, from the end."""
    pages: list[list[Object]] = []
    missing = limit
    question: Object = {"room": room, "type": "history"}
    while missing:
        page = ask_or_exit(config, {**question, "limit": min(missing, MAX_PAGE)})["messages"]
        if not page:
            break
        pages.append(page)
        missing -= len(page)
        question["before"] = page[0]["position"]
    return [message for page in reversed(pages) for message in page]


def _line(message: Object) -> Text:
    at = datetime.fromisoformat(message["at"]).astimezone()
    kind = "" if message["kind"] == "message" else f" ({message['kind']})"
    name = printable(message["name"])
    head = Text(f"{at:%Y-%m-%d %H:%M} ", style="dim").append(f"{name}{kind}: ", style="bold")
    return head.append(message["text"])  # made harmless when it was kept

"""The list of commands, each of which is loaded once it is called for: what one needs is no matter of the others."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

if TYPE_CHECKING:
    from typer import _click

__all__ = ["COMMANDS", "Commands", "load"]

COMMANDS: Final[Mapping[str, str]] = {
    "init": "Ask what there is to know, and write a commented configuration.",
    "registration": "Write what servers must be told of an application service or a component.",
    "check": "Log in, join the rooms, and measure them; say what to change.",
    "run": "Run the roles that the configuration names, until SIGTERM or Ctrl-C.",
    "chat": "Talk in a room, end-to-end encrypted.",
    "status": "Show rooms, groups, members, accounts, and what waits to be sent.",
    "members": "List who is in a room's group, what vouches for each, and who asks to be let in.",
    "verify": "Compare digits with somebody, or show what vouches for each member.",
    "add": "Let somebody into a room's group who asks for it.",
    "remove": "Remove somebody from a room's group, with all their devices.",
    "join": "Ask to be let into a room's group, again.",
    "resync": "Take a room's group anew from its other members, where something is wrong with one's own state.",
    "leave": "Leave a room's group for good: this program can read nothing that is said afterwards.",
    "history": "Print the last messages of a room: your own and others'.",
    "backup": "Write who you are, your settings and whom you verified into a file, encrypted under a passphrase.",
    "restore": "Make the database of a backup, and the configuration where there is none.",
    "demo": "Watch three people on two networks talk through a bridge that cannot read them.",
    "inspect": "Explain any MLS message, envelope, seal, order extension, ratchet tree or identity.",
    "conformance": "Run the MLS working group's test vectors against the engine.",
    "interop": "Let other programs drive the engine, to test it against other implementations.",
}
"""In the order of the help text, with the line that stands there: the first of the command's own help."""


class Commands(TyperGroup):
    """The group of all commands. To list them none is loaded; to run one, that one is."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - typer's, handed on
        super().__init__(**attributes)
        for name, summary in COMMANDS.items():
            self.add_command(TyperCommand(name, help=summary, rich_markup_mode=self.rich_markup_mode))

    def resolve_command(
        self, ctx: _click.Context, args: list[str]
    ) -> tuple[str | None, _click.Command | None, list[str]]:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed if listed is None or name is None else load(name), rest


def load(name: str) -> _click.Command:
    """Return a command, ready to run."""
    module = import_module(f"bridge.commands.{name}")
    # Tracebacks stay Python's own: typer's decorated ones can show local variables, and those may be secrets.
    app = typer.Typer(rich_markup_mode="markdown", pretty_exceptions_enable=False, add_completion=False)
    app.command(name)(module.run)
    return get_command(app)

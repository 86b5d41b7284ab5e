"""`mls-bridge verify`: the digits that people compare, and what comes of comparing them."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Final

import typer

from bridge.commands.asking import VOUCHERS, ask_or_exit
from bridge.commands.configured import (
    DEFAULT_CONFIG,
    ConfigOption,
    RoomOption,
    load_or_exit,
    member_room_or_exit,
)
from bridge.commands.members import print_members, read_members
from bridge.config import Config
from bridge.config.problems import printable
from bridge.conversation.naming import account_meant
from bridge.service.control import Object
from bridge.terminal.digits import show_digits

__all__ = ["run"]

EXIT_FAILED = 1

DIFFERENT: Final = """\
The digits differ: somebody may stand between you and {account}, with a key of their own. Nothing is
recorded, and whoever waits to be let in with that key is not let in.
  1. Compare once more, over a call or face to face: is it the same account, the same room, the same time?
  2. If they differ still, say nothing in this room that others must not read{remove}.
  3. Tell who runs the bridge and the servers. Both sides can begin anew once that is cleared up."""

REMOVE: Final = ", and remove that key: mls-bridge remove {account}"


def run(
    person: Annotated[
        str, typer.Argument(metavar="[PERSON]", help="An account, or a name that one alone bears.", show_default=False)
    ] = "",
    *,
    room: RoomOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    equal: Annotated[
        str | None,
        typer.Option("--equal", metavar="DIGITS", help="They see these digits: compare them here, and record it."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Show the digits, and ask nothing.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of text, and ask nothing.")
    ] = False,
) -> None:
    """Compare digits with somebody, or show what vouches for each member.

    With PERSON, 60 digits are shown that are the same on both sides, if nobody stands between: call each other, and
    read them out. If they are equal, that is recorded, and whoever waits for it is let in. The other person sees them
    by the same command, or by `/verify` in `mls-bridge chat`. Without PERSON, 30 digits are shown that are the same
    for everybody in the group, and what vouches for each member.

    Asks the process that runs (`run` or `chat`), or else reads its database.

    Exit codes: 0 shown, or equal and recorded; 1 not equal, refused or failed; 2 wrong usage or configuration.
    """
    configuration = load_or_exit(config)
    name = member_room_or_exit(configuration, room)
    if not person:
        if equal is not None or show:
            raise typer.BadParameter("with whom?", param_hint="PERSON")
        _show_group(configuration, name, as_json=as_json)
        return
    if equal is None and not show and not as_json and not sys.stdin.isatty():
        raise typer.BadParameter("there is nobody to ask: add --show, or --equal DIGITS", param_hint="standard input")
    shown = ask_or_exit(configuration, {"room": name, "type": "verify", "account": account_meant(person)})
    is_equal = None if equal is None else _digits_of(equal) == shown["digits"]
    if as_json:
        fields = {"room": name, **{key: shown[key] for key in ("account", "name", "digits")}, "equal": is_equal}
        typer.echo(json.dumps(fields, indent=2))
    elif equal is None:
        _show_pair(shown)
        if show:
            return
        is_equal = typer.confirm("Does the other person see the same digits?", default=None)
    if is_equal is not None:
        _conclude(configuration, name, shown, is_equal=is_equal)


def _show_pair(shown: Object) -> None:
    typer.echo(f"Digits to compare with {printable(shown['name'])} ({printable(shown['account'])}):\n")
    for row in show_digits(shown["digits"]):
        typer.echo(f"    {row}")
    typer.echo()


def _conclude(config: Config, room: str, shown: Object, *, is_equal: bool) -> None:
    """Record that the digits are equal, or say what it means that they are not."""
    account = printable(shown["account"])
    if not is_equal:
        members = ask_or_exit(config, {"room": room, "type": "members"})["members"]
        is_member = any(member["account"] == shown["account"] for member in members)
        typer.echo(
            DIFFERENT.format(account=account, remove=REMOVE.format(account=account) if is_member else ""), err=True
        )
        raise typer.Exit(EXIT_FAILED)
    # The digits go along: a key that changes between showing and recording is not recorded unseen.
    ask_or_exit(config, {"room": room, "type": "confirm", "account": shown["account"], "digits": shown["digits"]})
    typer.echo(f"Recorded: the digits of {account} were compared. If they wait to be let in, they are now.", err=True)


def _show_group(config: Config, room: str, *, as_json: bool) -> None:
    status = ask_or_exit(config, {"room": room, "type": "status"})
    members, asking = read_members(config, room)
    if as_json:
        fields = {key: status[key] for key in ("epoch", "digits", "verified", "held")}
        typer.echo(json.dumps({"room": room, **fields, "members": members, "asking": asking}, indent=2))
        return
    if status["digits"]:
        typer.echo(f"{room}, epoch {status['epoch']:,}: the same digits for everybody in it\n")
        for row in show_digits(status["digits"]):
            typer.echo(f"    {row}")
    print_members(members, asking)
    if members:
        typer.echo(f"Weakest: {VOUCHERS[status['verified']]}. To compare digits: mls-bridge verify PERSON")


def _digits_of(typed: str) -> str:
    """Return the digits that somebody typed or pasted, however they are grouped."""
    return "".join(char for char in typed if not char.isspace() and char not in "-.,")

"""What commands share that ask a room's member something: in the process that runs, or else through its database."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Final

import typer
from rich.text import Text

from bridge.config import Config, SecretError
from bridge.config.problems import printable
from bridge.service.control import ControlError, Object, ask
from bridge.store import StoreError
from bridge.store.errors import StoreInUseError

__all__ = ["VOUCHERS", "agree_or_exit", "ask_or_exit", "begun", "plain", "say_when_it_goes_out"]

EXIT_FAILED = 1
EXIT_USAGE = 2

PATIENCE: Final = 20.0
"""Seconds to wait for what takes a round through the network."""

INTERVAL: Final = 0.2

CANNOT_BE_ASKED: Final = (
    "{error}. It does not answer here: it starts or stops at the moment, or cannot be asked at all (its log says why, "
    "as `cannot be asked while running`)"
)

VOUCHERS: Final = {
    "compared": "digits compared",
    "first-use": "the key that was first seen",
    "network": "their network's word",
    "bridge": "the bridge's word alone",
}
"""What vouches for somebody, in words."""


def ask_or_exit(config: Config, question: Object) -> Object:
    """Return the answer, or say why there is none and end the program."""
    try:
        given = asyncio.run(_ask(config, question))
    except (ControlError, SecretError, StoreError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None
    if given.get("type") != "ok":
        typer.echo(printable(f"{given.get('what')} {given.get('next_step')}".rstrip()), err=True)
        raise typer.Exit(EXIT_FAILED)
    return given


def begun(config: Config, room: str, account: str, *, is_to_be_member: bool) -> None:
    """Say what became of a change to the group: wait for it, where a process runs that can bring it about."""
    done, begins = ("Added.", "Adding") if is_to_be_member else ("Removed.", "Removing")
    if say_when_it_goes_out(config):
        return

    def is_so() -> bool:
        members = ask_or_exit(config, {"room": room, "type": "members"})["members"]
        return any(account in {member["account"], member["name"]} for member in members) is is_to_be_member

    if _wait_for(is_so):
        typer.echo(done, err=True)
    else:
        typer.echo(
            f"{begins}: it waits for its place in the order. See `mls-bridge verify` for what holds it.", err=True
        )


def say_when_it_goes_out(config: Config) -> bool:
    """Say so where nothing runs that could bring it about now. Returns whether that is so."""
    is_running = bool(ask_or_exit(config, {"type": "status"})["service"]["running"])
    if not is_running:
        typer.echo("The service does not run: this is stored, and goes out when it does.", err=True)
    return not is_running


def agree_or_exit(question: str, *, is_agreed: bool) -> None:
    """Have a person agree, unless an option has said so already. Ends the program where they do not."""
    if is_agreed:
        return
    if not sys.stdin.isatty():
        typer.echo("There is nobody to ask: add --yes", err=True)
        raise typer.Exit(EXIT_USAGE)
    if not typer.confirm(question, default=False, err=True):
        typer.echo("Nothing is done.", err=True)
        raise typer.Exit(EXIT_FAILED)


def plain(value: object) -> Text:
    """Return what a server or a person has named, as it is: without markup and control characters."""
    return Text("-" if value is None or value == "" else "\n".join(map(printable, str(value).split("\n"))))


async def _ask(config: Config, question: Object) -> Object:
    given = await ask(config.store.path, question)
    if given is not None:
        return given
    if not config.store.path.exists():
        raise StoreError("there is no database yet", where=str(config.store.path), advice="Start `mls-bridge run`")
    # Loads all that a service is made of, which takes a second: only where none runs.
    from bridge.service.stopped import ask_stopped  # noqa: PLC0415 - see above

    try:
        return await ask_stopped(config, question)
    except StoreInUseError as error:
        raise ControlError(CANNOT_BE_ASKED.format(error=error)) from error


def _wait_for(is_so: Callable[[], bool]) -> bool:
    """Wait until something is so, not for ever. Returns whether it is."""
    deadline = time.monotonic() + PATIENCE
    while not (found := is_so()) and time.monotonic() < deadline:
        time.sleep(INTERVAL)
    return found

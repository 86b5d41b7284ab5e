"""`mls-bridge check`: logs in, joins, and measures whether the rooms can carry a group, before anybody relies on it."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.accounts import log_in, open_transport, xmpp_login
from bridge.commands.configured import DEFAULT_CONFIG, ConfigOption, load_or_exit
from bridge.config.accounts import Account, MatrixAccount, PasswordLogin, XmppAccount
from bridge.config.models import Config, Log, LogLevel
from bridge.config.problems import printable
from bridge.config.secrets import SecretError, read_key
from bridge.observing.logs import set_up
from bridge.observing.withholding import Shortener
from bridge.protocol.code_points import PROBE, PROTOCOL_VERSION
from bridge.protocol.envelope import Envelope
from transports.errors import TransportError
from transports.findings import Finding, Level
from transports.room import Transport

__all__ = ["run"]

EXIT_FAILED = 1

STYLES: Final = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "bold red"}

LOGIN_SECONDS = 60.0

LOGIN_ADVICE = "see this account in the configuration, and whether the server runs"


@dataclass(frozen=True, slots=True)
class _Found:
    """A finding, and what it is about: names of the configuration, empty where it is about neither."""

    account: str
    room: str
    finding: Finding


def run(
    room: Annotated[
        str | None, typer.Argument(metavar="[ROOM]", help="A room of the configuration; all, if none is named.")
    ] = None,
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the table, and nothing else.")
    ] = False,
) -> None:
    """Log in, join the rooms, and measure them; say what to change.

    Are messages archived? Which size passes? Is the order usable? How fast may this account send? To find out, it posts
    some messages that no client shows. A component must not be connected twice: stop `mls-bridge run` first.

    Exit codes: 0 no problem (there may be warnings), 1 a problem, 2 wrong usage or configuration.
    """
    configuration = load_or_exit(config)
    if room is not None and room not in configuration.rooms:
        choices = ", ".join(configuration.rooms) or "no room"
        raise typer.BadParameter(f"{room!r} is none of the configuration's: {choices}", param_hint="ROOM")
    console = Console(stderr=True)
    set_up(Log(level=LogLevel.ERROR, format=configuration.log.format), Shortener(os.urandom(32)))
    with console.status("Measuring. This takes up to a minute ...", spinner="line"):
        found = asyncio.run(_check(configuration, room))
    if as_json:
        typer.echo(json.dumps(_as_json(found), indent=2))
    else:
        _print(found)
    if any(one.finding.level is Level.PROBLEM for one in found):
        raise typer.Exit(EXIT_FAILED)


# Measuring


async def _check(config: Config, wanted: str | None) -> list[_Found]:
    rooms = [name for name in config.rooms if wanted in {None, name}]
    accounts = {
        name: [(room, side.room) for room in rooms for side in config.rooms[room].sides if side.account == name]
        for name in config.accounts
    }
    measured = await asyncio.gather(
        *(_check_account(name, config.accounts[name], sides) for name, sides in accounts.items() if sides or not wanted)
    )
    return [_check_store(config), *(one for found in measured for one in found)]


def _check_store(config: Config) -> _Found:
    directory = config.store.path.parent
    try:
        read_key(config.store.key)
    except SecretError as error:
        finding = Finding(Level.PROBLEM, "database", str(error), "see store.key in the configuration")
    else:
        if os.access(directory, os.W_OK | os.X_OK):
            finding = Finding(Level.OK, "database", "its key is there, and its directory can be written")
        else:
            advice = "create it, or let this user write there: SQLite keeps more than one file"
            finding = Finding(Level.PROBLEM, "database", f"{directory} cannot be written", advice)
    return _Found("", "", finding)


async def _check_account(name: str, account: Account, sides: list[tuple[str, str]]) -> list[_Found]:
    """Return what is found of an account, and of each of its rooms: its name in the configuration, and its address."""
    found: list[_Found] = []
    try:
        transport = open_transport(account)
    except (SecretError, TransportError) as error:
        return [_Found(name, "", Finding(Level.PROBLEM, "login", str(error), "see this account in the configuration"))]
    try:
        async with asyncio.timeout(LOGIN_SECONDS):
            await log_in(transport, account)
        found.append(_Found(name, "", Finding(Level.OK, "login", f"by {account.login.tag.replace('_', ' ')}")))
    except TransportError as error:
        return [*found, _Found(name, "", Finding(Level.PROBLEM, "login", str(error), LOGIN_ADVICE))]
    except TimeoutError:
        what = f"the server did not answer in {LOGIN_SECONDS:.0f} s"
        return [*found, _Found(name, "", Finding(Level.PROBLEM, "login", what, LOGIN_ADVICE))]
    else:
        if isinstance(account, MatrixAccount):
            for room, address in sides:
                found += [_Found(name, room, finding) for finding in await _check_matrix_room(transport, address)]
            await _log_out(transport, account)
    finally:
        await transport.close()
    if isinstance(account, XmppAccount):  # on a connection of its own, once this one is closed: a component has one
        for room, address in sides:
            found += [_Found(name, room, finding) for finding in await _check_muc(account, address)]
    return found


# A network's package is loaded where an account needs it: client libraries are slow to load.


async def _check_matrix_room(transport: Transport, room: str) -> tuple[Finding, ...]:
    from transports.matrix import MatrixTransport  # noqa: PLC0415 - see above
    from transports.matrix.checks import check_room  # noqa: PLC0415 - see above

    if not isinstance(transport, MatrixTransport):
        raise TypeError(f"an account on Matrix, and a transport to {transport.network}")
    return await check_room(transport, room, _probe)


async def _check_muc(account: XmppAccount, room: str) -> list[Finding]:
    from transports.xmpp.checks import check  # noqa: PLC0415 - see above

    try:
        return await check(xmpp_login(account), room, probe=_probe)
    except (SecretError, TransportError) as error:
        advice = "the account must be a member of the room, and the room members-only and not anonymous"
        return [Finding(Level.PROBLEM, "room", str(error), advice)]


async def _log_out(transport: Transport, account: Account) -> None:
    """Leave no device behind: a login by password has made one."""
    if isinstance(account, MatrixAccount) and isinstance(account.login, PasswordLogin):
        from transports.matrix import MatrixTransport  # noqa: PLC0415 - see above

        if isinstance(transport, MatrixTransport):
            with suppress(TransportError):  # what there was to find out is found out
                await transport.homeserver.post("logout", body={})


def _probe(size: int) -> bytes:
    """Return an envelope of at most this size that says nothing. No two are the same, for servers drop repetitions."""
    length_size = 1 if size < 68 else 2 if size < 16_389 else 4
    body = os.urandom(max(size - 3 - length_size, 0))
    return Envelope(PROTOCOL_VERSION, PROBE, b"", body).encode()


# Output


def _as_json(found: list[_Found]) -> dict[str, object]:
    levels = [one.finding.level for one in found]
    return {
        "ok": Level.PROBLEM not in levels,
        "problems": levels.count(Level.PROBLEM),
        "warnings": levels.count(Level.WARNING),
        "findings": [{"account": one.account, "room": one.room, **asdict(one.finding)} for one in found],
    }


def _print(found: list[_Found]) -> None:
    table = Table(box=SIMPLE_HEAD)
    for heading in ("account", "room", "", "what"):
        table.add_column(heading, no_wrap=True)
    table.add_column("found", overflow="fold")
    for one in found:
        finding = one.finding
        level = Text(finding.level.value, style=STYLES[finding.level])
        text = Text(printable(finding.what))
        if finding.advice:
            text.append(f"\n{printable(finding.advice)}", style="bold")
        table.add_row(one.account, one.room, level, printable(finding.subject), text)
    console = Console(highlight=False)
    console.print(table)
    problems, warnings = (sum(one.finding.level is level for one in found) for level in (Level.PROBLEM, Level.WARNING))
    console.print(f"{problems} to be changed, {warnings} that could be better")

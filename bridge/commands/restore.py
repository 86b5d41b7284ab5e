"""`mls-bridge restore`: a database out of a backup."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.commands.backup import in_words, progress, told
from bridge.commands.configured import DEFAULT_CONFIG, ConfigOption, load_or_exit
from bridge.commands.passphrases import PassphraseEnvOption, PassphraseFileOption, passphrase_or_exit
from bridge.config import SecretError
from bridge.config.problems import printable
from bridge.config.secrets import read_key
from bridge.store import StoreError

if TYPE_CHECKING:
    from bridge.backup.restoring import Restored

__all__ = ["run"]

EXIT_FAILED = 1


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `mls-bridge backup` wrote.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    passphrase_file: PassphraseFileOption = None,
    passphrase_env: PassphraseEnvOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was restored as JSON.")] = False,
) -> None:
    """Make the database of a backup, and the configuration where there is none.

    Nothing that is there is written over. The files of secrets that the configuration names must be there, with the
    passwords of the accounts; the database's key may be a new one: `openssl rand -hex 32`.

    Members have their keys afterwards, and are in no group: under `run` they ask to come back.

    Exit codes: 0 restored; 1 refused or failed; 2 wrong usage or configuration.
    """
    # Loads all that a service is made of, which takes a second.
    from bridge.backup.errors import BackupError  # noqa: PLC0415 - see above
    from bridge.backup.restoring import read_config, refuse_database, restore  # noqa: PLC0415 - see above
    from bridge.service.clock import SystemClock  # noqa: PLC0415 - see above

    if config.exists():
        load_or_exit(config)  # what is wrong with it comes before the question
    passphrase = passphrase_or_exit(passphrase_file, passphrase_env, is_new=False)
    try:
        if not config.exists():
            _write(config, read_config(file, passphrase))
            typer.echo(f"The configuration is written: {config}", err=True)
        configuration = load_or_exit(config)
        refuse_database(configuration.store.path)
        key = read_key(configuration.store.key)
        done = asyncio.run(
            restore(
                file,
                passphrase,
                configuration.store.path,
                key,
                now=SystemClock().now(),
                on_progress=progress("Restored"),
            )
        )
    except SecretError as error:
        typer.echo(f"{error}. Then restore once more", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    except (BackupError, StoreError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None
    except OSError as error:
        typer.echo(f"{error.filename}: {error.strerror}", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    if as_json:
        typer.echo(json.dumps(_as_json(done)))
    else:
        _say(done)


def _write(config: Path, text: str) -> None:
    """Write the configuration, whole or not at all: it replaces nothing."""
    from bridge.backup.files import write_whole  # noqa: PLC0415 - see `run`

    write_whole(config, text.encode())


def _as_json(done: Restored) -> dict[str, object]:
    return {
        "made_at": _time(done).isoformat(),
        **told(done.summary),
        "members": [
            {"account": side.account, "room": side.room, "group": group_id.hex() or None}
            for side, group_id in done.members
        ],
        "sequencers": done.sequencers,
    }


def _say(done: Restored) -> None:
    typer.echo(f"Restored, as it was on {_time(done):%Y-%m-%d %H:%M}. {in_words(done.summary)}", err=True)
    for side, group_id in done.members:
        where = f"{printable(side.account)} in {printable(side.room)}"
        if group_id:
            typer.echo(
                f"{where} has its key, and is not in its group {group_id.hex()}: under `mls-bridge run` it asks to "
                "come back, and a member lets it in, or their program does.",
                err=True,
            )
    for room in done.sequencers:
        typer.echo(
            f"The sequencer of {printable(room)} seals nothing: a backup cannot tell what it has sealed since, and a "
            "second seal for the same place would split the group. A member of the group has to start a new term, or "
            "found a group anew.",
            err=True,
        )
    typer.echo("Never run the old database again. Next: `mls-bridge check`, then `mls-bridge run`.", err=True)


def _time(done: Restored) -> datetime:
    return datetime.fromtimestamp(done.made_at / 1000).astimezone()

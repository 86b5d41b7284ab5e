"""`mls-bridge backup`: what must outlive the machine, in one file under a passphrase."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.commands.configured import DEFAULT_CONFIG, ConfigOption, load_or_exit
from bridge.commands.passphrases import PassphraseEnvOption, PassphraseFileOption, passphrase_or_exit
from bridge.config import Config, SecretError
from bridge.config.secrets import read_key
from bridge.store import StoreError
from bridge.store.errors import StoreInUseError

if TYPE_CHECKING:
    from bridge.backup.making import Summary

__all__ = ["in_words", "progress", "run", "told"]

EXIT_FAILED = 1

HELD_BACK = (
    "Not in it: passwords, tokens and the database's key (back up the files that the configuration names), and the "
    "keys of groups, which would be used twice."
)


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write. It must not be there yet.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    history: Annotated[bool, typer.Option("--history", help="Put the messages into it that are kept.")] = False,
    passphrase_file: PassphraseFileOption = None,
    passphrase_env: PassphraseEnvOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what is in it as JSON.")] = False,
) -> None:
    """Write who you are, your settings and whom you verified into a file, encrypted under a passphrase.

    The service must be stopped meanwhile. The file is readable for you alone, and is never written over. Messages are
    in it with --history only. The keys of groups never are: a member that is restored comes back into its groups anew.

    Exit codes: 0 written; 1 refused or failed; 2 wrong usage or configuration.
    """
    configuration = load_or_exit(config)
    # Loads all that a service is made of, which takes a second: not before the configuration was read.
    from bridge.backup.errors import BackupError  # noqa: PLC0415 - see above
    from bridge.backup.making import refuse_written  # noqa: PLC0415 - see above

    try:
        refuse_written(file)
        key = read_key(configuration.store.key)
        text = config.read_text(encoding="utf-8-sig")
        passphrase = passphrase_or_exit(passphrase_file, passphrase_env, is_new=True)
        summary = asyncio.run(_back_up(configuration, key, file, passphrase, text, history=history))
    except StoreInUseError as error:
        typer.echo(f"{error} A backup needs the service stopped: nothing is lost meanwhile.", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    except (BackupError, SecretError, StoreError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None
    if as_json:
        typer.echo(json.dumps({"file": str(file), "history": history, **told(summary)}))
        return
    typer.echo(f"Written: {file}", err=True)
    typer.echo(in_words(summary), err=True)
    typer.echo(HELD_BACK, err=True)
    typer.echo("Without the passphrase nobody can read it, you neither: keep it elsewhere.", err=True)


async def _back_up(config: Config, key: bytes, file: Path, passphrase: str, text: str, *, history: bool) -> Summary:
    from bridge.backup.making import back_up  # noqa: PLC0415 - see `run`
    from bridge.service.clock import SystemClock  # noqa: PLC0415 - see `run`
    from bridge.store import StoreKey  # noqa: PLC0415 - see `run`
    from bridge.store.member import MemberStore  # noqa: PLC0415 - see `run`

    path, now = config.store.path, SystemClock().now()
    if not path.exists():
        raise StoreError("there is no database yet", where=str(path), advice="There is nothing to back up")
    store = await MemberStore.open(path, StoreKey(key), now=now)
    try:
        return await back_up(
            store, file, passphrase, config=text, history=history, now=now, on_progress=progress("Written")
        )
    finally:
        await store.close()


def told(summary: Summary) -> dict[str, int]:
    """Return how much there is of each thing, for JSON."""
    return {
        "identities": summary.identities,
        "sequencer_keys": summary.sequencers,
        "rooms": summary.rooms,
        "groups": summary.groups,
        "trust": summary.trust,
        "messages": summary.messages,
    }


def in_words(summary: Summary) -> str:
    """Return how much there is of each thing, for people."""
    parts = (
        (summary.identities, "identity", "identities"),
        (summary.sequencers, "sequencer's key", "sequencers' keys"),
        (summary.rooms, "room", "rooms"),
        (summary.trust, "decision about a key", "decisions about keys"),
        (summary.messages, "message", "messages"),
    )
    return "In it: the configuration, " + ", ".join(f"{n:,} {one if n == 1 else many}" for n, one, many in parts) + "."


def progress(word: str) -> Callable[[Summary], None]:
    """Return what shows how far it is: at a terminal alone."""

    def show(summary: Summary) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r{word}: {summary.trust:,} decisions, {summary.messages:,} messages", err=True, nl=False)

    return show

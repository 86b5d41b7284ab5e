"""The passphrase of a backup: from a file, from the environment, or typed at the terminal."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated, Final, NoReturn, TypeAlias

import typer

from bridge.config.secrets import EnvSecret, FileSecret, SecretError, read_secret

__all__ = ["PassphraseEnvOption", "PassphraseFileOption", "passphrase_or_exit"]

EXIT_FAILED = 1
EXIT_USAGE = 2

SHORTEST: Final = 12
"""Characters. Whoever has the file can try passphrases for as long as they like."""

PassphraseFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="Read the passphrase from a file of mode 0600."),
]

PassphraseEnvOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--passphrase-env", metavar="NAME", help="Read the passphrase from an environment variable."),
]


def passphrase_or_exit(file: Path | None, env: str | None, *, is_new: bool) -> str:
    """Return the passphrase, or say why there is none and end the program. A new one is typed twice."""
    if file is not None and env is not None:
        _exit("Give --passphrase-file or --passphrase-env, not both", EXIT_USAGE)
    try:
        if file is not None:
            passphrase = read_secret(FileSecret(file=file.absolute()))
        elif env is not None:
            passphrase = read_secret(EnvSecret(env=env))
        else:
            passphrase = _typed(is_new=is_new)
    except SecretError as error:
        _exit(str(error), EXIT_FAILED)
    except ValueError:
        _exit("--passphrase-env: that is not the name of an environment variable", EXIT_USAGE)
    if is_new and len(passphrase) < SHORTEST:
        what = f"The passphrase has fewer than {SHORTEST} characters: whoever finds the file could try them all."
        _exit(f"{what} Take a longer one", EXIT_FAILED)
    return passphrase


def _typed(*, is_new: bool) -> str:
    if not sys.stdin.isatty():
        _exit("There is nobody to ask: give --passphrase-file or --passphrase-env", EXIT_USAGE)
    passphrase = getpass("Passphrase of the backup: ")
    if is_new and getpass("The same again: ") != passphrase:
        _exit("These are two different ones. Nothing is done", EXIT_FAILED)
    if not passphrase:
        _exit("The passphrase is empty. Nothing is done", EXIT_FAILED)
    return passphrase


def _exit(what: str, code: int) -> NoReturn:
    typer.echo(what, err=True)
    raise typer.Exit(code)

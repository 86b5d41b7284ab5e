"""`mls-bridge inspect`: what bytes say, in words."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from bridge.content import harmless_line
from bridge.inspecting import (
    MAX_INPUT,
    Finding,
    Kind,
    Look,
    NotUnderstoodError,
    failure_as_json,
    finding_as_json,
    finding_as_text,
    inspect,
)

__all__ = ["run"]

EXIT_FAILED = 1

KEY_SIZE = 32

STYLES: Final = {"title": "bold cyan", "name": "", "value": "bold", "quiet": "dim", "problem": "bold red"}

LONGEST_ERROR: Final = 400


class _NoInputError(Exception):
    """There is nothing to look at. Says why."""


def run(
    source: Annotated[
        str, typer.Argument(metavar="FILE|TEXT|-", help="A file, or the text itself, or `-` for standard input.")
    ] = "-",
    *,
    kind: Annotated[Kind, typer.Option(help="What to take it for; `auto` finds out.")] = Kind.AUTO,
    sequencer_key: Annotated[
        str | None, typer.Option(metavar="HEX", help="Check seals with this Ed25519 key: 32 bytes in hex.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Show all of hashes, keys and ids.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the text, and nothing else.")
    ] = False,
) -> None:
    """Explain any MLS message, envelope, seal, order extension, ratchet tree or identity.

    Takes raw bytes, hex, base64 of any sort, a Matrix event in JSON, or an XMPP stanza in XML. A ratchet tree of up to
    64 leaves is drawn. Nothing is decrypted, no network is asked, and what is said of people is what the bytes claim.

    Exit codes: 0 explained; 1 not understood, or something inside is malformed or wrongly signed; 2 wrong usage.
    """
    look = Look(now=int(time.time()), sequencer_key=_key(sequencer_key))
    try:
        finding = inspect(_read(source), kind, look)
    except _NoInputError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None
    except NotUnderstoodError as error:
        _refuse(error, source, as_json=as_json)
        raise typer.Exit(EXIT_FAILED) from None
    if as_json:
        typer.echo(json.dumps(finding_as_json(finding), indent=2))
    else:
        _print(finding, full=full)
    if finding.problems:
        raise typer.Exit(EXIT_FAILED)


def _key(digits: str | None) -> bytes | None:
    if digits is None:
        return None
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise typer.BadParameter(f"{KEY_SIZE} bytes in hex are needed", param_hint="--sequencer-key")
    return key


# Reading


def _read(source: str) -> bytes:
    """Return the input, and a little more than may be where there is too much."""
    if source == "-":
        return sys.stdin.buffer.read(MAX_INPUT + 1)
    try:
        with Path(source).open("rb") as file:
            return file.read(MAX_INPUT + 1)
    except (FileNotFoundError, ValueError):  # ValueError: a name that no file can have
        return source.encode(errors="replace")
    except OSError as error:
        if not _may_be_a_file(source):
            return source.encode(errors="replace")
        raise _NoInputError(f"{_shown(source)} cannot be read: {error.strerror}") from error


def _may_be_a_file(source: str) -> bool:
    try:
        return Path(source).exists()
    except OSError:  # the text is longer than names may be
        return False


# Output


def _print(finding: Finding, *, full: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for line in finding_as_text(finding, full=full):
        console.print(Text.assemble(*((text, STYLES[style]) for text, style in line)))


def _refuse(error: NotUnderstoodError, source: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(failure_as_json(error), indent=2))
        return
    is_file = source == "-" or _may_be_a_file(source)
    where = "This" if is_file else f"There is no file {_shown(source[:80])}, and as text it"
    typer.echo(f"{where} is nothing that is known here. Tried as:", err=True)
    for attempt in error.attempts:
        carried = f" in {attempt.carried_as[-1]}" if attempt.carried_as else ""
        at = f" (at byte {attempt.offset})" if attempt.offset is not None and "at byte" not in attempt.why else ""
        typer.echo(f"  {attempt.taken_for}{carried}: {_shown(attempt.why)}{at}", err=True)


def _shown(text: str) -> str:
    return harmless_line(text, limit=LONGEST_ERROR)

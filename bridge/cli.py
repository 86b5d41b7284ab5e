"""The command line: what all commands share, and the list of them.

Exit codes: 0 done; 1 failed, or nobody reads the output any more; 2 wrong usage or configuration; 130 interrupted.
"""

import io
import os
import sys
from typing import Annotated

import typer

from bridge import __version__
from bridge.commands.listing import Commands

__all__ = ["app", "main"]

PROGRAM = "mls-bridge"
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

# Tracebacks stay Python's own: typer's decorated ones can show local variables, and those may be secrets.
app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the program on the process's arguments and exit with its code."""
    _spell_out_what_cannot_be_shown()
    try:
        try:
            app(prog_name=PROGRAM)
        finally:
            # What is still buffered must meet a closed pipe here, not after the last place that could handle it.
            sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more as it ends; give it somewhere to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _spell_out_what_cannot_be_shown() -> None:
    """Let no letter end a command: names and texts have some that this terminal, or this locale, has not."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # tests and other programs put something else there
            stream.reconfigure(errors="backslashreplace")


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer passes an option's value by position
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback(epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted.")
def _options(
    *,
    version: Annotated[  # its callback does the work
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """MLS (RFC 9420) end-to-end encryption for chat rooms that already exist.

    A Matrix room or an XMPP group chat, on an unmodified server, carries the messages; one encrypted group can span
    both, and the bridge between them cannot read it.
    """


if __name__ == "__main__":
    main()

"""`python -m bridge.servers prepare`: install Synapse, Prosody and ejabberd in the user's cache.

Whatever starts them would do it too, but then half a minute of installing looks like something that hangs.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import typer
from rich.console import Console

from bridge.servers.cache import Say, cache_directory
from bridge.servers.ejabberd import Ejabberd
from bridge.servers.errors import ServerError, ServerUnavailableError
from bridge.servers.prosody import Prosody
from bridge.servers.synapse import Synapse

__all__ = ["main"]

SERVERS: dict[str, Callable[[Say], object]] = {
    "Synapse": Synapse.install,
    "Prosody": Prosody.install,
    "ejabberd": Ejabberd.install,
}

app = typer.Typer(add_completion=False, help="Real servers, for the demonstration and for tests.")


@app.callback()
def main() -> None:
    """Do nothing but have commands."""


@app.command()
def prepare() -> None:
    """Install what is not installed yet. Ends with 1 if that fails or, with CI set, cannot be done here."""
    screen = Console(stderr=True, highlight=False)

    def say(line: str) -> None:
        screen.print(line, markup=False, soft_wrap=True)

    say(f"servers, kept in {cache_directory()}")

    def attempt(name: str) -> bool:
        start = time.monotonic()
        try:
            SERVERS[name](say)
        except ServerUnavailableError as error:
            say(f"{name}: not here, and what needs it will be skipped: {error}")
            return not os.environ.get("CI")
        except ServerError as error:
            say(f"{name}: {error}")
            return False
        say(f"{name}: ready ({time.monotonic() - start:.1f} s)")
        return True

    with ThreadPoolExecutor() as threads:
        sys.exit(not all(list(threads.map(attempt, SERVERS))))


if __name__ == "__main__":
    app()

"""Where servers are installed: once, in the user's cache, for all checkouts and tests.

Each installation is a directory of its own, `<cache>/<server>/<key>`, and is there as a whole or not at all. Any number
of processes may ask for it at once: one installs, the others wait.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from bridge.servers.errors import ServerError

if sys.platform != "win32":
    import fcntl

__all__ = ["CACHE_VARIABLE", "Say", "cache_directory", "find_or_install", "silent"]

CACHE_VARIABLE = "MLS_BRIDGE_SERVERS"
"""The environment variable that says where servers are installed."""

SECONDS = 1800
"""How long we wait for another process that installs the same."""

KEPT = 3
"""How many installations of one server are kept: those that were used last."""

Say: TypeAlias = Callable[[str], None]
"""Is told what is being done, a line each time."""


def silent(_line: str) -> None:
    """Say nothing."""


def cache_directory() -> Path:
    """Return where servers are installed: `$MLS_BRIDGE_SERVERS`, or else the user's cache directory."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).absolute()
    caches = os.environ.get("XDG_CACHE_HOME", "")
    # The specification has relative paths ignored.
    base = Path(caches) if Path(caches).is_absolute() else Path.home() / ".cache"
    return base / "mls-bridge" / "servers"


def find_or_install(server: str, key: str, install: Callable[[Path], None], say: Say) -> Path:
    """Return the installation of a server, made by `install` if it is not there yet.

    `install` is given an empty folder, which is moved into its place when it is complete.
    """
    installations = cache_directory() / server.lower()
    final = installations / key
    try:
        if _use(final):
            return final
        installations.mkdir(parents=True, exist_ok=True)
        with _lock(installations / "lock", server, say):
            if not _use(final):  # nobody else has just installed it
                _install(install, final)
                _forget_old(installations)
    except OSError as error:
        raise ServerError(f"{error.filename or installations}: {error.strerror or error}") from error
    return final


def _use(final: Path) -> bool:
    """Whether it is there. Notes when it was used."""
    try:
        os.utime(final)
    except FileNotFoundError:
        return False
    return True


def _install(install: Callable[[Path], None], final: Path) -> None:
    for left_behind in final.parent.glob("installing-*"):  # by somebody who was killed
        shutil.rmtree(left_behind, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix="installing-", ignore_cleanup_errors=True) as temporary:
        place = Path(temporary) / final.name
        place.mkdir()
        install(place)
        place.rename(final)


@contextmanager
def _lock(path: Path, server: str, say: Say) -> Iterator[None]:
    """Be the only one who installs this server; the system takes the lock back from a process that dies."""
    deadline = time.monotonic() + SECONDS
    with path.open("w") as file:
        waiting = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServerError(f"another process holds {path} for too long") from None
                if not waiting:
                    say(f"{server}: another process is installing it; waiting")
                waiting = True
                time.sleep(0.2)
            else:
                break
        yield


def _forget_old(installations: Path) -> None:
    """Remove the installations that have not been used for longest."""
    there = [path for path in installations.iterdir() if path.is_dir()]
    for path in sorted(there, key=lambda path: path.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)

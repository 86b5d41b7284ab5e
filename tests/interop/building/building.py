"""One peer, built or found built.

The result of each state of the sources lies in a directory of its own, `<cache>/<peer>/<hash>`, and is there as a whole
or not at all. Any number of processes may ask for it at once: one builds, the others wait.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tests.interop.building.errors import BuildError
from tests.interop.building.running import run

if TYPE_CHECKING:
    from tests.interop.building.peers import Peer

__all__ = ["CACHE_VARIABLE", "Built", "Report", "build", "cache_directory", "digest"]

CACHE_VARIABLE = "MLS_BRIDGE_PEERS"
"""The environment variable that says where built peers are kept."""

SECONDS = 3600
"""For one build, and for waiting until somebody else has built. OpenMLS takes some minutes on two cores."""

KEPT = 4
"""How many results of one peer are kept: those that were used last. Two checkouts should not build in turns."""

COMMAND = "peer-command.json"

NOT_SOURCES = frozenset({"target", "node_modules", "__pycache__"})
"""Directories that building leaves behind."""

Report: TypeAlias = Callable[[str, int, int], None]
"""Is told what is being done, how many steps are done, and of how many; of 0 if nobody knows."""


@dataclass(frozen=True)
class Built:
    """A peer that is ready to run."""

    peer: str
    command: tuple[str, ...]
    was_there: bool
    """Whether an earlier build is used."""


def cache_directory() -> Path:
    """Return where built peers are kept: `$MLS_BRIDGE_PEERS`, or else the user's cache directory."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).absolute()
    caches = os.environ.get("XDG_CACHE_HOME", "")
    # The specification has relative paths ignored.
    base = Path(caches) if Path(caches).is_absolute() else Path.home() / ".cache"
    return base / "mls-bridge" / "peers"


def build(peer: Peer, report: Report = lambda _what, _done, _of: None, *, seconds: float = SECONDS) -> Built:
    """Return a peer's program, building it if its sources have changed. Raises `BuildError`."""
    deadline = time.monotonic() + seconds
    try:
        results = cache_directory() / peer.name
        result = results / digest(peer.sources)
        if (command := _command(result)) is not None:
            return Built(peer.name, command, was_there=True)
        results.mkdir(parents=True, exist_ok=True)
        with _lock(results / "lock", report, deadline):
            if (command := _command(result)) is not None:  # somebody else has just built it
                return Built(peer.name, command, was_there=True)
            _build(peer, result, report, deadline)
            _forget_old(results)
        command = _command(result)
    except OSError as error:
        raise BuildError(f"{error.filename or cache_directory()}: {error.strerror or error}") from error
    if command is None:
        raise BuildError(f"{result} was removed while it was being built")
    return Built(peer.name, command, was_there=False)


def digest(sources: Path) -> str:
    """Return what names one state of a peer's sources on one kind of machine."""
    state = hashlib.sha256(f"{platform.system()} {platform.machine()}".encode())
    for path in _files(sources):
        data = path.read_bytes()
        state.update(f"\n{path.relative_to(sources).as_posix()} {len(data)}\n".encode())
        state.update(data)
    return state.hexdigest()[:16]


def _files(sources: Path) -> Iterator[Path]:
    """Yield all files that are built from, in order."""
    found = []
    for parent, directories, names in os.walk(sources):
        directories[:] = [name for name in directories if name not in NOT_SOURCES and not name.startswith(".")]
        found += [Path(parent, name) for name in names if not name.endswith((".py", ".pyc"))]
    if not found:
        raise BuildError(f"there are no sources in {sources}")
    yield from sorted(found)


def _build(peer: Peer, result: Path, report: Report, deadline: float) -> None:
    """Build in a copy of the sources, and put that in its place when all is well. Needs the lock."""
    for left_behind in result.parent.glob("building-*"):  # by somebody who was killed
        shutil.rmtree(left_behind, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=result.parent, prefix="building-", ignore_cleanup_errors=True) as place:
        copy = Path(place) / "peer"
        for path in _files(peer.sources):
            into = copy / path.relative_to(peer.sources)
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, into)
        if digest(copy) != result.name:
            raise BuildError("the sources have changed meanwhile: try again")
        recipe = peer.recipe(copy, result.parent / "workshop")
        for tool in (*recipe.tools(), *peer.tools):
            tool.require()
        run(recipe, report, deadline)
        (copy / COMMAND).write_text(json.dumps(recipe.finish()))
        copy.rename(result)


def _command(result: Path) -> tuple[str, ...] | None:
    """Return the command of an earlier result; `None` if there is no such result."""
    try:
        parts: list[str] = json.loads((result / COMMAND).read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise BuildError(f"{result / COMMAND} is damaged: remove {result}") from error
    os.utime(result)
    return tuple(str(result / part) if part.startswith("./") else part for part in parts)


@contextmanager
def _lock(path: Path, report: Report, deadline: float) -> Iterator[None]:
    """Be the only one who builds this peer; the system takes the lock back from a process that dies."""
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BuildError(f"another process holds {path} for too long") from None
                report("another process is building it", 0, 0)
                time.sleep(0.2)
            else:
                break
        yield


def _forget_old(results: Path) -> None:
    """Remove the results that have not been used for longest."""
    there = [path for path in results.iterdir() if (path / COMMAND).exists()]
    for path in sorted(there, key=lambda path: path.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)

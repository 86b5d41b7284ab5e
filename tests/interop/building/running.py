"""The command that builds: run within a time limit, with its steps shown, and its complaint understood."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.interop.building.errors import BuildError, UnavailableError

if TYPE_CHECKING:
    from tests.interop.building.building import Report
    from tests.interop.building.recipes import Recipe

__all__ = ["run"]

SHOWN = 30
"""How many lines of its output a failed build shows, the last ones."""

NO_NETWORK = re.compile(
    r"could not resolve host|failed to download|spurious network error|failed to connect|network failure"
    r"|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH",
    re.IGNORECASE,
)
TOO_OLD = re.compile(r"requires rustc (\S+)|is not supported by the following packages?|EBADENGINE|lock ?file version")
NOT_AS_LOCKED = re.compile(
    r"lock file .* (needs to be updated|because --locked)|can only install packages when your package\.json"
)


def run(recipe: Recipe, report: Report, deadline: float) -> None:
    """Run the command that builds. Raises `BuildError`, in which the end of its output stands."""
    command = recipe.command()
    with subprocess.Popen(
        command,
        cwd=recipe.sources,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "CARGO_TERM_PROGRESS_WHEN": "never", "NO_COLOR": "1"},
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        watch = threading.Timer(max(0, deadline - time.monotonic()), _kill, (process.pid,))
        watch.start()
        try:
            lines = _follow(process, recipe, report)
        finally:
            in_time = watch.is_alive()
            watch.cancel()
            if process.poll() is None:
                _kill(process.pid)
    if process.returncode:
        raise (
            _explain(command, process.returncode, lines)
            if in_time
            else BuildError(f"'{' '.join(command)}' has taken too long; it was at:\n{_indented(lines)}")
        )


def _follow(process: subprocess.Popen[str], recipe: Recipe, report: Report) -> list[str]:
    """Report every step until the output ends, and return the end of the output."""
    lines: deque[str] = deque(maxlen=SHOWN)
    steps, done = recipe.steps(), 0
    report(recipe.command()[0], done, steps)
    for line in process.stdout or ():
        lines.append(line.rstrip())
        if recipe.is_step(line):
            done += 1
            report(line.strip(), min(done, steps), steps)
    process.wait()
    return list(lines)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _explain(command: list[str], status: int, lines: list[str]) -> BuildError:
    output = "\n".join(lines)
    said = f"'{' '.join(command)}' failed ({status}):\n{_indented(lines)}"
    if NOT_AS_LOCKED.search(output):
        return BuildError(f"the lock file does not fit the sources: renew it with {command[0]}. {said}")
    if NO_NETWORK.search(output):
        return UnavailableError(f"the package registry cannot be reached, and not everything is here already. {said}")
    if TOO_OLD.search(output):
        return UnavailableError(f"{command[0]} is too old for this peer: install a newer one. {said}")
    return BuildError(said)


def _indented(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines) or "    (no output)"

"""Commands that install: run with a time limit, each line of output seen, and the complaint kept."""

from __future__ import annotations

import os
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bridge.servers.errors import ServerUnavailableError

__all__ = ["run"]

SECONDS = 900.0

SHOWN = 15
"""How many lines of its output a failed command shows, the last ones."""


def run(
    command: Sequence[str],
    *,
    purpose: str,
    folder: Path | None = None,
    see: Callable[[str], None] | None = None,
    hint: str = "",
) -> list[str]:
    """Return the lines of its output. Raises `ServerUnavailableError`, which shows the end of it and the hint."""
    environment: Mapping[str, str] = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    lines: list[str] = []
    try:
        with subprocess.Popen(  # noqa: S603 - a command of ours
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            watch = threading.Timer(SECONDS, process.kill)
            watch.start()
            try:
                for line in process.stdout or ():
                    lines.append(line.rstrip())
                    if see is not None:
                        see(lines[-1])
            except BaseException:
                process.kill()
                raise
            finally:
                watch.cancel()
    except FileNotFoundError as error:
        raise ServerUnavailableError(
            f"cannot {purpose}: there is no program '{command[0]}'. {hint}".rstrip()
        ) from error
    if process.returncode:
        end = "\n".join(f"    {line}" for line in deque(lines, SHOWN)) or "    (no output)"
        raise ServerUnavailableError(
            f"cannot {purpose}: '{command[0]}' failed ({process.returncode}). {hint}".rstrip() + f"\n{end}"
        )
    return lines

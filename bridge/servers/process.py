"""One server process under its supervisor."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, cast

__all__ = ["Process"]

SUPERVISOR = Path(__file__).with_name("supervisor.py")

GRACE = 10.0
"""Seconds from SIGTERM to SIGKILL."""


class Process:
    """A command that runs until it ends, is stopped, or this program ends, in whatever way."""

    def __init__(self, command: Sequence[str], *, log: Path, folder: Path, environment: Mapping[str, str]) -> None:
        with log.open("ab") as output:
            self._supervisor = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-I", "-S", str(SUPERVISOR), *command],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                bufsize=0,
                start_new_session=True,  # an interrupt at the terminal is for this program, which then stops them
            )
        self._orders = cast("IO[bytes]", self._supervisor.stdin)
        self._reports = cast("IO[bytes]", self._supervisor.stdout)
        first = self._reports.readline()
        self.pid = int(first) if first else None
        """The server's own; `None` if the command could not be run."""

    def status(self) -> int | None:
        """Return what it has ended with, as a shell shows it; `None` while it runs."""
        status = self._supervisor.poll()
        if status is not None:
            self._close()
        return status

    def stop(self, grace: float = GRACE) -> None:
        """End it by SIGTERM, and by SIGKILL if it has not ended after `grace` seconds."""
        self._order(b"t")
        try:
            self._supervisor.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()

    def kill(self) -> None:
        """End it by SIGKILL, now."""
        self._order(b"k")
        self._supervisor.wait()
        self._close()

    def _order(self, order: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):  # it has ended already; the pipe is closed already
            self._orders.write(order)

    def _close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()
        self._reports.close()

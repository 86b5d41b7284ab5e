"""A program that a seat has started: how it began, what it complained of, and that it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from tests.interop.seats.seat import Code, SeatError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["MOMENT", "Program"]

TAIL = 2000
"""In bytes: how much of what a program says is kept, counted from its end."""

MOMENT = 1
"""In seconds: how long to wait for a program that seems to be ending."""

WATCHED = 'exec 3<&0; { cat <&3; kill -KILL 0; } >/dev/null 2>&1 & exec 3<&-; exec "$@" </dev/null'
"""Runs a program that reads no input, and kills it when ours ends, however that comes about: that closes the pipe."""


class Program:
    """A running program, the leader of a process group of its own, so that its children end with it."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        piped: bool,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        """Start it; `piped` means that its standard input and output are ours. Raises `SeatError`.

        What it writes to standard error, and to standard output if that is not ours, are its `words`.
        """
        try:
            self._process = subprocess.Popen(
                command if piped else ["/bin/sh", "-c", WATCHED, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if piped else subprocess.STDOUT,
                bufsize=0,
                cwd=directory,
                env=None if environment is None else {**os.environ, **environment},
                start_new_session=True,
            )
        except OSError as error:
            raise SeatError(Code.DIED, f"{command[0]} does not start: {error}") from error
        self._tail = bytearray()
        # A pipe that nobody reads fills up, and then the program waits for ever in the middle of a complaint.
        spoken = _piped(self._process.stderr if piped else self._process.stdout)
        self._reader = threading.Thread(target=self._listen, args=(spoken,), name="words of a seat", daemon=True)
        self._reader.start()

    @property
    def input(self) -> IO[bytes]:
        return _piped(self._process.stdin)

    @property
    def output(self) -> IO[bytes]:
        return _piped(self._process.stdout)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def words(self) -> str:
        """The end of what it has said so far."""
        return bytes(self._tail).decode("utf-8", "replace")

    def obituary(self) -> str:
        """How it ended, if it did within a moment, and its last words."""
        self.has_ended(within=MOMENT)
        self._reader.join(timeout=MOMENT)
        return f"{self._status() or 'is still running'}; its last words: {self.words().strip() or '(none)'}"

    def has_ended(self, *, within: float = 0) -> bool:
        """Whether it has ended, or does so within some seconds: its connections close before it is gone."""
        limit = time.monotonic() + within
        while self._status() is None and time.monotonic() < limit:
            time.sleep(0.01)
        return self._status() is not None

    def end(self) -> None:
        """Kill it, its children too, and wait until it is gone."""
        # Nothing before this line waits for the process, so its number cannot have become somebody else's.
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._reader.join(timeout=MOMENT)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _status(self) -> str | None:
        """How it ended; `None` while it runs."""
        status = self._process.returncode
        if status is None:
            ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                return None
            status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        return f"exited with {status}" if status >= 0 else f"was ended by signal {-status}"

    def _listen(self, spoken: IO[bytes]) -> None:
        with suppress(OSError, ValueError):  # closed under our hands
            while chunk := spoken.read(1 << 16):
                self._tail += chunk
                del self._tail[:-TAIL]


def _piped(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("this stream of the program is not ours")
    return stream

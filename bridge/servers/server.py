"""What all servers have in common: a folder, ports, a log, and a process that comes and goes."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

from bridge.servers.errors import ServerStartError, ServerUnavailableError
from bridge.servers.ports import LOOPBACK, Port
from bridge.servers.process import Process

__all__ = ["Server", "accepts_connections", "require_platform"]

SECONDS = 60.0
"""How long a server may take until it is ready. They take 0.3 to 2 s on an idle machine."""

SHOWN = 25
"""How many lines of the log stand in an error."""

NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?")


class Server(ABC):
    """A server with an identity and data of its own, on the loopback alone.

    It is stopped at the end of the `with` block. If this program ends in any other way, it is killed.
    All calls block for up to some seconds: from a coroutine, call them with `asyncio.to_thread`.
    """

    software: str
    """As people call it."""

    def __init__(self, folder: Path, name: str) -> None:
        if NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no name for a server")
        self.name = name
        """Its domain: what stands in the ids of its users."""
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        """What it stores lies here."""
        self.log = self.folder / "server.log"
        self.host = LOOPBACK
        self._ports: list[Port] = []
        self._process: Process | None = None
        try:
            self.data.mkdir(parents=True)
        except FileExistsError:
            raise ServerStartError(f"{self.data} is there already: a new server needs a folder of its own") from None

    @property
    def pid(self) -> int | None:
        """The id of its process; `None` while it does not run."""
        return self._process.pid if self._process is not None and self._process.status() is None else None

    def open(self) -> None:
        """Start it for the first time: if that fails, nothing stays behind. Raises `ServerStartError`."""
        try:
            self.resume()
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """Stop it. What it has stored stays, and `resume` starts it again."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """Kill it (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def resume(self) -> None:
        """Start it, on the same ports and with what it has stored, and wait until it is ready.

        Raises `ServerStartError`.
        """
        if self.pid is not None:
            return
        environment = {**os.environ, **self._environment()}
        self._process = Process(self._command(), log=self.log, folder=self.folder, environment=environment)
        try:
            self._wait(self._process)
        except BaseException:
            self.kill()
            raise

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.resume()

    def close(self) -> None:
        """Stop it for good, and let others have its ports."""
        self.stop()
        for port in self._ports:
            port.release()
        self._ports.clear()

    def database_files(self) -> list[Path]:
        """Return the files it stores everything in. Some of it may be in memory alone until the server stops."""
        return sorted(path for path in self.data.rglob("*") if path.is_file())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def _command(self) -> list[str]:
        """Return the command that runs it in the foreground."""

    def _environment(self) -> dict[str, str]:
        """Return what its environment has beyond ours."""
        return {}

    @abstractmethod
    def _is_ready(self) -> bool:
        """Whether it answers. Raises nothing for a server that does not yet."""

    def _reserve_port(self) -> int:
        """Return a port that is this server's until it is closed."""
        port = Port()
        self._ports.append(port)
        return int(port)

    def _wait(self, process: Process) -> None:
        deadline = time.monotonic() + SECONDS
        while not self._is_ready():
            status = process.status()
            if status is not None:
                raise ServerStartError(
                    f"{self.software} has ended with status {status} instead of starting{self._tail()}"
                )
            if time.monotonic() > deadline:
                raise ServerStartError(f"{self.software} is not ready after {SECONDS:.0f} s{self._tail()}")
            time.sleep(0.03)

    def _tail(self) -> str:
        """Return the end of the log, to be put at the end of an error."""
        with self.log.open(encoding="utf-8", errors="replace") as log:
            lines = deque(log, SHOWN)
        shown = "".join(f"    {line.rstrip()}\n" for line in lines) or "    (it is empty)\n"
        return f". The end of {self.log}:\n{shown.rstrip()}"


def accepts_connections(port: int) -> bool:
    """Whether somebody listens on a port of the loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def require_platform(software: str, *, instead: str) -> None:
    """Raise `ServerUnavailableError` on Windows, where none of this works; `instead` says what helps."""
    if sys.platform == "win32":
        raise ServerUnavailableError(f"{software} does not run on Windows: {instead}")

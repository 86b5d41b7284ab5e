"""The service as systemd runs it, by a unit of the page."""

from __future__ import annotations

import configparser
import contextlib
import os
import shlex
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Service:
    """What systemd makes of the page's unit: the process, and its word that it is ready."""

    unit: configparser.ConfigParser
    process: subprocess.Popen[bytes]
    manager: socket.socket
    journal: Path

    @classmethod
    def start(cls, unit: Path, folder: Path) -> Service:
        settings = configparser.ConfigParser(strict=False, interpolation=None)
        settings.optionxform = str  # type: ignore[assignment,method-assign]
        settings.read(unit, encoding="utf-8")
        service = settings["Service"]
        assert service["Type"] == "notify"
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.settimeout(1)
        address = folder / "notify"
        address.unlink(missing_ok=True)
        manager.bind(str(address))
        log = folder / "journal"
        with log.open("ab") as journal:
            process = subprocess.Popen(
                shlex.split(service["ExecStart"]),
                cwd=service["WorkingDirectory"],
                env={**environment(), "NOTIFY_SOCKET": str(address)},
                umask=int(service["UMask"], 8),
                stdin=subprocess.DEVNULL,
                stdout=journal,
                stderr=journal,
            )
        started = cls(settings, process, manager, log)
        try:
            started.require("READY=1", 60)
        except BaseException:
            started.kill()
            raise
        return started

    def require(self, word: str, seconds: int) -> None:
        """Wait until the service says this."""
        for _ in range(seconds):
            assert self.process.poll() is None, self.journal.read_text(encoding="utf-8")
            with contextlib.suppress(TimeoutError):
                assert self.manager.recv(100).decode() == word
                return
        raise AssertionError(f"no {word} in {seconds} s: {self.journal.read_text(encoding='utf-8')}")

    def stop(self) -> None:
        self.process.terminate()
        self.require("STOPPING=1", 10)
        assert self.process.wait(int(self.unit["Service"]["TimeoutStopSec"])) == 0
        self.manager.close()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.manager.close()


def environment() -> dict[str, str]:
    unwanted = {"PYTHONPATH", "VIRTUAL_ENV", "MLS_BRIDGE_CONFIG"}
    return {name: value for name, value in os.environ.items() if name not in unwanted}

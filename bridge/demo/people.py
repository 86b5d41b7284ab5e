"""The processes of the demonstration: the bridge, and each person's `mls-bridge chat --json`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml

__all__ = ["Bridge", "DemoError", "Person", "write_config"]

_PATIENCE = 60
_STOPPING = 15
_PAUSE = 0.2


class DemoError(Exception):
    """Something did not come about, or did not hold."""


def write_config(folder: Path, config: Mapping[str, Any], secrets: Mapping[str, str]) -> Path:
    """Write a configuration and its secret files, readable by nobody else; returns the configuration's path."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for name, secret in secrets.items():
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(secret + "\n", encoding="utf-8")
    path = folder / "mls-bridge.yaml"
    path.write_text(yaml.safe_dump(dict(config), sort_keys=False), encoding="utf-8")
    return path


class _Process:
    """A command of this program, in a process of its own."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def stop(self) -> None:
        """End it cleanly, or by force."""
        if not self.is_running:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(_STOPPING):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _complaint(self, what: str) -> DemoError:
        tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:] if self.log.exists() else ""
        return DemoError(f"{self.name}: {what}\n{tail}")


class Bridge(_Process):
    """Relay and sequencer: `mls-bridge run`."""

    @classmethod
    async def start(cls, config: Path) -> Self:
        log = config.parent / "log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(*_command("run", config), stdout=output, stderr=output)
        return cls("bridge", process, log)


class Person(_Process):
    """Somebody who talks: `mls-bridge chat --json`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        super().__init__(name, process, log)
        self.seen: list[dict[str, Any]] = []
        """Everything that the program told this person, in order."""
        self._changed = asyncio.Condition()
        self._asked = 0
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, name: str, config: Path, *options: str) -> Self:
        log = config.parent / "log"
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *_command("chat", config),
                "--json",
                "--log",
                str(config.parent / "events"),
                *options,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=1 << 22,
            )
        return cls(name, process, log)

    async def stop(self) -> None:
        await super().stop()
        await asyncio.wait([self._reading])

    async def ask(self, kind: str, **fields: object) -> dict[str, Any]:
        """Ask for something; returns the answer. Raises `DemoError` where it is refused."""
        answer = await self.try_to_ask(kind, **fields)
        if answer["type"] != "ok":
            raise self._complaint(f"{kind}: {answer['what']} {answer['next_step']}")
        return answer

    async def ask_until_granted(self, kind: str, **fields: object) -> dict[str, Any]:
        """Ask again and again for what can only be had once something has come through the bridge."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while (answer := await self.try_to_ask(kind, **fields))["type"] != "ok":
            if asyncio.get_running_loop().time() > deadline:
                raise self._complaint(f"{kind}: {answer['what']} {answer['next_step']}")
            await asyncio.sleep(_PAUSE)
        return answer

    async def try_to_ask(self, kind: str, **fields: object) -> dict[str, Any]:
        """Ask for something; returns the answer, granted or refused."""
        self._asked += 1
        request = {"type": kind, "id": self._asked, **fields}
        if self._process.stdin is None:
            raise self._complaint("takes no input")
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        await self._process.stdin.drain()
        return await self.until(lambda line: line.get("request") == request["id"], f"an answer to {kind}")

    async def until_told(self, kind: str, **fields: object) -> dict[str, Any]:
        """Wait until something of a kind has been told."""
        wanted = {"type": kind, **fields}
        return await self.until(lambda line: wanted.items() <= line.items(), f"{kind} {fields or ''}")

    async def until(self, is_it: Any, what: str) -> dict[str, Any]:  # noqa: ANN401 - a test of a line
        """Wait for a line. Raises `DemoError` where it does not come."""
        try:
            async with asyncio.timeout(_PATIENCE), self._changed:
                while True:
                    for line in self.seen:
                        if is_it(line):
                            return line
                    if self._reading.done():
                        raise self._complaint(f"has ended while we waited for {what}")
                    await self._changed.wait()
        except TimeoutError:
            raise self._complaint(f"waited {_PATIENCE} s in vain for {what}") from None

    @property
    def texts(self) -> list[str]:
        """The messages that this person could read."""
        return [line["text"] for line in self.seen if line["type"] == "message"]

    async def _read(self) -> None:
        output = self._process.stdout
        if output is None:
            return
        while line := await output.readline():
            async with self._changed:
                self.seen.append(json.loads(line))
                self._changed.notify_all()
        await self._process.wait()
        async with self._changed:
            self._changed.notify_all()


def _command(name: str, config: Path) -> list[str]:
    return [sys.executable, "-m", "bridge.cli", name, "--config", str(config)]

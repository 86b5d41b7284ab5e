"""Our programs in processes of their own, that can be killed at any moment and started again."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

__all__ = ["Chat", "Gone", "Line", "Program", "Refused"]

Line = dict[str, Any]

STOPPING = 15


class Gone(Exception):  # noqa: N818 - what tests wait for, not a failure
    """The program ended before it answered."""


class Refused(Exception):  # noqa: N818 - an answer
    """The program answered by an error."""


class Program:
    """`mls-bridge run`, or another command that reads a configuration."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, config: Path, command: str = "run") -> Self:
        with (config.parent / "log").open("ab") as log:
            return cls(await asyncio.create_subprocess_exec(*_words(command, config), stdout=log, stderr=log))

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def kill(self) -> None:
        """End it as the kernel does when memory is short: nothing is finished, nothing closed."""
        if self.is_running:
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        """End it cleanly, or by force."""
        if self.is_running:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOPPING):
                await self._process.wait()
        except TimeoutError:
            await self.kill()


class Chat(Program):
    """`mls-bridge chat --json`. Requests may be asked one after the other, without waiting for answers."""

    def __init__(self, process: asyncio.subprocess.Process, tell: Callable[[Line], None]) -> None:
        super().__init__(process)
        self._tell = tell
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Line]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, config: Path, tell: Callable[[Line], None], *options: str) -> Self:
        """Start it. `tell` gets every line that is no answer, and one of type `ended` at the end."""
        with (config.parent / "log").open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *_words("chat", config),
                "--json",
                "--log",
                str(config.parent / "events"),
                *options,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=1 << 22,
            )
        return cls(process, tell)

    async def kill(self) -> None:
        await super().kill()
        await asyncio.wait([self._reading])

    async def stop(self) -> None:
        await super().stop()
        await asyncio.wait([self._reading])

    def post(self, kind: str, **fields: object) -> asyncio.Future[Line]:
        """Ask for something; returns the answer to come. It raises `Gone` or `Refused`."""
        number = next(self._ids)
        answer: asyncio.Future[Line] = asyncio.get_running_loop().create_future()
        # What nobody waits for any more, as after a kill, is no fault.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        if self._reading.done() or self._process.stdin is None:
            answer.set_exception(Gone())
            return answer
        self._asked[number] = answer
        self._process.stdin.write(json.dumps({"type": kind, "id": number, **fields}).encode() + b"\n")
        return answer

    async def _read(self) -> None:
        output = self._process.stdout
        assert output is not None
        while line := await output.readline():
            if not line.endswith(b"\n"):
                break  # it was killed while it wrote
            self._take(json.loads(line))
        await self._process.wait()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Gone())
        self._asked.clear()
        self._tell({"type": "ended"})

    def _take(self, line: Line) -> None:
        if line["type"] not in {"ok", "error"}:
            self._tell(line)
            return
        answer = self._asked.pop(line["request"])
        if answer.done():
            return
        if line["type"] == "ok":
            answer.set_result(line)
        else:
            answer.set_exception(Refused(f"{line['what']} {line['next_step']}"))


def _words(command: str, config: Path) -> list[str]:
    return [sys.executable, "-m", "bridge.cli", command, "--config", str(config)]

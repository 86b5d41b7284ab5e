"""The program in processes of its own: until it ends, or while it runs."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bridge.demo.people import Bridge

__all__ = ["Ended", "ask_health", "running", "until_logged", "until_over", "until_ready"]

PATIENCE = 40.0


@dataclass(frozen=True)
class Ended:
    """What a program has said by the time it ended."""

    code: int
    output: str
    complaint: str
    """What stands on standard error."""

    def assert_failed(self, *words: str) -> None:
        """Check that it ended with 1 for this reason, said in the last line: before, only links to servers are told."""
        *before, reason = self.complaint.splitlines()
        assert self.code == 1, self.complaint
        assert self.output == ""
        assert all(line.startswith(("matrix: ", "xmpp: ")) for line in before), self.complaint
        for word in words:
            assert word in reason


async def until_over(*arguments: str | Path, module: str = "bridge.cli") -> Ended:
    """Run the program until it ends by itself. It has an open standard input on which nothing comes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            assert process.stdout is not None
            assert process.stderr is not None
            output, complaint = await asyncio.gather(process.stdout.read(), process.stderr.read())
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(code, output.decode(), complaint.decode())


@asynccontextmanager
async def running(config: Path) -> AsyncIterator[Bridge]:
    """`mls-bridge run`, stopped at the end."""
    process = await Bridge.start(config)
    try:
        yield process
    finally:
        await process.stop()


async def until_logged(log: Path, event: str, **fields: object) -> dict[str, Any]:
    """Wait until an event with these fields stands in a log of JSON lines."""
    wanted = {"event": event, **fields}.items()
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                found = next((line for line in _lines(log) if wanted <= line.items()), None)
                if found is not None:
                    return found
                await asyncio.sleep(0.05)
    except TimeoutError:
        last = "\n".join(map(str, _lines(log)[-20:]))
        raise AssertionError(f"{event} {fields or ''} was never logged. The last was:\n{last}") from None


async def ask_health(port: int, path: str) -> tuple[int, str]:
    """Return the status and the body of an answer."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.text()


async def until_ready(port: int, *, ready: bool = True) -> dict[str, Any]:
    """Wait until a running service says that it is ready, or that it is not; returns all that it says."""
    told: tuple[int, str] = (0, "nothing was answered")
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(aiohttp.ClientConnectionError):
                    told = await ask_health(port, "/ready")
                    if told[0] == (200 if ready else 503):
                        stands: dict[str, Any] = json.loads(told[1])
                        return stands
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"this is how it stands: {told}") from None


def _lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]

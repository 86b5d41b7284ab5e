"""The time of the simulated world, and the clocks of its programs, which may be wrong."""

from __future__ import annotations

import asyncio
from typing import Final

from transports.memory.clock import Action

__all__ = ["START", "ProgramClock", "WorldClock"]

START: Final = 1_767_225_600_000
"""When every world begins: the first of January 2026."""

_LOOKS_AGAIN: Final = 60_000
"""Milliseconds after which a program looks at its clock again, as `bridge.service.clock` does: it may have been set."""


class WorldClock:
    """The running loop's time as milliseconds since 1970. A `transports.memory.Clock`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> int:
        return START + round(self._loop.time() * 1000)

    def call_at(self, when: int, action: Action) -> None:
        self._loop.call_at(max(when - START, 0) / 1000, action)

    async def sleep_until(self, at: int) -> None:
        if at > self.now():
            arrived = self._loop.create_future()
            timer = self._loop.call_at((at - START) / 1000, _set, arrived)
            try:
                await arrived
            finally:
                timer.cancel()


class ProgramClock:
    """What one program's machine takes for the time. A `bridge.service.clock.Clock`."""

    def __init__(self, world: WorldClock) -> None:
        self._world = world
        self.ahead = 0
        """Milliseconds that this clock is ahead of the world's; negative where it is behind."""

    def now(self) -> int:
        return self._world.now() + self.ahead

    async def sleep_until(self, at: int) -> None:
        while (left := at - self.now()) > 0:
            await self._world.sleep_until(self._world.now() + min(left, _LOOKS_AGAIN))


def _set(arrived: asyncio.Future[None]) -> None:
    if not arrived.done():
        arrived.set_result(None)

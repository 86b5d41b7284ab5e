"""How tasks of the service wait: for a bell, for a time, for each other, and ever longer for what keeps failing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from bridge.service.clock import Clock
from mls.crypto.random import Random

__all__ = ["NEVER", "Backoff", "Bell", "Pause", "crew", "to_the_end"]

NEVER: Final = 1 << 62
"""A time that does not come."""

FIRST_PAUSE: Final = 1_000
LONGEST_PAUSE: Final = 60_000
"""Milliseconds."""


class Bell:
    """Wakes the one task that waits. Rung while nobody waits, it wakes the next one who does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake whoever waits."""
        self._rung.set()

    async def wait(self, until: int) -> None:
        """Return when the bell is rung, or the time is `until`."""
        if until == NEVER or self._rung.is_set():
            await self._rung.wait()
        else:
            alarm = asyncio.create_task(self._clock.sleep_until(until))
            alarm.add_done_callback(self._go_off)
            try:
                await self._rung.wait()
            finally:
                alarm.cancel()
        self._rung.clear()

    def _go_off(self, alarm: asyncio.Task[None]) -> None:
        if not alarm.cancelled():
            self._rung.set()


class Pause:
    """A time to wait for, which stays as near as it was when the clock is set back by hours."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._length = 0
        self._ends_at = 0

    def begin(self, length: int) -> None:
        """Wait for so many milliseconds from now on; 0: not at all."""
        self._length, self._ends_at = length, self._clock.now() + length

    @property
    def ends_at(self) -> int:
        """When it is over."""
        self._ends_at = min(self._ends_at, self._clock.now() + self._length)
        return self._ends_at

    @property
    def left(self) -> int:
        """How many milliseconds are left; 0 where it is over."""
        return max(0, self.ends_at - self._clock.now())


class Backoff:
    """Pauses between attempts: twice as long each time, drawn from the upper half so that clients fall out of step."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failures = 0

    @property
    def failures(self) -> int:
        """How many attempts in a row have failed."""
        return self._failures

    def pause(self) -> int:
        """Return how many milliseconds to wait after one more failure."""
        longest = min(LONGEST_PAUSE, FIRST_PAUSE << min(self._failures, 16))
        self._failures += 1
        return longest // 2 + int.from_bytes(self._random(4), "big") % (longest // 2 + 1)

    def reset(self) -> None:
        """Begin again: an attempt has succeeded."""
        self._failures = 0


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Wait for work that must not be left half done, however often the waiting task is cancelled meanwhile."""
    doing = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not doing.done():
        try:
            await asyncio.wait([doing])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    doing.result()


@asynccontextmanager
async def crew() -> AsyncIterator[asyncio.TaskGroup]:
    """Return a task group that raises the first error itself, so that callers can tell errors apart by type."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except BaseExceptionGroup as errors:
        first: BaseException = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None

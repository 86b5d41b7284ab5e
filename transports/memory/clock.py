"""The time that a network in memory lives by: its own, moved by hand, or the event loop's."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from itertools import count
from typing import Protocol, TypeAlias

__all__ = ["Clock", "LoopClock", "VirtualClock"]

Action: TypeAlias = Callable[[], None]

_START = 1_767_225_600_000
"""Where virtual time begins: the first of January 2026."""


class Clock(Protocol):
    """All times are milliseconds since 1970."""

    def now(self) -> int:
        """Return the time."""
        ...

    def call_at(self, when: int, action: Action) -> None:
        """Call `action` once the time is `when`; those that are due together in the order in which they were asked for.

        Never from within this call.
        """
        ...

    async def sleep_until(self, at: int) -> None:
        """Return once the time is `at`; at once if that is past."""
        ...


class VirtualClock:
    """Time that stands still until somebody moves it: hours pass in no time, and always in the same way."""

    def __init__(self, now: int = _START) -> None:
        self._now = now
        self._waiting: list[tuple[int, int, Action]] = []
        self._numbers = count()

    def now(self) -> int:
        return self._now

    def call_at(self, when: int, action: Action) -> None:
        heapq.heappush(self._waiting, (max(when, self._now), next(self._numbers), action))

    async def sleep_until(self, at: int) -> None:
        await _sleep_until(self, at)

    def next_due(self) -> int | None:
        """Return when the next action is due, `None` where none waits."""
        return self._waiting[0][0] if self._waiting else None

    def advance(self, milliseconds: int) -> None:
        """Let time pass, and do what is due on the way."""
        end = self._now + milliseconds
        while self._waiting and self._waiting[0][0] <= end:
            self._now, _, action = heapq.heappop(self._waiting)
            action()
        self._now = end


class LoopClock:
    """The time of day; actions run in the running event loop."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def call_at(self, when: int, action: Action) -> None:
        asyncio.get_running_loop().call_later(max(0, when - self.now()) / 1000, action)

    async def sleep_until(self, at: int) -> None:
        await _sleep_until(self, at)


async def _sleep_until(clock: Clock, at: int) -> None:
    while clock.now() < at:  # timers of an event loop may fire a little early
        passed = asyncio.Event()
        clock.call_at(at, passed.set)
        await passed.wait()

"""The time that the service lives by. An argument everywhere, so that a simulator can drive the real code."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol

__all__ = ["Clock", "SystemClock"]

LONGEST_SLEEP: Final = 60.0
"""Seconds after which the time of day is looked at again: it can be set, and machines are suspended."""


class Clock(Protocol):
    """All times are milliseconds since 1970."""

    def now(self) -> int:
        """Return the time."""
        ...

    async def sleep_until(self, at: int) -> None:
        """Return once the time is `at`; at once if that is past."""
        ...


class SystemClock:
    """The time of day."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep_until(self, at: int) -> None:
        while (left := (at - self.now()) / 1000) > 0:  # noqa: ASYNC110 - time does not ring
            await asyncio.sleep(min(left, LONGEST_SLEEP))

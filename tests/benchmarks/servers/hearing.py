"""When somebody was shown what."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Final

__all__ = ["PATIENCE", "Ear"]

PATIENCE: Final = 60.0
"""Seconds without anything new after which what is waited for does not come any more."""


@dataclass
class Ear:
    """What one person, or program, is shown."""

    shown: dict[str, int] = field(default_factory=dict)
    """From a text to the time, in nanoseconds."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, text: str) -> None:
        """Note that a text is shown now."""
        self.shown[text] = perf_counter_ns()
        self._news.set()

    async def until(self, text: str) -> int:
        """Return when a text was shown, as soon as it is. Raises `TimeoutError`."""
        await self.until_all([text])
        return self.shown[text]

    async def until_all(self, texts: Collection[str], *, patience: float = PATIENCE) -> None:
        """Wait until all of these are shown. Raises `TimeoutError` once nothing has come for `patience` seconds."""
        missing = set(texts)
        while True:
            self._news.clear()
            if len(self.shown) >= len(texts):  # before, there is nothing to look for
                missing -= self.shown.keys()
            if not missing:
                return
            try:
                async with asyncio.timeout(patience):
                    await self._news.wait()
            except TimeoutError:
                there = sum(text in self.shown for text in texts)
                raise TimeoutError(
                    f"nothing came for {patience:g} s, and of {len(texts)} messages {there} are there"
                ) from None

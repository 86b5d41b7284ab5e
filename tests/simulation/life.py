"""One life of a program: from its start to its end, with all that ends with it."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.inline import Disk
    from transports.memory import MemoryTransport

__all__ = ["LIFE", "Life"]


@dataclass(eq=False)
class Life:
    """What belongs to one run of a program."""

    name: str
    number: int
    disk: Disk
    tasks: dict[asyncio.Task[Any], None] = field(default_factory=dict)
    """Those that are not done, in the order in which they began."""
    transports: list[MemoryTransport] = field(default_factory=list)
    is_over: bool = False

    def forget(self, task: asyncio.Task[Any]) -> None:
        """Take note that a task is done."""
        self.tasks.pop(task, None)

    async def end_tasks(self) -> None:
        """Let no task of this life go on. Whatever they try on their way out reaches neither disk nor network."""
        while self.tasks:
            for task in tuple(self.tasks):
                task.cancel()
            await asyncio.sleep(0)
        self.disk.release()


LIFE: ContextVar[Life] = ContextVar("life")
"""Whose code runs."""

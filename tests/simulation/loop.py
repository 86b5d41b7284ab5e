"""An event loop whose time passes only where everybody waits: hours cost nothing, and always go the same way."""

from __future__ import annotations

import asyncio
from asyncio import base_events
from collections.abc import Coroutine, Generator
from contextvars import Context
from itertools import count
from typing import Any, Final, TypeVar

from tests.simulation.life import LIFE, Life

__all__ = ["DeadlockError", "SimulatedTask", "VirtualLoop", "run_virtually"]

Result = TypeVar("Result")

_RESOLUTION: Final = 1e-6
"""Seconds: finer than the millisecond that all programs count in."""

_numbers = count()


class DeadlockError(Exception):
    """Everybody waits for something that nobody does, and no time was set."""


class SimulatedTask(asyncio.Task[Any]):
    """A task that sets order by its number, not by its place in memory: two runs cancel tasks in the same order."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - the base class's
        self._number = next(_numbers)
        self.life: Life | None = None
        super().__init__(*arguments, **options)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class _Patience:
    """Stands where a loop has its selector: instead of waiting, lets time pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise DeadlockError("everybody waits, and for no time")
        self._loop.pass_time(timeout)
        return []


class VirtualLoop(base_events.BaseEventLoop):
    """No sockets, no threads, no signals: tasks, timers and a time that begins at 0."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._clock_resolution = _RESOLUTION
        self._selector = _Patience(self)
        self.steps = 0
        """How often the loop has gone round."""
        self.step_limit: int | None = None
        """After how many rounds a run is taken for one that never ends."""
        self.set_task_factory(_make_task)

    def time(self) -> float:
        return self._now

    def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.steps += 1
        if self.step_limit is not None and self.steps > self.step_limit:
            raise DeadlockError(f"no end after {self.steps} rounds of the loop")
        self._now += seconds

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""


def _make_task(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, Result] | Generator[Any, None, Result],
    *,
    context: Context | None = None,
) -> asyncio.Future[Result]:
    task = SimulatedTask(coroutine, loop=loop, context=context)
    task.life = LIFE.get(None) if context is None else context.get(LIFE)
    if task.life is not None:
        task.life.tasks[task] = None
        task.add_done_callback(task.life.forget)
    return task


def run_virtually(work: Coroutine[Any, Any, Result], *, step_limit: int | None = None) -> Result:
    """Run something to its end in virtual time. Raises `DeadlockError`, and what it raises."""
    global _numbers  # noqa: PLW0603 - the same numbers in each run
    _numbers = count()
    loop = VirtualLoop()
    loop.step_limit = step_limit
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(work)
    finally:
        try:
            _cancel_all(loop)
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _cancel_all(loop: VirtualLoop) -> None:
    loop.step_limit = None
    tasks = sorted(asyncio.all_tasks(loop), key=hash)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

"""One seed, from its story to the verdict."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import bridge.service.composing
from mls.group import committing
from tests.simulation.inline import inline_databases
from tests.simulation.loop import DeadlockError, SimulatedTask, run_virtually
from tests.simulation.programs import open_simulated_transport
from tests.simulation.properties import check_at_the_end
from tests.simulation.replacing import replaced
from tests.simulation.story import Story
from tests.simulation.watching import Watch, watching
from tests.simulation.world import World

__all__ = ["Verdict", "play"]

_MAX_ROUNDS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a story."""

    story: Story
    violations: tuple[tuple[str, str], ...]
    counts: Counter[tuple[str, str]]
    trace: tuple[str, ...]
    trace_hash: str
    cpu_seconds: float
    watch: Watch

    @property
    def properties(self) -> tuple[str, ...]:
        """The names of what does not hold."""
        return tuple(dict.fromkeys(name for name, _ in self.violations))


def play(story: Story) -> Verdict:
    """Play a story in a world of its own."""
    began = time.process_time()
    watch = Watch()
    if not gc.get_freeze_count():  # what is loaded once need not be looked at after every run
        gc.collect()
        gc.freeze()
    gc.disable()  # when it runs is no part of the seed
    try:
        with _folder() as folder, inline_databases(), watching(watch):
            try:
                run_virtually(_play(story, folder, watch), step_limit=_MAX_ROUNDS)
            except DeadlockError as error:
                watch.violated("it ends", str(error))
    finally:
        gc.enable()
        gc.collect()
    spent = time.process_time() - began
    return Verdict(story, tuple(watch.violations), watch.counts, tuple(watch.lines), watch.trace_hash, spent, watch)


async def _play(story: Story, folder: Path, watch: Watch) -> None:
    def take_error(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        task = context.get("task") or context.get("future")
        if isinstance(task, SimulatedTask) and task.life is not None and task.life.disk.is_dead:
            return  # what the dead have tried
        watch.violated("no fault of ours", f"{context.get('message')}: {context.get('exception')!r}")

    asyncio.get_running_loop().set_exception_handler(take_error)
    world = World(story, folder, watch)
    with (
        replaced(bridge.service.composing, open_transport=partial(open_simulated_transport, world)),
        replaced(committing, encrypt_path=world.spoiler.encrypt_path),
    ):
        await world.play()
        check_at_the_end(world)
        await world.stop()


@contextmanager
def _folder() -> Iterator[Path]:
    """Return a folder in memory, where there is such a thing."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made there
    folder = Path(tempfile.mkdtemp(prefix="mls-bridge-simulation-", dir=memory if memory.is_dir() else None))
    try:
        yield folder
    finally:
        _close_files_in(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _close_files_in(folder: Path) -> None:
    """Close what killed programs had open: a real one's end does it."""
    for entry in list(Path("/proc/self/fd").iterdir()) if Path("/proc/self/fd").is_dir() else []:
        try:
            if str(entry.readlink()).startswith(str(folder)):
                os.close(int(entry.name))
        except OSError:
            continue

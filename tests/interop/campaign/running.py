"""The workers of a campaign: each takes one task after another, with a crew of its own."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.interop.campaign.crew import Crew, Program
from tests.interop.campaign.judging import Record
from tests.interop.campaign.tasks import OURS, Task, WalkTask, partners
from tests.interop.cases import FORMS, Case, play_case
from tests.interop.interpreter import Outcome, play
from tests.interop.seats import SeatError
from tests.interop.stage import Result
from tests.interop.walks.features import EVERYTHING, Feature, Offer
from tests.interop.walks.offers import offer_of
from tests.interop.walks.planning import plan

if TYPE_CHECKING:
    from tests.interop.seats import Seat

__all__ = ["WALK", "Avoided", "run"]

WALK = "walk"
"""The beginning of the names of walks, where those of scripts have their file's."""

WALK_SECONDS = 600

PATIENCE_SECONDS = 1
"""For tasks that nobody waits for any more. After that, their programs are ended."""

CLOSING_SECONDS = 60

Avoided = Callable[[str, int], frozenset[Feature]]
"""What walks with a peer do without in a suite."""


def run(
    tasks: Sequence[Task],
    programs: Mapping[str, Program],
    avoided: Avoided,
    *,
    jobs: int,
    seconds: float | None = None,
    in_all: float = math.inf,
) -> Generator[Record, None, None]:
    """Run the tasks, and yield what has come of each one as soon as it is there.

    `seconds` is the limit for a task, instead of the usual ones. Whatever a seat does, all tasks are run, unless the
    generator is closed, or all together have taken `in_all` seconds: what is at work then is not waited for.
    """
    deadline = time.monotonic() + in_all
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    done: queue.SimpleQueue[Record] = queue.SimpleQueue()
    stop = threading.Event()
    workers = [_Worker(programs, avoided, waiting, done, stop, seconds) for _ in range(min(jobs, len(tasks)))]
    for worker in workers:
        worker.start()
    try:
        for _ in tasks:
            record = _next(done, workers, deadline)
            if record is None:
                return
            yield record
    finally:
        stop.set()
        for worker in workers:
            worker.join(PATIENCE_SECONDS)
        for worker in workers:
            if worker.is_alive():
                worker.abandon()
                worker.join(CLOSING_SECONDS)


def _next(done: queue.SimpleQueue[Record], workers: Sequence[threading.Thread], deadline: float) -> Record | None:
    """Return the next record, `None` if there is none before the deadline."""
    while (left := deadline - time.monotonic()) > 0:
        try:
            return done.get(timeout=min(1, left))
        except queue.Empty:
            if not any(worker.is_alive() for worker in workers) and done.empty():
                raise RuntimeError("all workers have ended before their work") from None
    return None


class _Worker(threading.Thread):
    def __init__(
        self,
        programs: Mapping[str, Program],
        avoided: Avoided,
        waiting: queue.SimpleQueue[Task],
        done: queue.SimpleQueue[Record],
        stop: threading.Event,
        seconds: float | None,
    ) -> None:
        super().__init__(name="campaign", daemon=True)
        self._avoided = avoided
        self._waiting = waiting
        self._done = done
        self._stop_event = stop
        self._seconds = seconds
        self._offers: dict[tuple[str, int], Offer] = {}
        self._crew = Crew(programs)

    def abandon(self) -> None:
        """End the programs of the task at hand, whose outcome nobody wants any more: then it ends, too."""
        self._crew.close()

    def run(self) -> None:
        with self._crew as crew:
            while not self._stop_event.is_set():
                try:
                    task = self._waiting.get_nowait()
                except queue.Empty:
                    return
                self._done.put(self._perform(task, crew))

    def _perform(self, task: Task, crew: Crew) -> Record:
        """Run one task, whatever happens."""
        begun = time.monotonic()
        names = dict.fromkeys(task.seats if isinstance(task, WalkTask) else task.assignment.seats)
        steps: tuple[str, ...] = ()
        try:
            seats = {name: crew.seat(name) for name in names}
            if isinstance(task, WalkTask):
                outcome, steps = self._walk(task, seats)
            else:
                outcome = play_case(task, seats, seconds=self._seconds)
        except SeatError as error:
            outcome = Outcome(Result.FAILED, 0, f"a seat does not start: {error}")
        except Exception as error:  # noqa: BLE001 - a mistake of the driver's own must not end all other tasks
            outcome = Outcome(Result.FAILED, 0, f"the driver itself has failed: {error!r}")
        for name in names:
            if outcome.result is Result.PASSED:
                crew.praise(name)
            else:
                crew.look_after(name)
        return _record(task, outcome, time.monotonic() - begun, steps)

    def _walk(self, task: WalkTask, seats: Mapping[str, Seat]) -> tuple[Outcome, tuple[str, ...]]:
        """Plan and play a walk; return with the outcome what was done until it failed."""
        offers = {name: self._offer(name, seats, task.suite) for name in task.seats}
        walk = plan(task.seed, offers, task.steps)
        casting = {actor: seats[seat] for actor, seat in walk.casting.items()}
        outcome = play(
            walk.script,
            casting,
            suite=task.suite,
            encrypt_handshake=task.encrypt_handshake,
            seed=task.seed,
            seconds=self._seconds or WALK_SECONDS,
        )
        if not outcome.transcript:
            return outcome, ()
        step = walk.step_of(outcome.transcript[-1].step)
        told = f"walk step {step + 1} of {task.steps} (seed {task.seed}: {walk.told[step]}), {outcome.reason}"
        return replace(outcome, reason=told), walk.told[: step + 1]

    def _offer(self, name: str, seats: Mapping[str, Seat], suite: int) -> Offer:
        if name == OURS:
            return EVERYTHING
        if (name, suite) not in self._offers:
            self._offers[name, suite] = offer_of(seats[name], seats[OURS], suite)
        return self._offers[name, suite].without(self._avoided(name, suite))


def _record(task: Task, outcome: Outcome, seconds: float, steps: tuple[str, ...]) -> Record:
    script = task.script.name if isinstance(task, Case) else f"{WALK}/{task.steps}"
    form = FORMS[task.encrypt_handshake]
    return Record(task.name, script, partners(task), task.suite, form, outcome, seconds, steps)

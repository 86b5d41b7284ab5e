"""How things are timed: an operation and its floor in turn, so that a machine that drifts slows both.

In each round a case runs its floor, its operation, and, where the engine would use several cores, the operation
on one thread; the order turns from round to round. A round gives one ratio, and the median of these is what is
reported. The cases of one operation take turns too, so that sizes can be compared.

Two clocks run. What one thread does is told in the process's CPU time, which other programs on the machine do not
lengthen; what several threads do, in time on the wall.
"""

from __future__ import annotations

import gc
import os
import statistics
from dataclasses import dataclass, field
from time import perf_counter_ns, process_time_ns
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.benchmarks.floors import Floor

__all__ = ["FULL", "QUICK", "Budget", "Case", "Comparison", "Measurement", "Spread", "measure"]


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Case:
    """One operation at one size."""

    operation: str
    members: int
    run: Callable[[], object]
    floor: Floor
    prepare: Callable[[], object] = _nothing
    """Called before each run, off the clock."""
    uses_threads: bool = False
    """Whether the engine may spread this over several cores."""
    wire: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each message that the operation makes or takes."""


class Budget(NamedTuple):
    """How long a case may take (seconds), and the bounds on its rounds."""

    seconds: float
    least: int
    most: int


FULL = Budget(3, 7, 2000)
QUICK = Budget(0.4, 3, 300)


class Spread(NamedTuple):
    """A sample's five numbers."""

    least: float
    lower_quartile: float
    median: float
    upper_quartile: float
    most: float

    @classmethod
    def of(cls, sample: Sequence[float]) -> Spread:
        """Return the five numbers of two values or more."""
        lower, median, upper = statistics.quantiles(sample, n=4, method="inclusive")
        return cls(min(sample), lower, median, upper, max(sample))


class Comparison(NamedTuple):
    """An operation beside its floor: both in microseconds, and the one as a multiple of the other, round by round."""

    ours: Spread
    floor: Spread
    ratio: Spread

    @classmethod
    def of(cls, ours: Sequence[int], floor: Sequence[int]) -> Comparison:
        """Compare runs that took turns, in nanoseconds."""
        pairs = zip(ours, floor, strict=True)
        return cls(_microseconds(ours), _microseconds(floor), Spread.of([mine / least for mine, least in pairs]))


@dataclass(frozen=True)
class Measurement:
    """What was found."""

    case: Case
    rounds: int
    one_thread: Comparison
    """In CPU time."""
    threads: Comparison | None
    """In time on the wall, where the engine may use several cores; the floor is on one thread here, too."""

    @property
    def result(self) -> Comparison:
        """How the engine does when it is let."""
        return self.threads or self.one_thread


class _Time(NamedTuple):
    """Nanoseconds by the two clocks."""

    wall: int
    cpu: int


class _Round(NamedTuple):
    floor: _Time
    one_thread: _Time
    threads: _Time


def measure(cases: Sequence[Case], budget: Budget) -> list[Measurement]:
    """Measure cases, taking turns. What was allocated before is kept out of the garbage collector's sight."""
    rounds = [_warm_up(case, budget) for case in cases]
    samples: list[list[_Round]] = [[] for _ in cases]
    gc.collect()
    gc.freeze()
    try:
        for turn in range(max(rounds)):
            for case, limit, sample in zip(cases, rounds, samples, strict=True):
                if turn < limit:
                    sample.append(_round(case, turn))
    finally:
        gc.unfreeze()
    return [_measurement(case, sample) for case, sample in zip(cases, samples, strict=True)]


def _warm_up(case: Case, budget: Budget) -> int:
    """Run a case once, and return how many rounds its budget is good for."""
    begin = perf_counter_ns()
    _round(case, 0)
    seconds = (perf_counter_ns() - begin) / 1e9
    return max(budget.least, min(budget.most, int(budget.seconds / seconds)))


def _round(case: Case, turn: int) -> _Round:
    runs = [_run_floor, _run_on_one_thread, *([_run] if case.uses_threads else [])]
    times = [_Time(0, 0)] * 3
    for step in range(len(runs)):
        which = (turn + step) % len(runs)
        times[which] = runs[which](case)
    return _Round(*times)


def _run_floor(case: Case) -> _Time:
    return _timed(case.floor.run)


def _run(case: Case) -> _Time:
    case.prepare()
    return _timed(case.run)


def _run_on_one_thread(case: Case) -> _Time:
    with mock.patch.object(os, "cpu_count", new=_one):  # what the engine asks before it starts threads
        return _run(case)


def _one() -> int:
    """Return 1, faster than a mock does: the engine asks while the clocks run."""
    return 1


def _timed(function: Callable[[], object]) -> _Time:
    wall, cpu = perf_counter_ns(), process_time_ns()
    function()
    cpu_after, wall_after = process_time_ns(), perf_counter_ns()
    return _Time(wall_after - wall, cpu_after - cpu)


def _measurement(case: Case, sample: list[_Round]) -> Measurement:
    one_thread = Comparison.of([each.one_thread.cpu for each in sample], [each.floor.cpu for each in sample])
    threads = None
    if case.uses_threads:
        threads = Comparison.of([each.threads.wall for each in sample], [each.floor.wall for each in sample])
    return Measurement(case, len(sample), one_thread, threads)


def _microseconds(nanoseconds: Sequence[int]) -> Spread:
    return Spread.of([value / 1000 for value in nanoseconds])

"""Running everything: sizes, operations, and the implementations in turn."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mls.errors import MlsError
from tests.benchmarks.groups import Groups
from tests.benchmarks.measuring import Spread
from tests.benchmarks.peers.document import Case, Sample, SuiteResults, Weights
from tests.benchmarks.peers.floor import floor_of
from tests.benchmarks.peers.host import WrongAnswerError
from tests.benchmarks.peers.measuring import take_turns
from tests.benchmarks.peers.memory import weigh
from tests.benchmarks.peers.trials import OPERATIONS, Place, Shared
from tests.interop.seats import SeatError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.benchmarks.floors import Floor
    from tests.benchmarks.peers.implementations import Station
    from tests.benchmarks.peers.measuring import Budget, Tally
    from tests.benchmarks.peers.memory import Peak
    from tests.benchmarks.peers.trials import Operation, Trial

__all__ = ["FAILURES", "measure_suite", "versions", "weigh_all"]

FAILURES = (SeatError, MlsError, WrongAnswerError)
"""What an implementation can do wrong. It is missing then, with the reason; the others go on."""

FLOOR = "floor"
"""Takes turns with the implementations, in this process."""

MAX_REASON = 300
"""In characters: a panic has its backtrace with it."""


def versions(stations: Sequence[Station]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what the implementations call themselves, and why others do not answer."""
    said, missing = {}, {}
    for station in stations:
        try:
            said[station.name] = station.version()
        except SeatError as error:
            missing[station.name] = _reason(error)
    return said, missing


def measure_suite(
    number: int,
    stations: Sequence[Station],
    operations: Sequence[str],
    sizes: Sequence[int],
    budget: Budget,
    say: Callable[[str], None],
) -> SuiteResults:
    """Measure these operations with groups of these sizes."""
    groups = Groups(number, say)
    cases = []
    for size in sizes:
        shared = Shared(groups, size)
        desks = [_Desk(station, shared) for station in stations]
        for operation in (OPERATIONS[name] for name in operations):
            members = 1 if operation.alone else size
            if operation.alone and size != sizes[0]:
                continue
            say(f"suite {number}: {operation.name}, {members:,} members")
            cases.append(_measure(operation, members, desks, floor_of(operation.name, shared), budget))
        for desk in desks:
            desk.leave()
    order = list(operations)
    return SuiteResults(number, sorted(cases, key=lambda case: (order.index(case.operation), case.members)))


def weigh_all(
    number: int, stations: Sequence[Station], sizes: Sequence[int], say: Callable[[str], None]
) -> list[Weights]:
    """Find the peak memory of all implementations with groups of these sizes."""
    groups = Groups(number, say)
    found = []
    for size in sizes:
        say(f"suite {number}: memory, {size:,} members")
        peaks: dict[str, Peak] = {}
        missing: dict[str, str] = {}
        shared = Shared(groups, size)
        for station in stations:
            try:
                peaks[station.name] = weigh(station, shared)
            except (*FAILURES, OSError) as error:
                missing[station.name] = _reason(error)
        found.append(Weights(number, size, peaks, missing))
    return found


class _Desk:
    """An implementation while it is measured with groups of one size."""

    def __init__(self, station: Station, shared: Shared) -> None:
        self.name = station.name
        self._station = station
        self._shared = shared
        self._place: Place | None = None

    def place(self) -> Place:
        """Return its program with the groups that it is in. Raises `SeatError`."""
        seat = self._station.seat()
        if self._place is None:
            self._place = Place(seat, self._shared)
        return self._place

    def failed(self, error: Exception) -> None:
        """Begin anew the next time: nobody knows what state its groups are in."""
        self._place = None  # a seat that goes on keeps its warm-up: it is as good as another one's
        if isinstance(error, SeatError):
            self._station.failed(error)

    def leave(self) -> None:
        """Have it forget its groups."""
        if self._place is not None:
            try:
                self._place.leave()
            except SeatError as error:
                self.failed(error)


class _Runs:
    """The runs of one operation on one desk. The trial is made when its turn comes: that can fail, too."""

    def __init__(self, operation: Operation, desk: _Desk) -> None:
        self._operation = operation
        self._desk = desk
        self.trial: Trial | None = None

    def __call__(self, turn: int, count: int) -> list[int]:
        if self.trial is None:
            place = self._desk.place()
            place.warm_up()
            self.trial = self._operation.trial(place)
        return self.trial.run(turn, count)


def _measure(operation: Operation, members: int, desks: Sequence[_Desk], floor: Floor, budget: Budget) -> Case:
    def run_floor(_: int, count: int) -> list[int]:
        return [_timed(floor.run) for _ in range(count)]

    runs = {desk.name: _Runs(operation, desk) for desk in desks}
    tallies = take_turns({FLOOR: run_floor, **runs}, budget, FAILURES, in_rows=operation.in_rows)
    samples: dict[str, Sample] = {}
    missing: dict[str, str] = {}
    for desk in desks:
        tally, trial = tallies[desk.name], runs[desk.name].trial
        if trial is not None and tally.failure is None:
            samples[desk.name] = Sample(len(tally.samples), _spread(tally), trial.wire, trial.note)
        elif tally.failure is not None:
            missing[desk.name] = _reason(tally.failure)
            desk.failed(tally.failure)
    return Case(operation.name, members, _spread(tallies[FLOOR]), samples, missing)


def _timed(function: Callable[[], None]) -> int:
    begin = time.perf_counter_ns()
    function()
    return time.perf_counter_ns() - begin


def _reason(error: Exception) -> str:
    """Return what went wrong, on one line."""
    text = str(error) if isinstance(error, SeatError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:MAX_REASON]


def _spread(tally: Tally) -> Spread:
    return Spread.of([value / 1000 for value in tally.samples])

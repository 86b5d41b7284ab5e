"""How things are timed: all implementations in turn, round by round, so that a machine that drifts slows all alike.

Who starts changes from round to round. The first round counts for nothing: programs load and compile what they use
for the first time; unless it took so long that this cannot matter. What is over soon is done several times in a row.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FULL", "QUICK", "Budget", "Run", "Tally", "exactly", "take_turns"]

Run: TypeAlias = "Callable[[int, int], list[int]]"
"""Is told which turn it is and how many samples are wanted, and returns them, in nanoseconds."""

ROW = 8
"""So many samples are taken in a row,"""
PACE = 0.02
"""where the first one took less than this, in seconds and with all preparing."""

FEW = 3
"""So many samples at the least, unless they take too long even for that; and two then."""


class Budget(NamedTuple):
    """When an implementation has been measured often enough. Times include the preparing, in seconds."""

    seconds: float
    """After this time `least` samples are enough."""
    least: int
    most: int
    patience: float
    """After this time a few are, and after twice as long two."""

    def is_spent(self, samples: int, seconds: float) -> bool:
        """Whether so many samples, taken in so many seconds, are enough."""
        if samples >= self.most:
            return True
        if seconds >= self.patience:
            return samples >= (FEW if seconds < 2 * self.patience else 2)
        return seconds >= self.seconds and samples >= self.least


FULL = Budget(0.6, 5, 200, 8)
QUICK = Budget(0.3, FEW, 50, 3)


def exactly(rounds: int) -> Budget:
    """Return the budget of so many samples, two or more."""
    return Budget(0, rounds, rounds, float("inf"))


@dataclass
class Tally:
    """What was measured of one implementation."""

    samples: list[int] = field(default_factory=list)
    """In nanoseconds."""
    failure: Exception | None = None
    """What ended the measuring before its time."""
    row: int = 1
    """How many samples are taken in a turn."""
    seconds: float = 0
    """How long it took, with all preparing."""


def take_turns(
    runs: Mapping[str, Run],
    budget: Budget,
    expected: tuple[type[Exception], ...],
    *,
    in_rows: bool = True,
) -> dict[str, Tally]:
    """Measure until each one's budget is spent. Who fails in an expected way is left out from then on.

    `in_rows` allows several runs in one turn.
    """
    row = min(ROW, budget.most) if in_rows else 1
    tallies = {name: Tally() for name in runs}
    waiting = list(runs)
    turn = 0
    while waiting:
        for name in list(waiting):
            tally = tallies[name]
            begin = time.monotonic()
            try:
                samples = runs[name](turn, tally.row)
            except expected as error:
                tally.failure = error
                waiting.remove(name)
                continue
            elapsed = time.monotonic() - begin
            tally.seconds += elapsed
            if turn or elapsed > budget.patience / 2:
                tally.samples += samples
            elif elapsed < PACE:
                tally.row = row
            if budget.is_spent(len(tally.samples), tally.seconds):
                del tally.samples[budget.most :]
                waiting.remove(name)
        waiting = waiting[1:] + waiting[:1]
        turn += 1
    return tallies

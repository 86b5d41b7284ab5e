"""What the engine shall reach, and whether it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.measuring import Measurement

__all__ = ["SAME_AT_EVERY_SIZE", "Growth", "growth", "is_reached", "reach_of"]

ANY_SIZE = 0

_REACH = {
    ("protect", ANY_SIZE): 1.8,
    ("open", ANY_SIZE): 1.4,
    ("join", 1_000): 1.35,
    ("add", 1_000): 1.5,
    ("update-warm", ANY_SIZE): 2.0,
    ("process-warm", ANY_SIZE): 2.0,
}
"""How many times its floor an operation may take, by operation and members."""

SAME_AT_EVERY_SIZE = ("protect", "open")
_TOLERANCE = 1.05
"""Two measurements of the very same thing differ by as much."""


class Growth(NamedTuple):
    """How an operation that shall not depend on the group's size does."""

    operation: str
    smallest: int
    largest: int
    factor: float
    """The largest group's median time, as a multiple of the smallest one's."""
    is_reached: bool


def reach_of(measurement: Measurement) -> float | None:
    """Return the multiple of its floor that an operation shall stay within, if one is set."""
    case = measurement.case
    return _REACH.get((case.operation, case.members)) or _REACH.get((case.operation, ANY_SIZE))


def is_reached(measurement: Measurement) -> bool | None:
    """Return whether it did, `None` where nothing is set."""
    reach = reach_of(measurement)
    return None if reach is None else measurement.result.ratio.median <= reach


def growth(measurements: Sequence[Measurement]) -> list[Growth]:
    """Compare the largest group with the smallest one, for the operations that shall not tell them apart."""
    found = []
    for operation in SAME_AT_EVERY_SIZE:
        of_it = {
            item.case.members: item.result.ours.median for item in measurements if item.case.operation == operation
        }
        if len(of_it) > 1:
            smallest, largest = min(of_it), max(of_it)
            factor = of_it[largest] / of_it[smallest]
            found.append(Growth(operation, smallest, largest, factor, factor <= _TOLERANCE))
    return found

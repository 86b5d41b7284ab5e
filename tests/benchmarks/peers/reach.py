"""What ours shall reach beside the others, and whether it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks.peers.implementations import OURS, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.benchmarks.peers.document import Case

__all__ = ["AHEAD", "NATIVE_REACH", "NATIVE_SIZE", "OWN_REACH", "Verdict", "fastest_native", "judge", "ratio"]

NATIVE_REACH = 2.0
"""How many times the time of the fastest native implementation ours may take,"""
NATIVE_SIZE = 100
"""with this many members or more,"""
OWN_REACH = 1.4
"""unless it is within this multiple of its own floor: then the primitives are the difference."""
AHEAD = ("add", "join")
"""Where ours shall be faster than one native implementation at least."""


class Verdict(NamedTuple):
    """Whether ours reaches what it shall. `is_met` is `None` where there is nothing to compare it with."""

    is_met: bool | None
    misses: tuple[str, ...]


def ratio(case: Case, other: str) -> float | None:
    """Return our median as a multiple of somebody else's, if both are there."""
    if OURS not in case.samples or other not in case.samples:
        return None
    return case.samples[OURS].time.median / case.samples[other].time.median


def fastest_native(case: Case, kinds: Mapping[str, Kind]) -> str | None:
    """Return the native implementation with the least median, if there is any."""
    natives = [name for name in case.samples if kinds[name] is Kind.NATIVE]
    return min(natives, key=lambda name: case.samples[name].time.median, default=None)


def judge(case: Case, kinds: Mapping[str, Kind]) -> Verdict:
    """Judge one case by the medians."""
    ratios = {name: found for name in case.samples if name != OURS and (found := ratio(case, name)) is not None}
    if not ratios:
        return Verdict(None, ())
    misses = [f"slower than {name}" for name, found in ratios.items() if kinds[name] is Kind.SCRIPT and found >= 1]
    native = {name: found for name, found in ratios.items() if kinds[name] is Kind.NATIVE}
    if native:
        worst = max(native.values())
        of_floor = case.samples[OURS].time.median / case.floor.median
        if case.members >= NATIVE_SIZE and worst > NATIVE_REACH and of_floor > OWN_REACH:
            misses.append(f"{worst:.1f} times {max(native, key=lambda name: native[name])}")
        if case.operation in AHEAD and min(native.values()) >= 1:
            misses.append("behind every native one")
    return Verdict(not misses, tuple(misses))

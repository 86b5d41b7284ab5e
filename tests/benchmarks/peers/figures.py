"""Times, ratios and sizes, written for people."""

from __future__ import annotations

__all__ = ["ratio", "size", "three", "time", "times"]


def three(value: float) -> str:
    """Return a number with three digits that count, or more before the point."""
    if value < 10:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def ratio(value: float | None) -> str:
    """Return a ratio, or nothing if there is none. Two digits that count, however small it is."""
    if value is None:
        return ""
    return three(value) if value >= 0.1 else f"{value:.2g}"


def time(microseconds: float) -> str:
    """Return a time with its unit."""
    if microseconds < 1e3:
        return f"{three(microseconds)} µs"
    return f"{three(microseconds / 1e3)} ms" if microseconds < 1e6 else f"{three(microseconds / 1e6)} s"


def times(lower: float, upper: float) -> str:
    """Return the two ends of a range of microseconds, in the unit of the upper one."""
    unit, factor = ("µs", 1) if upper < 1e3 else ("ms", 1e3) if upper < 1e6 else ("s", 1e6)
    return f"{three(lower / factor)} .. {three(upper / factor)} {unit}"


def size(count: int) -> str:
    """Return a number of bytes as mebibytes."""
    return f"{count / (1 << 20):.0f} MiB"

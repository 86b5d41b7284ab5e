"""What happened how often in all stories: a fault that never fires proves nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

__all__ = ["Counts", "of_json", "rare", "table", "to_json"]

Counts = Counter[tuple[str, str]]


def to_json(counts: Counts) -> dict[str, int]:
    """Return counts as a JSON object."""
    return {f"{kind}: {what}": number for (kind, what), number in sorted(counts.items())}


def of_json(stored: dict[str, int]) -> Counts:
    """Return what `to_json` has written."""
    counts: Counts = Counter()
    for name, number in stored.items():
        kind, _, what = name.partition(": ")
        counts[kind, what] += number
    return counts


def table(counts: Counts, expected: Iterable[tuple[str, str]] = ()) -> str:
    """Return the counts as lines, with a zero for what was expected and never was."""
    lines = []
    all_of_it = sorted({*counts, *expected})
    for kind in dict.fromkeys(kind for kind, _ in all_of_it):
        lines.append(f"{kind}:")
        for name, what in all_of_it:
            if name == kind:
                lines.append(f"  {counts[name, what]:>9,}  {what}")
    return "\n".join(lines)


def rare(counts: Counts, at_least: int, expected: Iterable[tuple[str, str]]) -> list[str]:
    """Return what fired less often than it must."""
    return [f"{kind}: {what} ({counts[kind, what]})" for kind, what in expected if counts[kind, what] < at_least]

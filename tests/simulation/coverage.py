"""What happened how often in all stories: a fault that never fires proves nothing."""

from __future__ import annotations

from collections import Counter
from typing import Final

from tests.simulation.telling import ELEMENTS

__all__ = ["EXPECTED", "Counts", "of_json", "rare", "table", "to_json"]

Counts = Counter[tuple[str, str]]

_LEAST, _IN_SEEDS = 50, 10_000
"""How often each of these must fire, in how many seeds."""

EXPECTED: Final = (
    *(("action", element.what.value) for element in ELEMENTS),
    ("action", "come"),
    # Faults.
    ("fault", "death"),
    ("fault", "a Commit that is good for some"),
    ("fault", "an old database"),
    ("ended", "disk full"),
    ("redacted", "handshake"),
    ("redacted", "seal"),
    ("redacted", "application"),
    ("happening", "told again"),
    # Races and refusals.
    ("log info", "skipped"),
    ("log info", "refused"),
    ("log info", "malformed envelope"),
    ("log info", "dropped"),
    ("log info", "an envelope of another group"),
    ("posted", "remove_notice"),
    # The rungs of the recovery ladder.
    ("log info", "asking for what is missing"),
    ("log info", "what was missing is here"),
    ("log warning", "a Commit cannot be followed"),
    ("posted", "nack"),
    ("posted", "ack"),
    ("posted", "close"),
    ("log warning", "a Commit is void"),
    ("log warning", "lost the thread"),
    ("posted", "group_info"),
    ("log info", "another Commit came first"),
    ("log info", "back in the group"),
)
"""What every long run must have seen: a fault that never fires proves nothing."""


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


def table(counts: Counts) -> str:
    """Return the counts as lines, with a zero for what was expected and never was."""
    lines = []
    all_of_it = sorted({*counts, *EXPECTED})
    for kind in dict.fromkeys(kind for kind, _ in all_of_it):
        lines.append(f"{kind}:")
        for name, what in all_of_it:
            if name == kind:
                lines.append(f"  {counts[name, what]:>9,}  {what}")
    return "\n".join(lines)


def rare(counts: Counts, seeds: int) -> list[str]:
    """Return what fired less often than it must in so many seeds."""
    least = _LEAST * seeds // _IN_SEEDS
    return [f"{kind}: {what} ({counts[kind, what]})" for kind, what in EXPECTED if counts[kind, what] < least]

"""Digits that people read to each other: groups of five, a few groups to a row."""

from __future__ import annotations

from typing import Final

__all__ = ["show_digits"]

GROUP: Final = 5


def show_digits(digits: str) -> list[str]:
    """Return the rows: of four groups where that comes out even (60 digits), else of three (30 digits).

    No row is wider than 26 columns, so that it stands in the narrowest of windows, and in a message.
    """
    groups = [digits[start : start + GROUP] for start in range(0, len(digits), GROUP)]
    row = 4 if len(groups) % 4 == 0 else 3
    return ["  ".join(groups[start : start + row]) for start in range(0, len(groups), row)]

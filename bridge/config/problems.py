"""What is wrong with a configuration, in words for the person who wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

__all__ = ["ConfigError", "KeyPath", "Problem", "printable"]

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys from the top of the file on; the items of lists are counted from 0."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. It shows no value that could be a secret."""

    path: KeyPath
    line: int | None
    what: str
    """What is wrong; follows the key's name."""
    advice: str
    """What would be right."""

    @property
    def key(self) -> str:
        """The path as people write it: `rooms.tea.sides[0].room`."""
        key = ""
        for part in self.path:
            key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
        return printable(key)

    def __str__(self) -> str:
        line = "" if self.line is None else f"line {self.line}: "
        subject = f"{self.key} " if self.key else "the file "
        advice = f"; {self.advice}" if self.advice else ""
        return f"{line}{subject}{printable(self.what)}{printable(advice)}"


class ConfigError(Exception):
    """A configuration that nothing runs with. Holds all that is wrong with it, in the file's order."""

    def __init__(self, path: Path, problems: tuple[Problem, ...]) -> None:
        self.path = path
        self.problems = problems
        super().__init__("\n".join(f"{printable(str(path))}: {problem}" for problem in problems))


def printable(text: str) -> str:
    """Return text that is safe to show: it comes from a file, and may hold whatever steers a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)

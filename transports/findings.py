"""What `mls-bridge check` measures of a room, an account and a server, in words for the person who sets it up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Level"]


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    """As it should be."""
    WARNING = "warning"
    """It works, with less: slower, or less well kept."""
    PROBLEM = "problem"
    """It does not work until somebody changes it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was measured or read."""

    level: Level
    subject: str
    """What was looked at, in two or three words: "envelope size", "history", "power level"."""
    what: str
    """What was found, with the figure."""
    advice: str = ""
    """What to change, and where. Empty where nothing need be."""

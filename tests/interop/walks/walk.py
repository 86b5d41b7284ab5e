"""A walk: a script with two hundred steps, each of a few actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.interop.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.interop.parts import Actor
    from tests.interop.scripts import Step

__all__ = ["Walk", "WalkWriter"]


@dataclass(frozen=True)
class Walk:
    """A plan, and what it is made from."""

    seed: int
    script: Script
    casting: Mapping[Actor, str]
    """The seat of every actor."""
    told: tuple[str, ...]
    """Each step, in words."""
    ends: tuple[int, ...]
    """Where in the script each step ends."""

    def step_of(self, action: int) -> int:
        """Return the number of the step that an action of the script belongs to."""
        return next(number for number, end in enumerate(self.ends) if action < end)

    def prefix(self, steps: int) -> Walk:
        """Return the walk's first steps alone."""
        ends = self.ends[:steps]
        script = Script(self.script.name, self.script.steps[: ends[-1]], self.script.actors)
        return Walk(self.seed, script, self.casting, self.told[:steps], ends)


class WalkWriter:
    """Collects the actions and the words."""

    def __init__(self) -> None:
        self._actions: list[Step] = []
        self._words: list[str] = []
        self._told: list[str] = []
        self._ends: list[int] = []

    def do(self, action: Step, words: str = "") -> int:
        """Append an action, and return its number."""
        self._actions.append(action)
        if words:
            self.tell(words)
        return len(self._actions) - 1

    def tell(self, words: str) -> None:
        """Say something about the step."""
        self._words.append(words)

    def end_step(self) -> None:
        """Let all that came since the last one be one step."""
        self._told.append("; ".join(self._words))
        self._words.clear()
        self._ends.append(len(self._actions))

    @property
    def steps(self) -> int:
        """How many steps have been ended."""
        return len(self._ends)

    def walk(self, name: str, seed: int, casting: Mapping[Actor, str]) -> Walk:
        """Return what was collected."""
        return Walk(
            seed,
            Script(name, tuple(self._actions), tuple(casting)),
            casting,
            tuple(self._told),
            tuple(self._ends),
        )

"""Who plays whom: the ways to give a script's actors to seats."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.interop.parts import Actor
    from tests.interop.scripts import Script

__all__ = ["Assignment", "every", "one_apart", "one_random", "some"]

FEW = 5
"""How many actors a script may have for every assignment to be tried."""

SAMPLED = 64
"""How many assignments are tried where there are too many."""


class Assignment(NamedTuple):
    """The name of each actor's seat, in the order of the script's actors."""

    actors: tuple[Actor, ...]
    seats: tuple[str, ...]

    @property
    def name(self) -> str:
        """Tell it from others, in few words: who has which seat, or how many have each if they are many."""
        if len(self.actors) > FEW + 3:
            counts = (f"{self.seats.count(seat)} {seat}" for seat in dict.fromkeys(self.seats))
            return ", ".join(counts)
        return " ".join(f"{actor}={seat}" for actor, seat in zip(self.actors, self.seats, strict=True))

    def seat_of(self) -> dict[Actor, str]:
        """Return each actor's seat."""
        return dict(zip(self.actors, self.seats, strict=True))


def every(script: Script, seats: Sequence[str]) -> list[Assignment]:
    """Every assignment of a script's actors to seats."""
    return [Assignment(script.actors, chosen) for chosen in product(seats, repeat=len(script.actors))]


def some(script: Script, seats: Sequence[str], seed: int) -> list[Assignment]:
    """Every assignment for up to five actors, otherwise 64 different ones, always the same for one seed."""
    actors = script.actors
    if len(actors) <= FEW or len(seats) ** len(actors) <= SAMPLED:
        return every(script, seats)
    random = Random(f"{seed} {script.name}")
    chosen: dict[tuple[str, ...], None] = {}
    while len(chosen) < SAMPLED:
        chosen[tuple(random.choices(seats, k=len(actors)))] = None
    return [Assignment(actors, one) for one in chosen]


def one_random(script: Script, seats: Sequence[str], seed: int, *, salt: str = "") -> Assignment:
    """One assignment, always the same for one seed (and salt), in which as many seats as can be take part."""
    random = Random(f"{seed} {script.name} {salt}")
    missing = random.sample(seats, k=min(len(seats), len(script.actors)))
    chosen = missing + random.choices(seats, k=len(script.actors) - len(missing))
    random.shuffle(chosen)
    return Assignment(script.actors, tuple(chosen))


def one_apart(script: Script, one: str, other: str) -> list[Assignment]:
    """Each actor in turn in one seat and all the rest in the other, and the reverse; each assignment once."""
    actors = script.actors
    chosen = [
        tuple(alone if actor == apart else rest for actor in actors)
        for apart in actors
        for alone, rest in ((one, other), (other, one))
    ]
    return [Assignment(actors, seats) for seats in dict.fromkeys(chosen)]

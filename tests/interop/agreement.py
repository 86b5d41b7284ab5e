"""What all members of an epoch must have alike, as each of them has it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.interop.parts import Actor

__all__ = ["difference", "odd_one_out"]

SHOWN = 4
"""How many members are named for each value."""


def difference(values: Mapping[Actor, bytes], seats: Mapping[Actor, str]) -> str | None:
    """Say who has what, if not all have the same."""
    holders: dict[bytes, list[Actor]] = {}
    for actor, value in values.items():
        holders.setdefault(value, []).append(actor)
    if len(holders) <= 1:
        return None
    return "; ".join(f"{_names(actors, seats)}: {value[:16].hex() or '(nothing)'}" for value, actors in holders.items())


def odd_one_out(values: Mapping[Actor, bytes], seats: Mapping[Actor, str]) -> str | None:
    """Return the one seat that must be wrong, if the values show which one it is.

    It contradicts itself, or all others, at least two, contradict it. Members in one seat are one witness, however
    many they are: they share every mistake.
    """
    held: dict[str, set[bytes]] = {}
    for actor, value in values.items():
        held.setdefault(seats[actor], set()).add(value)
    wrong = [seat for seat, own in held.items() if len(own) > 1]
    if not wrong and len(held) > 2:
        witnesses = Counter(value for own in held.values() for value in own)
        wrong = [seat for seat, own in held.items() if all(witnesses[value] == 1 for value in own)]
    return wrong[0] if len(wrong) == 1 else None


def _names(actors: list[Actor], seats: Mapping[Actor, str]) -> str:
    more = f" and {len(actors) - SHOWN} more" if len(actors) > SHOWN else ""
    return ", ".join(f"{actor} ({seats[actor]})" for actor in actors[:SHOWN]) + more

"""A case is a script played once: with one assignment, in one cipher suite, with one form of handshakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.interop.assignments import Assignment, one_apart, one_random, some
from tests.interop.interpreter import Outcome, play
from tests.interop.library import LONG, all_scripts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tests.interop.scripts import Script
    from tests.interop.seats import Seat

__all__ = ["FORMS", "SUITES", "Case", "every_case", "peer_cases", "play_case", "sample"]

SUITES = range(1, 8)

FORMS = {True: "private", False: "public"}
"""Whether handshakes are encrypted, and what that is called."""

CROWD = 20
"""From so many actors on, a script is tried with one assignment for each suite and form: any mixes all seats well."""

SECONDS = 60
"""How long a script may take."""

LONG_SECONDS = 1800


@dataclass(frozen=True)
class Case:
    """What is played, and how."""

    script: Script
    assignment: Assignment
    suite: int
    encrypt_handshake: bool
    seed: int = 0

    @property
    def name(self) -> str:
        """Enough to find it again: `commit/add, suite 1, private, alice=ours bob=peer`."""
        form = FORMS[self.encrypt_handshake]
        return f"{self.script.name}, suite {self.suite}, {form}, {self.assignment.name}"


def every_case(
    seats: Sequence[str], *, suites: Iterable[int] = SUITES, scripts: Iterable[Script] | None = None, seed: int = 0
) -> Iterator[Case]:
    """Yield all cases for some seats: every assignment for up to five actors, 64 otherwise, one for a crowd."""
    for script, suite, encrypt in _played(suites, scripts):
        if len(script.actors) >= CROWD:
            yield _one(script, seats, suite, encrypt_handshake=encrypt, seed=seed)
        else:
            for assignment in some(script, seats, seed):
                yield Case(script, assignment, suite, encrypt, seed)


def peer_cases(
    ours: str, peer: str, *, suites: Iterable[int], scripts: Iterable[Script] | None = None, seed: int = 0
) -> Iterator[Case]:
    """Yield the cases of ours and a peer: each actor in turn in one seat and the rest in the other; a crowd mixed."""
    for script, suite, encrypt in _played(suites, scripts):
        if len(script.actors) >= CROWD:
            yield _one(script, (ours, peer), suite, encrypt_handshake=encrypt, seed=seed)
        else:
            for assignment in one_apart(script, peer, ours):
                yield Case(script, assignment, suite, encrypt, seed)


def sample(
    seats: Sequence[str], *, suites: Iterable[int] = SUITES, scripts: Iterable[Script] | None = None, seed: int = 0
) -> Iterator[Case]:
    """Yield each script once for each suite and form, with an assignment that the seed chooses."""
    for script, suite, encrypt in _played(suites, scripts):
        yield _one(script, seats, suite, encrypt_handshake=encrypt, seed=seed)


def play_case(case: Case, seats: Mapping[str, Seat], *, seconds: float | None = None) -> Outcome:
    """Play a case; the long script may take longer than others. Raises `ScriptError` if the script makes no sense."""
    if seconds is None:
        seconds = LONG_SECONDS if case.script.name == LONG else SECONDS
    casting = {actor: seats[seat] for actor, seat in case.assignment.seat_of().items()}
    return play(
        case.script,
        casting,
        suite=case.suite,
        encrypt_handshake=case.encrypt_handshake,
        seed=case.seed,
        seconds=seconds,
    )


def _played(suites: Iterable[int], scripts: Iterable[Script] | None) -> Iterator[tuple[Script, int, bool]]:
    suites = tuple(suites)
    for script in all_scripts() if scripts is None else scripts:
        for suite in suites:
            for encrypt in FORMS:
                yield script, suite, encrypt


def _one(script: Script, seats: Sequence[str], suite: int, *, encrypt_handshake: bool, seed: int) -> Case:
    salt = f"{suite} {FORMS[encrypt_handshake]}"
    return Case(script, one_random(script, seats, seed, salt=salt), suite, encrypt_handshake, seed)

"""What a campaign runs: scripts with ours and one peer, scripts with ours alone, and walks with two peers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from tests.interop.cases import FORMS, Case, every_case, peer_cases, sample
from tests.interop.library import LONG

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.interop.scripts import Script

__all__ = ["OTHER_OURS", "OURS", "STANDARD_SUITES", "Scope", "Task", "WalkTask", "partners", "tasks_of"]

OURS = "ours"
OTHER_OURS = "ours too"
"""The second program of ours, for scripts that ours play among themselves."""

STANDARD_SUITES = range(1, 8)

STEPS = 200
QUICK_STEPS = 30
QUICK_CASTINGS = 2


@dataclass(frozen=True)
class WalkTask:
    """A walk that is planned when somebody knows what its seats offer."""

    seats: tuple[str, ...]
    suite: int
    encrypt_handshake: bool
    seed: int
    steps: int

    @property
    def name(self) -> str:
        """Enough to find it again."""
        form, seats = FORMS[self.encrypt_handshake], ", ".join(self.seats)
        return f"walk of {self.steps} steps, seed {self.seed}, suite {self.suite}, {form}, {seats}"


Task: TypeAlias = Case | WalkTask


@dataclass(frozen=True)
class Scope:
    """What was asked for."""

    scripts: Sequence[Script]
    walks: bool
    quick: bool
    seed: int
    steps: int | None = None
    """Of walks, where the usual number is not wanted."""


def partners(task: Task) -> tuple[str, ...]:
    """Return the peers that take part in a task, in order; none if ours are among themselves."""
    seats = task.seats if isinstance(task, WalkTask) else task.assignment.seats
    return tuple(sorted(set(seats) - {OURS, OTHER_OURS}))


def tasks_of(scope: Scope, suites: Mapping[str, Sequence[int]], peers: Sequence[str]) -> list[Task]:
    """Return all tasks, long ones first, so that no worker is left alone with one; otherwise in an order without order.

    `suites` are those of each seat, ours among them.
    """
    random = Random(f"campaign {scope.seed}")
    tasks: list[Task] = []
    for peer in peers:
        cases = peer_cases(OURS, peer, suites=_shared(suites, OURS, peer), scripts=scope.scripts, seed=scope.seed)
        tasks += _some(cases, random) if scope.quick else cases
    if not peers or not scope.quick:
        seats, standard = (OURS, OTHER_OURS), [suite for suite in suites[OURS] if suite in STANDARD_SUITES]
        few = [suite for suite in suites[OURS] if suite not in standard]
        if scope.quick:
            few, standard = _chosen(suites[OURS], random), []
        tasks += every_case(seats, suites=standard, scripts=scope.scripts, seed=scope.seed)
        tasks += sample(seats, suites=few, scripts=scope.scripts, seed=scope.seed)
    if scope.walks:
        tasks += _walks(scope, suites, peers, random)
    random.shuffle(tasks)
    return sorted(tasks, key=_length, reverse=True)


def _length(task: Task) -> int:
    if isinstance(task, WalkTask):
        return task.steps
    return 1000 if task.script.name == LONG else 0


def _shared(suites: Mapping[str, Sequence[int]], *seats: str) -> list[int]:
    return sorted(set.intersection(*(set(suites[seat]) for seat in seats)))


def _chosen(suites: Sequence[int], random: Random) -> list[int]:
    """Return the first suite, and one of the others."""
    return [*suites[:1], *random.sample(suites[1:], k=min(1, len(suites) - 1))]


def _some(cases: Iterable[Case], random: Random) -> list[Case]:
    """Return a few cases of every script: some castings in the first suite, one in another, of either form."""
    by_script: defaultdict[str, defaultdict[int, list[Case]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        by_script[case.script.name][case.suite].append(case)
    chosen: list[Case] = []
    for by_suite in by_script.values():
        first, *others = _chosen(sorted(by_suite), random)
        chosen += random.sample(by_suite[first], k=min(QUICK_CASTINGS, len(by_suite[first])))
        chosen += [random.choice(by_suite[other]) for other in others]
    return chosen


def _walks(scope: Scope, suites: Mapping[str, Sequence[int]], peers: Sequence[str], random: Random) -> list[WalkTask]:
    """Return a walk for each pair of peers, suite and form; with a single peer, ours and that one walk."""
    walks = []
    for companions in combinations(peers, min(2, len(peers))):
        seats = (OURS, *companions)
        shared = _shared(suites, *seats) if companions else []
        for suite in shared[:1] if scope.quick else shared:
            for encrypt in [random.choice([False, True])] if scope.quick else FORMS:
                steps = scope.steps or (QUICK_STEPS if scope.quick else STEPS)
                # Each its own way, and the same one whatever else is asked for.
                seed = Random(f"{scope.seed} {seats} {suite} {encrypt}").randrange(1 << 32)
                walks.append(WalkTask(seats, suite, encrypt, seed, steps))
    return walks

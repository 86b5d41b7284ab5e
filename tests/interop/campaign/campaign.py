"""A campaign from its beginning to its end: who is there, what is to be done, what comes of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.interop.campaign.crew import Crew, Introduction, Program, introduce
from tests.interop.campaign.document import Campaign
from tests.interop.campaign.judging import Judgement, judge, stale
from tests.interop.campaign.running import run
from tests.interop.campaign.tasks import OTHER_OURS, OURS, STANDARD_SUITES, Scope, Task, tasks_of
from tests.interop.known import Known
from tests.interop.seats import SeatError

__all__ = ["Plan", "campaign", "prepare"]

Follow = Callable[[Judgement], None]
"""Is told of every task that is done."""


OURS_TWICE = (OURS, OTHER_OURS)


@dataclass(frozen=True)
class Plan:
    """All that a campaign is going to do."""

    programs: Mapping[str, Program]
    introductions: Mapping[str, Introduction]
    absent: Mapping[str, str]
    tasks: Sequence[Task]
    scope: Scope
    judges_staleness: bool
    """Whether what is left out cannot be why an entry is not confirmed."""


def prepare(
    programs: Mapping[str, Program],
    absent: Mapping[str, str],
    scope: Scope,
    *,
    suites: Sequence[int] | None,
    experimental: Mapping[str, Sequence[int]],
) -> Plan:
    """Ask all seats who they are, and plan. Raises `SeatError`, of ours.

    `suites` are those that matter, `None` all. Beyond the RFC's, a number means one thing here and another there:
    `experimental` has those that a peer and ours mean the same by.
    A peer that does not answer takes part as if it offered everything: its scenarios fail.
    """
    introductions: dict[str, Introduction] = {}
    with Crew(programs) as crew:
        for name in sorted(programs, key=lambda name: name not in OURS_TWICE):
            try:
                introductions[name] = introduce(crew.seat(name))
            except SeatError as error:
                if name in OURS_TWICE:
                    raise
                silent = f"{name}, which does not say who it is: {error}"
                introductions[name] = Introduction(silent, introductions[OURS].suites)
    shared = {
        name: [
            suite
            for suite in seat.suites
            if (suites is None or suite in suites)
            and (suite in STANDARD_SUITES or name in OURS_TWICE or suite in experimental.get(name, ()))
        ]
        for name, seat in introductions.items()
    }
    peers = [name for name in programs if name not in OURS_TWICE]
    tasks = tasks_of(scope, shared, peers)
    return Plan(programs, introductions, absent, tasks, scope, judges_staleness=not scope.quick)


def campaign(
    plan: Plan,
    known: Known,
    follow: Follow,
    *,
    command: str,
    jobs: int,
    seconds: float | None = None,
    minutes: float | None = None,
) -> Campaign:
    """Run a plan: all of it, or what can be done in `minutes`, or until somebody presses Ctrl-C.

    Its tasks are in no order but that of their length, so that a part says something about the whole.
    """
    begun, date = time.monotonic(), datetime.now(UTC).date().isoformat()
    judgements = []
    interrupted = False
    in_all = math.inf if minutes is None else 60 * minutes
    with closing(run(plan.tasks, plan.programs, known.avoided, jobs=jobs, seconds=seconds, in_all=in_all)) as records:
        try:
            for record in records:
                judgement = judge(record, known)
                judgements.append(judgement)
                follow(judgement)
        except KeyboardInterrupt:
            interrupted = True
    is_whole = len(judgements) == len(plan.tasks)
    names = {name: seat.name for name, seat in plan.introductions.items()}
    return Campaign(
        command=command,
        date=date,
        seed=plan.scope.seed,
        quick=plan.scope.quick,
        introductions=plan.introductions,
        entries=[entry for entry in known.entries if entry.peer in plan.programs],
        absent=plan.absent,
        judgements=judgements,
        planned=len(plan.tasks),
        interrupted=interrupted,
        stale=known.outdated(names) + (stale(judgements, known) if plan.judges_staleness and is_whole else []),
        missing_suites=known.missing_suites({name: seat.suites for name, seat in plan.introductions.items()}),
        seconds=time.monotonic() - begun,
    )

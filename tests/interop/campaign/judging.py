"""What the outcome of a task means: whether it is as it should be, known, or news."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tests.interop.campaign.tasks import OTHER_OURS, OURS
from tests.interop.known import Kind
from tests.interop.stage import Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.interop.interpreter import Outcome
    from tests.interop.known import Entry, Known
    from tests.interop.transcript import Call

__all__ = ["Judgement", "Record", "Verdict", "judge", "stale"]


class Verdict(StrEnum):
    """What a task has come to."""

    PASSED = "passed"
    FAILED = "failed"
    """And nothing that is known explains it: it counts as ours."""
    KNOWN = "known deviation"
    NOT_OFFERED = "not offered"


@dataclass(frozen=True)
class Record:
    """A task that was run."""

    task: str
    """Enough to find it again."""
    script: str
    partners: tuple[str, ...]
    suite: int
    form: str
    outcome: Outcome
    seconds: float
    steps: tuple[str, ...] = ()
    """Of a walk that failed: what it did until then, in words."""


@dataclass(frozen=True)
class Judgement:
    """A record, and what it means."""

    record: Record
    verdict: Verdict
    reason: str
    entry: Entry | None = None
    """What explains it."""

    @property
    def transcript(self) -> Sequence[Call]:
        return self.record.outcome.transcript


def judge(record: Record, known: Known) -> Judgement:
    """Say what the outcome of a task means."""
    outcome = record.outcome
    if outcome.result is Result.PASSED:
        return Judgement(record, Verdict.PASSED, "")
    offered = outcome.result is not Result.NOT_OFFERED
    if outcome.at_fault in {OURS, OTHER_OURS} and not offered:
        return Judgement(record, Verdict.FAILED, f"ours does not offer it: {outcome.reason}")
    entry = known.explanation(record.partners, record.script, record.suite, offered=offered, reason=outcome.reason)
    if entry is not None:
        verdict = Verdict.NOT_OFFERED if entry.kind is Kind.GAP else Verdict.KNOWN
        return Judgement(record, verdict, outcome.reason, entry)
    # A peer that one day says of everything that it does not offer it must not pass for a success.
    reason = outcome.reason if offered else f"not offered, and not on the list of what is known: {outcome.reason}"
    return Judgement(record, Verdict.FAILED, reason)


def stale(judgements: Iterable[Judgement], known: Known) -> list[tuple[Entry, str]]:
    """Return the patterns of entries that nothing has confirmed though it was tried, with what was tried.

    Only for campaigns that have left nothing out of what they tried.
    """
    judgements = list(judgements)
    unconfirmed = []
    for entry in known.entries:
        for pattern in entry.scripts:
            tried = [
                judgement
                for judgement in judgements
                if entry.is_about(judgement.record.partners, judgement.record.script, judgement.record.suite, pattern)
            ]
            if tried and not any(judgement.entry is entry for judgement in tried):
                unconfirmed.append((entry, f"{pattern} does not show it any more, in {len(tried)} scenarios"))
    return unconfirmed

"""A campaign as JSON: what was run, with which versions, and what came of it."""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeAlias

import cryptography

from tests.interop.campaign.judging import Judgement, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.interop.campaign.crew import Introduction
    from tests.interop.known import Entry

__all__ = ["FORMAT", "Campaign", "Json", "document"]

FORMAT = 1

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

TRANSCRIPTS = 20
"""How many failures keep their transcripts. After so many, the first ones say enough."""


@dataclass(frozen=True)
class Campaign:
    """A campaign that is over."""

    command: str
    date: str
    seed: int
    quick: bool
    introductions: Mapping[str, Introduction]
    """Of all seats that took part."""
    entries: Sequence[Entry]
    """What is known of those who took part."""
    absent: Mapping[str, str]
    """Peers that did not, with the reason."""
    judgements: Sequence[Judgement]
    planned: int
    """How many scenarios there are: more than `judgements`, if somebody has set a time, or interrupted it."""
    interrupted: bool
    stale: Sequence[tuple[Entry, str]]
    missing_suites: Mapping[str, Sequence[int]]
    """Suites that a peer has offered before, and does not offer now."""
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether anything counts as ours."""
        failures = any(judgement.verdict is Verdict.FAILED for judgement in self.judgements)
        return failures or bool(self.stale) or bool(self.missing_suites) or not self.judgements


def document(campaign: Campaign) -> dict[str, Json]:
    """Return all of a campaign."""
    judgements = campaign.judgements
    return {
        "format": FORMAT,
        "date": campaign.date,
        "command": campaign.command,
        "seed": campaign.seed,
        "quick": campaign.quick,
        "seconds": round(campaign.seconds, 1),
        "planned": campaign.planned,
        "played": len(judgements),
        "python": platform.python_version(),
        "cryptography": cryptography.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "seats": {
            name: {"name": seat.name, "suites": list(seat.suites)} for name, seat in campaign.introductions.items()
        },
        "absent": dict(campaign.absent),
        "failed": campaign.failed,
        "totals": _counts(judgements),
        "cells": _cells(judgements),
        "not_passed": _not_passed(judgements),
        "stale": [{"entry": _entry(entry), "why": why} for entry, why in campaign.stale],
        "missing_suites": {peer: list(suites) for peer, suites in campaign.missing_suites.items()},
        "known": _known(campaign),
    }


def _counts(judgements: Iterable[Judgement]) -> dict[str, Json]:
    counted = Counter(judgement.verdict for judgement in judgements)
    return {str(verdict): counted[verdict] for verdict in Verdict}


def _cells(judgements: Iterable[Judgement]) -> list[Json]:
    """Return how many passed for each script, set of peers, suite and form."""
    cells: dict[tuple[str, tuple[str, ...], int, str], list[Judgement]] = {}
    for judgement in judgements:
        record = judgement.record
        cells.setdefault((record.script, record.partners, record.suite, record.form), []).append(judgement)
    return [
        {
            "script": script,
            "peers": list(partners),
            "suite": suite,
            "handshakes": form,
            **_counts(inside),
            "seconds": round(sum(judgement.record.seconds for judgement in inside), 2),
        }
        for (script, partners, suite, form), inside in sorted(cells.items(), key=lambda cell: cell[0])
    ]


def _not_passed(judgements: Iterable[Judgement]) -> list[Json]:
    """Return what did not pass; the first failures with their transcripts."""
    listed: list[Json] = []
    transcripts = 0
    for judgement in sorted(judgements, key=lambda judgement: judgement.record.task):
        if judgement.verdict is Verdict.PASSED:
            continue
        record = judgement.record
        item: dict[str, Json] = {
            "task": record.task,
            "script": record.script,
            "peers": list(record.partners),
            "suite": record.suite,
            "handshakes": record.form,
            "verdict": str(judgement.verdict),
            "reason": judgement.reason,
            "at_fault": record.outcome.at_fault,
            "known": judgement.entry.what if judgement.entry else None,
        }
        if judgement.verdict is Verdict.FAILED and transcripts < TRANSCRIPTS:
            transcripts += 1
            item["steps"] = list(record.steps)
            item["transcript"] = [asdict(call) for call in judgement.transcript]
        listed.append(item)
    return listed


def _known(campaign: Campaign) -> list[Json]:
    """Return the entries that have explained something, with how much, and those that walks have to respect."""
    listed: list[Json] = []
    for entry in campaign.entries:
        explained = [judgement for judgement in campaign.judgements if judgement.entry is entry]
        if explained or entry.avoided:
            scripts = sorted({judgement.record.script for judgement in explained})
            suites = sorted({judgement.record.suite for judgement in explained})
            listed.append(
                {
                    **_entry(entry),
                    "times": len(explained),
                    "shown_in": [*scripts],
                    "shown_with_suites": [*suites],
                    "example": explained[0].record.task if explained else None,
                    "said": explained[0].reason if explained else None,
                }
            )
    return listed


def _entry(entry: Entry) -> dict[str, Json]:
    return {
        "peer": entry.peer,
        "version": entry.version,
        "kind": str(entry.kind),
        "what": entry.what,
        "where": entry.where,
        "reproduction": entry.reproduction,
        "avoided": [str(feature) for feature in entry.avoided],
    }

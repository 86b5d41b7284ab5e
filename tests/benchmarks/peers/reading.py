"""What the figures say, in sentences that are made of them: a page that was written once would soon be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.peers.figures import three
from tests.benchmarks.peers.implementations import OURS, Kind
from tests.benchmarks.peers.reach import AHEAD, NATIVE_REACH, NATIVE_SIZE, OWN_REACH, fastest_native, judge, ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.benchmarks.peers.document import Case, Document

__all__ = ["read"]


def read(document: Document) -> list[str]:
    """Return what there is to say, each a sentence or two of Markdown."""
    cases = [case for results in document.suites for case in results.cases]
    return [*_reach(document, cases), *_beside_each(document, cases), *_by_operation(document, cases)]


def _reach(document: Document, cases: Sequence[Case]) -> Iterable[str]:
    verdicts = [judge(case, document.kinds) for case in cases]
    judged = [verdict for verdict in verdicts if verdict.is_met is not None]
    if not judged:
        yield "There is nobody to compare with."
        return
    met = sum(verdict.is_met is True for verdict in judged)
    yield (
        f"Of {len(judged)} cases (an operation, a size, a cipher suite) **{met} reach what they shall**: faster than "
        f"every script; from {NATIVE_SIZE} members on within {NATIVE_REACH:g} times the fastest native implementation, "
        f"or within {OWN_REACH:g} times the bare cryptography that we have to call; and in {' and '.join(AHEAD)} ahead "
        "of one native implementation at the least."
    )


def _beside_each(document: Document, cases: Sequence[Case]) -> Iterable[str]:
    for name in document.versions:
        ratios = [found for case in cases if name != OURS and (found := ratio(case, name)) is not None]
        if not ratios:
            continue
        ahead = sum(found < 1 for found in ratios)
        text = f"Beside **{name}** ours is faster in {ahead} of {len(ratios)} cases"
        if ahead:
            text += f"; by a factor of {three(1 / min(ratios))} at the best"
        if ahead < len(ratios):
            text += f"; it takes {three(max(ratios))} times as long at the worst"
        yield f"{text}."


def _by_operation(document: Document, cases: Sequence[Case]) -> Iterable[str]:
    """Say how far the fastest native one is ahead in large groups."""
    if Kind.NATIVE not in document.kinds.values():
        return
    found: dict[str, list[float]] = {}
    for case in cases:
        native = fastest_native(case, document.kinds)
        if case.members >= NATIVE_SIZE and native is not None and (value := ratio(case, native)) is not None:
            found.setdefault(case.operation, []).append(value)
    if found:
        each = (f"{name} {_range(values)}" for name, values in found.items())
        yield (
            f"Our time as a multiple of the fastest native implementation's, from {NATIVE_SIZE} members on: "
            f"{', '.join(each)}."
        )


def _range(values: Sequence[float]) -> str:
    lower, upper = three(min(values)), three(max(values))
    return lower if lower == upper else f"{lower} to {upper}"

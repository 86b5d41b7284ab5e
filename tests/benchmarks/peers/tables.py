"""What was measured, as tables for people at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from tests.benchmarks.peers import figures
from tests.benchmarks.peers.implementations import OURS
from tests.benchmarks.peers.reach import judge, ratio

if TYPE_CHECKING:
    from rich.console import Console

    from tests.benchmarks.peers.document import Case, Document, SuiteResults, Weights

__all__ = ["show"]

NOTES = """\
Times are medians, with the quartiles; each implementation's own time from input bytes to output bytes. ours/...: our
median as a multiple of theirs: below 1 ours is faster. Floor: the bare cryptography on one thread, as our own benchmark
has it. Cold: nobody has committed. Warm: everybody has."""


def show(document: Document, console: Console) -> None:
    """Print everything."""
    for name, version in document.versions.items():
        console.print(f"{name}: {version}", highlight=False)
    for name, why in document.missing.items():
        console.print(f"[red]{name} is missing[/]: {why}", highlight=False)
    for results in document.suites:
        console.print(_times(document, results))
        _show_remarks(results, console)
    if document.memory:
        console.print(_memory(document))
    console.print(NOTES, style="dim", highlight=False)


def _times(document: Document, results: SuiteResults) -> Table:
    others = [name for name in document.versions if name != OURS]
    table = Table(title=f"Cipher suite {results.name}", title_justify="left")
    table.add_column("operation")
    table.add_column("members", justify="right")
    for name in (*document.versions, "floor", *(f"ours/{name}" for name in others), "ours/floor"):
        table.add_column(name, justify="right")
    table.add_column("reach")
    previous = None
    for case in results.cases:
        if previous not in (None, case.operation):
            table.add_section()
        table.add_row(
            "" if previous == case.operation else case.operation,
            f"{case.members:,}",
            *(_time(case, name) for name in document.versions),
            figures.time(case.floor.median),
            *(figures.ratio(ratio(case, name)) for name in others),
            figures.ratio(case.samples[OURS].time.median / case.floor.median if OURS in case.samples else None),
            _verdict(case, document),
        )
        previous = case.operation
    return table


def _time(case: Case, name: str) -> str:
    if name not in case.samples:
        return "[red]missing[/]"
    found = case.samples[name].time
    quartiles = figures.times(found.lower_quartile, found.upper_quartile)
    return f"{figures.time(found.median)}\n[dim]{quartiles}[/]"


def _verdict(case: Case, document: Document) -> str:
    verdict = judge(case, document.kinds)
    if verdict.is_met is None:
        return ""
    return "[green]met[/]" if verdict.is_met else f"[red]{', '.join(verdict.misses)}[/]"


def _show_remarks(results: SuiteResults, console: Console) -> None:
    for case in results.cases:
        for name, why in case.missing.items():
            console.print(f"[red]{name}, {case.operation} at {case.members:,}[/]: {why}", highlight=False)
        for name, sample in case.samples.items():
            if sample.note:
                console.print(f"{name}, {case.operation} at {case.members:,}: {sample.note}", highlight=False)


def _memory(document: Document) -> Table:
    table = Table(title="Peak memory: started / as a member / as the creator", title_justify="left")
    table.add_column("members", justify="right")
    for name in document.versions:
        table.add_column(name, justify="right")
    for weights in document.memory:
        table.add_row(f"{weights.members:,}", *(_peak(weights, name) for name in document.versions))
    return table


def _peak(weights: Weights, name: str) -> str:
    if name not in weights.peaks:
        return "[red]missing[/]"
    peak = weights.peaks[name]
    return " / ".join(figures.size(count) for count in (peak.started, peak.member, peak.creator))

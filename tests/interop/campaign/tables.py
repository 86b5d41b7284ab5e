"""A campaign's results on a terminal."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from tests.interop.campaign.judging import Judgement, Verdict
from tests.interop.campaign.tasks import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

    from tests.interop.campaign.document import Campaign

__all__ = ["show", "title_of"]

STYLES = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "bold red",
    Verdict.KNOWN: "yellow",
    Verdict.NOT_OFFERED: "dim",
}

MARKS = {Verdict.PASSED: "passed", Verdict.FAILED: "failed", Verdict.KNOWN: "known", Verdict.NOT_OFFERED: "not offered"}

SHOWN = 40
"""How many failures are shown one by one."""


def show(campaign: Campaign, console: Console) -> None:
    """Print tables, then what needs somebody's attention, then one line that says it all."""
    by_company: defaultdict[tuple[str, ...], list[Judgement]] = defaultdict(list)
    for judgement in campaign.judgements:
        by_company[judgement.record.partners].append(judgement)
    for partners, judgements in sorted(by_company.items(), key=lambda item: (len(item[0]), item[0])):
        names = {name: seat.name for name, seat in campaign.introductions.items()}
        console.print(Text(title_of(partners, names), style="bold"), soft_wrap=True)
        console.print(_table(judgements))
    _show_explained(campaign.judgements, console)
    _show_failures(campaign, console)
    counted = Counter(judgement.verdict for judgement in campaign.judgements)
    summary = ", ".join(f"{counted[verdict]} {verdict}" for verdict in Verdict if counted[verdict]) or "nothing was run"
    console.print(Text(summary, style="bold red" if campaign.failed else "bold green"))


def title_of(partners: Sequence[str], names: Mapping[str, str]) -> str:
    """Return who plays, with their versions."""
    if not partners:
        return f"{names.get(OURS, OURS)}, among themselves"
    return " and ".join((names.get(OURS, OURS), *(names.get(partner, partner) for partner in partners)))


def _table(judgements: Iterable[Judgement]) -> Table:
    cells: defaultdict[tuple[str, int], Counter[Verdict]] = defaultdict(Counter)
    for judgement in judgements:
        cells[judgement.record.script, judgement.record.suite][judgement.verdict] += 1
    suites = sorted({suite for _, suite in cells})
    table = Table()
    table.add_column("scenario")
    for suite in suites:
        table.add_column(f"suite {suite}", justify="right")
    for script in dict.fromkeys(sorted(script for script, _ in cells)):
        table.add_row(script, *(_cell(cells[script, suite]) for suite in suites))
    return table


def _cell(counted: Counter[Verdict]) -> Text:
    """Return how many passed, or what else there was."""
    cell = Text()
    for verdict in Verdict:
        if counted[verdict]:
            cell.append(f"{', ' if cell else ''}{counted[verdict]} {MARKS[verdict]}", STYLES[verdict])
    return cell


def _show_explained(judgements: Iterable[Judgement], console: Console) -> None:
    """Print each thing that is known, once."""
    explained = Counter(judgement.entry for judgement in judgements if judgement.entry is not None)
    for entry, times in explained.items():
        line = f"{entry.kind} of {entry.peer} {entry.version}, {times} times: {entry.what} ({entry.where})"
        console.print(Text(line, style="yellow"), soft_wrap=True)


def _show_failures(campaign: Campaign, console: Console) -> None:
    failures = [judgement for judgement in campaign.judgements if judgement.verdict is Verdict.FAILED]
    for judgement in failures[:SHOWN]:
        _fail(f"{judgement.record.task}: {judgement.reason}", console)
    if len(failures) > SHOWN:
        _fail(f"and {len(failures) - SHOWN} more", console)
    for entry, why in campaign.stale:
        _fail(f"stale: known.toml says of {entry.peer}: {entry.what}. {why}", console)
    for peer, suites in campaign.missing_suites.items():
        _fail(f"{peer} does not offer suites {', '.join(map(str, suites))}, as known.toml says it does", console)
    for peer, why in campaign.absent.items():
        console.print(Text(f"{peer} is not here: {why}", style="yellow"), soft_wrap=True)


def _fail(text: str, console: Console) -> None:
    printable = "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)
    console.print(Text(printable, style="red"), soft_wrap=True)

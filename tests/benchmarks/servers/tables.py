"""What was measured, as tables for people at a terminal."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from rich.table import Table

from tests.benchmarks.servers.reach import reaches
from tests.benchmarks.servers.timeline import Party

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from tests.benchmarks.measuring import Spread
    from tests.benchmarks.servers.document import Document
    from tests.benchmarks.servers.throughput import Flow, Throughput
    from tests.benchmarks.servers.timeline import Journey

__all__ = ["FLOWS", "middle", "show", "spread"]

FLOWS = {
    "relay": "our relay",
    "bare_relay": "a bare relay",
    "source": "the source alone",
    "target": "the target alone",
}
"""What stands in tables for a flow."""


def show(document: Document, console: Console) -> None:
    """Print everything."""
    if document.latency:
        console.print(_latency(document))
    for journey in document.stages:
        console.print(_stages(journey))
        for work in journey.work:
            console.print(
                f"{work.party}: {work.transactions:g} transactions and {work.rounds:g} rounds to its database; "
                f"of these {work.transactions_on_the_way:g} and {work.rounds_on_the_way:g} while the message waits"
            )
    if document.throughput:
        console.print(_throughput(document.throughput))
    if document.catch_up:
        console.print(_catch_up(document))
    for reach in reaches(document):
        verdict = "[green]reached[/]" if reach.is_reached else "[red]missed[/]"
        console.print(f"{reach.what}: {reach.measured} ({reach.wanted}): {verdict}", highlight=False)


def spread(found: Spread) -> str:
    """Return a median with its quartiles."""
    return f"{found.median:.1f} ({found.lower_quartile:.1f} .. {found.upper_quartile:.1f})"


def _fine(found: Spread) -> str:
    """Return the same with more digits."""
    return f"{found.median:.2f} ({found.lower_quartile:.2f} .. {found.upper_quartile:.2f})"


def middle(values: Sequence[float]) -> str:
    """Return the median of a few rates, with the least and the greatest."""
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} .. {max(values):,.0f})"


def _latency(document: Document) -> Table:
    table = _table("From said to shown, ms: medians (quartiles)", "way", "ours", "in clear", "our part", "by round")
    for each in document.latency:
        table.add_row(each.name, spread(each.ours), spread(each.bare), f"{each.part:.1f}", spread(each.paired))
    return table


def _stages(journey: Journey) -> Table:
    title = (
        f"{journey.name}, stage by stage, ms: {spread(journey.total)} in all, ours {spread(journey.ours)}; "
        f"a bare commit {_fine(journey.commit)}"
    )
    table = _table(title, "whose", "stage", "took", "in its database")
    for stage in journey.stages:
        within = "" if stage.party is Party.SERVER else f"{stage.in_database:.2f}"
        table.add_row(stage.party, stage.name, _fine(stage.took), within)
    return table


def _throughput(found: Sequence[Throughput]) -> Table:
    title = "Messages a second: medians (least .. most)"
    table = _table(title, "direction", "through", "posted", "arrived", "ms of CPU to a message")
    for each in found:
        for name, flow in each.flows.items():
            table.add_row(each.name, FLOWS[name], middle(flow.posted), middle(flow.arrived), _cpu(name, flow))
        table.add_section()
    return table


def _cpu(name: str, flow: Flow) -> str:
    processes = [name, "Synapse", "Prosody"]
    medians = {process: statistics.median(flow.cpu[process]) for process in processes if process in flow.cpu}
    return ", ".join(f"{FLOWS.get(process, process)} {used:.1f}" for process, used in medians.items())


def _catch_up(document: Document) -> Table:
    columns = ("network", "messages", "written", "fetched", "read", "read, to a second of CPU")
    table = _table("Catching up: messages a second", *columns)
    for each in document.catch_up:
        seconds = (each.writing, each.fetching, each.reading, each.reading_cpu)
        table.add_row(each.network, f"{each.messages:,}", *(f"{each.messages / took:,.0f}" for took in seconds))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table

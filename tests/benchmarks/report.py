"""What was measured, as tables for people and as JSON for programs."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import cryptography
from cryptography.hazmat.backends.openssl import backend
from rich.table import Table

from mls.crypto.suite import CIPHER_SUITES
from tests.benchmarks.reach import growth, is_reached, reach_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from tests.benchmarks.measuring import Comparison, Measurement, Spread
    from tests.benchmarks.memory import Weight

__all__ = ["Json", "StateWeight", "SuiteReport", "document", "show", "show_short"]

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

NOTES = """\
Times are medians; ratio: the median of all rounds' ratios to the floor, with the quartiles. The floor is the bare
cryptography that RFC 9420 asks for (tests/benchmarks/floors.py), on one thread. The engine verifies many signatures
and encrypts to many on several cores, so those ratios can be below 1: "one thread" is without. Cold: nobody but the
creator has committed. Warm: everybody has. Who receives a Commit is in the other half of the tree. First: in the epoch.
On the wire: the message; for add the Commit, then the Welcome with the tree."""


@dataclass(frozen=True)
class StateWeight:
    """The memory of one member's state."""

    condition: str
    members: int
    state: Weight
    next_epoch: int
    """Bytes that are added when the state after a Commit is kept beside it."""


@dataclass(frozen=True)
class SuiteReport:
    """All that was measured of one cipher suite."""

    suite: int
    measurements: Sequence[Measurement]
    key_package: int
    """Bytes of a KeyPackage on the wire."""
    states: Sequence[StateWeight]


# Tables


def show(report: SuiteReport, console: Console) -> None:
    """Print a suite's tables."""
    table = Table(title=_name(report.suite), title_justify="left")
    table.add_column("operation")
    for column in ("members", "ours", "floor", "ratio", "quartiles", "one thread", "reach", "bytes on the wire"):
        table.add_column(column, justify="right")
    previous = None
    for item in report.measurements:
        case, result = item.case, item.result
        if previous not in (None, case.operation):
            table.add_section()
        table.add_row(
            "" if previous == case.operation else case.operation,
            f"{case.members:,}",
            _time(result.ours.median),
            _time(result.floor.median),
            f"{result.ratio.median:.2f}",
            f"{result.ratio.lower_quartile:.2f} .. {result.ratio.upper_quartile:.2f}",
            f"{item.one_thread.ratio.median:.2f}" if item.threads else "",
            _verdict(reach_of(item), reached=is_reached(item)),
            _wire(case.wire),
        )
        previous = case.operation
    console.print(table)
    for found in growth(report.measurements):
        verdict = "[green]no slower[/]" if found.is_reached else "[red]slower[/]"
        console.print(
            f"To {found.operation} at {found.largest:,} members takes {found.factor:.3f} times as long as at "
            f"{found.smallest:,}: {verdict}."
        )
    for weight in report.states:
        console.print(
            f"A state of {weight.members:,} members, {weight.condition}: {weight.state.bytes:,} bytes in "
            f"{weight.state.objects:,} objects; the next epoch's beside it: {weight.next_epoch:,} more."
        )
    console.print(f"A KeyPackage takes {report.key_package} bytes on the wire.")
    console.print(NOTES, style="dim", highlight=False)


def show_short(reports: Sequence[SuiteReport], console: Console) -> None:
    """Print one table for several suites, a row for each."""
    cases = [item.case for item in reports[0].measurements]
    title = f"Other cipher suites: time (ratio) with {max(case.members for case in cases)} members"
    table = Table(title=title, title_justify="left")
    table.add_column("suite")
    for case in cases:
        table.add_column(case.operation, justify="right")
    for report in reports:
        cells = [f"{_time(item.result.ours.median)} ({item.result.ratio.median:.2f})" for item in report.measurements]
        table.add_row(str(report.suite), *cells)
    console.print(table)


def _name(suite: int) -> str:
    return f"{suite}: {CIPHER_SUITES[suite].name}"


def _time(microseconds: float) -> str:
    if microseconds < 1e3:
        return f"{microseconds:.1f} µs"
    return f"{microseconds / 1e3:.2f} ms" if microseconds < 1e6 else f"{microseconds / 1e6:.2f} s"


def _wire(wire: Mapping[str, int]) -> str:
    return " + ".join(f"{size:,}" for size in wire.values())


def _verdict(reach: float | None, *, reached: bool | None) -> str:
    if reach is None:
        return ""
    return f"[green]{reach:g} met[/]" if reached else f"[red]{reach:g} missed[/]"


# JSON


def document(full: Sequence[SuiteReport], short: Sequence[SuiteReport], options: Mapping[str, Json]) -> dict[str, Json]:
    """Return everything that was measured. Times are in microseconds."""
    return {
        "machine": {
            "python": platform.python_version(),
            "cryptography": cryptography.__version__,
            "openssl": backend.openssl_version_text(),
            "platform": platform.platform(),
            "cores": os.cpu_count(),
        },
        "options": dict(options),
        "suites": [_suite(report) for report in full],
        "other_suites": [_suite(report) for report in short],
    }


def _suite(report: SuiteReport) -> dict[str, Json]:
    return {
        "suite": report.suite,
        "name": CIPHER_SUITES[report.suite].name,
        "measurements": [_measurement(item) for item in report.measurements],
        "key_package_bytes": report.key_package,
        "growth": [{**found._asdict()} for found in growth(report.measurements)],
        "memory": [
            {
                "condition": weight.condition,
                "members": weight.members,
                "bytes": weight.state.bytes,
                "objects": weight.state.objects,
                "next_epoch_bytes": weight.next_epoch,
            }
            for weight in report.states
        ],
    }


def _measurement(item: Measurement) -> dict[str, Json]:
    return {
        "operation": item.case.operation,
        "members": item.case.members,
        "rounds": item.rounds,
        "one_thread": _comparison(item.one_thread),
        "threads": item.threads and _comparison(item.threads),
        "reach": reach_of(item),
        "is_reached": is_reached(item),
        "wire": dict(item.case.wire),
        "floor": [
            {"what": each.what, "section": each.section, "calls": len(each.calls)} for each in item.case.floor.items
        ],
    }


def _comparison(comparison: Comparison) -> dict[str, Json]:
    return {
        "ours": _spread(comparison.ours),
        "floor": _spread(comparison.floor),
        "ratio": _spread(comparison.ratio),
    }


def _spread(spread: Spread) -> dict[str, Json]:
    return {name: round(value, 3) for name, value in spread._asdict().items()}

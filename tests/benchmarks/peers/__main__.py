"""`python -m tests.benchmarks.peers`: measure all implementations, print tables, write JSON, a page and a chart."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from mls.crypto.suite import CIPHER_SUITES
from tests.benchmarks.peers.chart import draw
from tests.benchmarks.peers.document import Document
from tests.benchmarks.peers.implementations import Station, find
from tests.benchmarks.peers.machine import describe
from tests.benchmarks.peers.measuring import FULL, QUICK, exactly
from tests.benchmarks.peers.page import write_page
from tests.benchmarks.peers.run import measure_suite, versions, weigh_all
from tests.benchmarks.peers.tables import show
from tests.benchmarks.peers.trials import OPERATIONS, SIZES
from tests.interop.building import PEERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]

DEFAULT_JSON = Path("build/benchmarks-peers.json")
DEFAULT_SUITES = (1, 2)
QUICK_SIZES = (2, 10, 100)
WIDTH = 190


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program. Returns its exit status: 0, whatever was reached; 1 if there was nothing to measure."""
    options = _parser().parse_args(arguments)
    progress = Console(stderr=True, highlight=False, markup=False)
    for path in filter(None, (options.json, options.page, options.chart)):
        _prepare(path)
    document = _read(options.read) if options.read else _measure(options, progress.print)
    if not document.versions:
        progress.print("no implementation runs here:", *(f"{name}: {why}" for name, why in document.missing.items()))
        return 1
    show(document, Console() if sys.stdout.isatty() else Console(width=WIDTH))
    if not options.read:
        _write(options.json, json.dumps(document.to_json(), indent=1) + "\n", progress)
    if options.chart:
        _write(options.chart, draw(document), progress)
    if options.page:
        beside = "" if options.chart is None else Path(os.path.relpath(options.chart, options.page.parent)).as_posix()
        _write(options.page, write_page(document, beside), progress)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.peers", description="Measure the engine beside other implementations."
    )
    parser.add_argument("--peer", choices=list(PEERS), action="append", help="beside this peer alone (may be repeated)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and groups of 2, 10 and 100 members")
    parser.add_argument("--rounds", type=_at_least_two, metavar="N", help="take exactly so many samples of everything")
    parser.add_argument(
        "--suite",
        type=int,
        choices=sorted(CIPHER_SUITES),
        action="append",
        help="measure this cipher suite, default: 1 and 2 (may be repeated)",
    )
    parser.add_argument("--sizes", type=_at_least_two, nargs="+", metavar="N", help="members of the groups, 2 or more")
    parser.add_argument(
        "--only",
        choices=list(OPERATIONS),
        action="append",
        metavar="OPERATION",
        help=f"measure this operation alone: {', '.join(OPERATIONS)} (may be repeated)",
    )
    parser.add_argument("--json", type=Path, default=DEFAULT_JSON, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write a page of results, in Markdown")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="write a chart, as SVG")
    parser.add_argument(
        "--read", type=Path, metavar="FILE", help="measure nothing: take what an earlier run has written to this file"
    )
    return parser


def _at_least_two(text: str) -> int:
    number = int(text)
    if number < 2:
        raise argparse.ArgumentTypeError(f"{number} is too few: 2 at the least")
    return number


def _measure(options: argparse.Namespace, say: Callable[[str], None]) -> Document:
    begin = time.monotonic()

    def tell(text: str) -> None:
        say(f"{time.monotonic() - begin:5.0f} s  {text}")

    found, missing = find(options.peer or PEERS, tell)
    stations = [Station(implementation) for implementation in found]
    sizes = sorted(set(options.sizes or (QUICK_SIZES if options.quick else SIZES)))
    operations = [name for name in OPERATIONS if name in (options.only or OPERATIONS)]
    budget = exactly(options.rounds) if options.rounds else QUICK if options.quick else FULL
    try:
        said, silent = versions(stations)
        there = [station for station in stations if station.name in said]
        suites = list(dict.fromkeys(options.suite or DEFAULT_SUITES)) if there else []
        results = [measure_suite(number, there, operations, sizes, budget, tell) for number in suites]
        memory = weigh_all(suites[0], there, sizes, tell) if suites and not options.only else []
    finally:
        for station in stations:
            station.close()
    return Document(
        date=datetime.now(UTC).date().isoformat(),
        machine=describe(),
        versions=said,
        kinds={each.name: each.kind for each in found if each.name in said},
        missing=missing | silent,
        options={
            "quick": options.quick,
            "rounds": options.rounds,
            "sizes": list(sizes),
            "operations": list(operations),
        },
        seconds=time.monotonic() - begin,
        suites=results,
        memory=memory,
    )


def _read(path: Path) -> Document:
    try:
        return Document.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path}: {error}") from None


def _prepare(path: Path) -> None:
    """See that a file can be written, before minutes of work are lost because it cannot."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"{path}: {error}") from None
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise SystemExit(f"{path}: cannot be written")


def _write(path: Path, text: str, progress: Console) -> None:
    path.write_text(text, encoding="utf-8")
    progress.print(f"written to {path}")


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.benchmarks`: measure, print tables, write JSON."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from mls.crypto.suite import CIPHER_SUITES
from mls.group.committing import commit
from mls.group.processing import process
from tests.benchmarks.groups import ENVIRONMENT, NOW, Groups, Pair
from tests.benchmarks.measuring import FULL, QUICK, Budget, measure
from tests.benchmarks.memory import weigh
from tests.benchmarks.operations import OPERATIONS, SIZES
from tests.benchmarks.report import StateWeight, SuiteReport, document, show, show_short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.benchmarks.report import Json

__all__ = ["main"]

DEFAULT_JSON = Path("build/benchmarks.json")
QUICK_SIZES = (2, 10, 100)
MEMORY_SIZE = 1_000
SHORT_SIZE = 10
SHORT_OPERATIONS = ("create", "add", "join", "update-warm", "process-warm", "protect", "open")
WIDTH = 140


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program. Returns its exit status: 0, whatever was reached."""
    options = _parser().parse_args(arguments)
    budget = QUICK if options.quick else FULL
    sizes = tuple(options.sizes or (QUICK_SIZES if options.quick else ()))
    operations = options.only or list(OPERATIONS)
    weighs = not options.only
    suites = options.suite or [1]
    others = [] if options.suite else [number for number in CIPHER_SUITES if number not in suites]
    progress = Console(stderr=True, highlight=False)
    full = [_measure_suite(number, operations, sizes, budget, progress.print, weighs=weighs) for number in suites]
    wanted = [name for name in SHORT_OPERATIONS if name in operations]
    short = [_measure_short(number, wanted, QUICK, progress.print) for number in others if wanted]
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    for report in full:
        show(report, console)
    if short:
        show_short(short, console)
    asked: dict[str, Json] = {"quick": options.quick, "sizes": list(sizes), "operations": list(operations)}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document(full, short, asked), indent=1) + "\n")
    progress.print(f"written to {options.json}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure the engine.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and groups of 2, 10 and 100 members")
    parser.add_argument(
        "--suite",
        type=int,
        choices=sorted(CIPHER_SUITES),
        action="append",
        help="measure this cipher suite in full, and no other (may be repeated)",
    )
    parser.add_argument(
        "--only",
        choices=list(OPERATIONS),
        action="append",
        metavar="OPERATION",
        help=f"measure this operation alone: {', '.join(OPERATIONS)} (may be repeated)",
    )
    parser.add_argument("--sizes", type=_size, nargs="+", metavar="N", help="members of the groups, 2 or more")
    parser.add_argument("--json", type=Path, default=DEFAULT_JSON, metavar="FILE", help="default: %(default)s")
    return parser


def _size(text: str) -> int:
    size = int(text)
    if size < 2:
        raise argparse.ArgumentTypeError(f"a group of {size} has nobody to talk to")
    return size


def _measure_suite(
    number: int,
    operations: Sequence[str],
    sizes: tuple[int, ...],
    budget: Budget,
    say: Callable[[str], None],
    *,
    weighs: bool,
) -> SuiteReport:
    """Measure one suite in full; `sizes` are those of the operations where it is empty."""
    groups = Groups(number, say)
    measurements = []
    for name in operations:
        operation = OPERATIONS[name]
        cases = [operation.case(groups, size) for size in operation.pick(sizes)]
        say(f"suite {number}: {name}")
        measurements += measure(cases, budget)
    states = []
    if weighs:
        size = min(max(sizes or SIZES), MEMORY_SIZE)
        say(f"suite {number}: memory")
        states = [_weigh("cold", size, groups.cold(size).pair), _weigh("warm", size, groups.warm(size))]
    return SuiteReport(number, measurements, _key_package_size(groups), states)


def _measure_short(number: int, operations: Sequence[str], budget: Budget, say: Callable[[str], None]) -> SuiteReport:
    say(f"suite {number}: {SHORT_SIZE} members")
    groups = Groups(number, say)
    picked = [OPERATIONS[name] for name in operations]
    cases = [operation.case(groups, operation.pick((SHORT_SIZE,))[0]) for operation in picked]
    measurements = [item for case in cases for item in measure([case], budget)]
    return SuiteReport(number, measurements, _key_package_size(groups), [])


def _key_package_size(groups: Groups) -> int:
    return len(groups.cold(2).key_packages[0])


def _weigh(condition: str, members: int, pair: Pair) -> StateWeight:
    message = commit(pair.author, ENVIRONMENT, now=NOW).output.message
    following = process(pair.reader, ENVIRONMENT, message, now=NOW).state
    alone, together = weigh(pair.reader), weigh(pair.reader, following)
    return StateWeight(condition, members, alone, together.bytes - alone.bytes)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.benchmarks.servers`: measure on real servers, print tables, write JSON and a page."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from rich.console import Console

from bridge.servers import ServerError
from tests.benchmarks.servers.catching_up import catch_up
from tests.benchmarks.servers.document import Document
from tests.benchmarks.servers.journey import journeys
from tests.benchmarks.servers.latency import latencies
from tests.benchmarks.servers.machine import describe
from tests.benchmarks.servers.page import write_page
from tests.benchmarks.servers.stage import servers
from tests.benchmarks.servers.tables import show
from tests.benchmarks.servers.throughput import throughput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]

DEFAULT_JSON = Path("build/benchmarks-servers.json")
PARTS = ("latency", "stages", "throughput", "catch-up")
FULL = {"rounds": 200, "watched": 100, "floods": 5, "flood": 500, "missed": 5_000}
QUICK = {"rounds": 30, "watched": 20, "floods": 3, "flood": 100, "missed": 1_000}
WIDTH = 140


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program. Returns its exit status: 0, whatever was reached; 1 where the servers cannot be had."""
    options = _parser().parse_args(arguments)
    progress = Console(stderr=True, highlight=False, markup=False)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    for path in filter(None, (options.json, options.page)):
        _prepare(path)
    try:
        document = _read(options.read) if options.read else asyncio.run(_measure(options, progress.print))
    except ServerError as error:
        progress.print(str(error))
        return 1
    show(document, Console() if sys.stdout.isatty() else Console(width=WIDTH))
    if not options.read:
        _write(options.json, json.dumps(document.to_json(), indent=1) + "\n", progress)
    if options.page:
        _write(options.page, write_page(document), progress)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.servers", description="Measure on real servers.")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this alone (may be repeated)")
    parser.add_argument("--quick", action="store_true", help="less of everything, unless it is given: " + _sizes(QUICK))
    parser.add_argument("--rounds", type=_at_least_two, metavar="N", help="latency: texts on each way")
    parser.add_argument("--watched", type=_at_least_two, metavar="N", help="stages: messages in each direction")
    parser.add_argument("--floods", type=_at_least_two, metavar="N", help="throughput: rounds")
    parser.add_argument("--flood", type=_at_least_two, metavar="N", help="throughput: messages of a flood")
    parser.add_argument("--missed", type=_at_least_two, metavar="N", help="catch-up: messages to catch up with")
    parser.add_argument("--json", type=Path, default=DEFAULT_JSON, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write a page of results, in Markdown")
    parser.add_argument(
        "--read", type=Path, metavar="FILE", help="measure nothing: take what an earlier run has written to this file"
    )
    parser.epilog = "Without --quick: " + _sizes(FULL)
    return parser


def _sizes(sizes: dict[str, int]) -> str:
    return " ".join(f"--{name} {number}" for name, number in sizes.items())


def _at_least_two(text: str) -> int:
    number = int(text)
    if number < 2:
        raise argparse.ArgumentTypeError(f"{number} is too few: 2 at the least")
    return number


async def _measure(options: argparse.Namespace, say: Callable[[str], None]) -> Document:
    begin = time.monotonic()
    parts = options.only or PARTS
    sizes = {name: getattr(options, name) or number for name, number in (QUICK if options.quick else FULL).items()}

    def tell(text: str) -> None:
        say(f"{time.monotonic() - begin:5.0f} s  {text}")

    with tempfile.TemporaryDirectory() as folder, servers(Path(folder), tell) as running:
        date = datetime.now(UTC).date().isoformat()
        document = Document(date, await asyncio.to_thread(describe, running), {**sizes, "parts": list(parts)})
        if "latency" in parts:
            document.latency = await latencies(running, sizes["rounds"], tell)
        if "stages" in parts:
            document.stages = await journeys(running, sizes["watched"], tell)
        if "throughput" in parts:
            document.throughput = await throughput(running, sizes["flood"], sizes["floods"], tell)
        if "catch-up" in parts:
            document.catch_up = await catch_up(running, sizes["missed"], tell)
    document.seconds = time.monotonic() - begin
    return Document.from_json(document.to_json())  # with its numbers as they are written, so that all pages are alike


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

"""`python -m tests.benchmarks.servers`: measure on real servers, print, write JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from rich.console import Console
from rich.table import Table

from tests.benchmarks.measuring import Spread
from tests.benchmarks.servers.catching_up import catch_up
from tests.benchmarks.servers.latency import Path as Way
from tests.benchmarks.servers.latency import measure, paths
from tests.benchmarks.servers.stage import servers
from tests.benchmarks.servers.throughput import throughput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]

DEFAULT_JSON = Path("build/benchmarks-servers.json")
PARTS = ("latency", "throughput", "catch-up")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program. Returns its exit status: 0, whatever was reached."""
    options = _parser().parse_args(arguments)
    progress = Console(stderr=True, highlight=False)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    found = asyncio.run(_measure(options, progress.print))
    _show(found, Console())
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    progress.print(f"written to {options.json}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.servers", description="Measure on real servers.")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this alone (may be repeated)")
    parser.add_argument("--rounds", type=int, default=200, help="texts on each path (default: %(default)s)")
    parser.add_argument("--flood", type=int, default=500, help="messages of a flood (default: %(default)s)")
    parser.add_argument("--missed", type=int, default=5_000, help="messages to catch up with (default: %(default)s)")
    parser.add_argument("--json", type=Path, default=DEFAULT_JSON, metavar="FILE", help="default: %(default)s")
    return parser


async def _measure(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    parts = options.only or PARTS
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder), say) as running:
        if "latency" in parts:
            async with paths(running, say) as ways:
                await measure(ways, options.rounds, say)
            found["latency"] = [_latency(way) for way in ways]
        if "throughput" in parts:
            found["throughput"] = [asdict(each) for each in await throughput(running, options.flood, 3, say)]
        if "catch-up" in parts:
            found["catch_up"] = [asdict(each) for each in await catch_up(running, options.missed, say)]
    return found


def _latency(way: Way) -> dict[str, Any]:
    """Return a path's figures, in milliseconds. `part`: the difference of the medians; `paired`: of each round."""
    ours, bare = ([value / 1e6 for value in way.samples[kind]] for kind in ("ours", "bare"))
    paired = Spread.of([one - other for one, other in zip(ours, bare, strict=True)])
    return {
        "name": way.name,
        "ours": Spread.of(ours)._asdict(),
        "bare": Spread.of(bare)._asdict(),
        "part": statistics.median(ours) - statistics.median(bare),
        "paired": paired._asdict(),
    }


def _show(found: dict[str, Any], console: Console) -> None:
    table = Table(title="From sent to shown, ms: medians (quartiles)", title_justify="left")
    for column in ("path", "ours", "in clear", "our part", "round by round"):
        table.add_column(column)
    for each in found.get("latency", ()):
        cells = [_quartiles(each[kind]) for kind in ("ours", "bare")]
        table.add_row(each["name"], *cells, f"{each['part']:.1f}", _quartiles(each["paired"]))
    console.print(table)
    for each in found.get("throughput", ()):
        rates = {name: statistics.median(each[name]) for name in ("relay", "bare_relay", "target", "relay_cpu")}
        console.print(
            f"{each['name']}: relay {rates['relay']:.0f}/s, bare relay {rates['bare_relay']:.0f}/s, "
            f"target's server {rates['target']:.0f}/s; {rates['relay_cpu']:.1f} ms CPU of the relay to a message"
        )
    for each in found.get("catch_up", ()):
        number = each["messages"]
        console.print(
            f"{each['network']}: {number:,} messages fetched at {number / each['fetching']:.0f}/s, then read at "
            f"{number / each['reading']:.0f}/s ({number / each['reading_cpu']:.0f} to a second of CPU)"
        )


def _quartiles(spread: dict[str, float]) -> str:
    return f"{spread['median']:.1f} ({spread['lower_quartile']:.1f} .. {spread['upper_quartile']:.1f})"


if __name__ == "__main__":
    sys.exit(main())

"""Many seeds, on all cores; or one, told step by step. See docs/simulation.md."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulation.coverage import Counts, of_json, rare, table
from tests.simulation.drawing import draw
from tests.simulation.keeping import Outcome, append, code_hash, kept, play_all
from tests.simulation.properties import PROPERTIES
from tests.simulation.running import Verdict, play
from tests.simulation.shrinking import shrink
from tests.simulation.telling import tell

_LONG = 1_000
"""Seeds of a run that has to have seen everything."""
_DELIVERED = 0.99
"""What share of the messages has to be delivered, in a long run."""
_CHUNK = 4
"""Seeds that a process takes at once."""


def main() -> int:
    """Play seeds; return 0 where nothing was violated."""
    options = _options()
    if options.seed is not None:
        return _tell_one(options.seed, trace=options.trace)
    return _play_many(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--results", type=Path, default=Path(".cache/simulation.jsonl"), help="where results are kept")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: tell it step by step")
    parser.add_argument("--shrinks", type=int, default=60, help="runs that shortening the first failure may take")
    return parser.parse_args()


def _tell_one(seed: int, *, trace: bool) -> int:
    verdict = play(tell(seed))
    if trace:
        _print(verdict.story, *verdict.trace, "", draw(verdict.watch, [one.name for one in verdict.story.scene.people]))
    _print(*_shown(verdict), f"{verdict.cpu_seconds:.2f} CPU seconds, trace {verdict.trace_hash[:16]}")
    return 1 if verdict.violations else 0


def _play_many(options: argparse.Namespace) -> int:
    code = code_hash()
    wanted = range(options.first, options.first + options.seeds)
    done = {outcome.seed: outcome for outcome in kept(options.results, code) if outcome.seed in wanted}
    left = [seed for seed in wanted if seed not in done]
    began, played = time.monotonic(), len(left)
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True),
    )  # fmt: skip
    with progress, ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        task = progress.add_task("seeds", total=len(wanted), completed=len(done))
        chunks = [left[start : start + _CHUNK] for start in range(0, len(left), _CHUNK)]
        for finished in as_completed([pool.submit(play_all, chunk, code) for chunk in chunks]):
            for outcome in finished.result():
                done[outcome.seed] = outcome
                append(options.results, outcome)
                if outcome.violations:
                    progress.console.print(f"seed {outcome.seed}: {outcome.violations[0]}", markup=False)
                progress.advance(task)
    return _conclude([done[seed] for seed in wanted], time.monotonic() - began, played, options.shrinks)


def _conclude(outcomes: list[Outcome], seconds: float, played: int, shrinks: int) -> int:
    counts: Counts = Counts()
    for outcome in outcomes:
        counts += of_json(outcome.counts)
    _print(table(counts), "")
    failed = [outcome for outcome in outcomes if outcome.violations]
    if failed:
        _print_shortest(failed[0].seed, shrinks)
    told, missed = counts["delivery", "told"], counts["delivery", "not told"]
    is_long = len(outcomes) >= _LONG
    lacking = rare(counts, len(outcomes)) if is_long else []
    if lacking:
        _print("Fired too rarely to prove anything:", *(f"  {one}" for one in lacking), "")
    delivered = told / max(1, told + missed)
    cost = statistics.median(outcome.cpu_seconds for outcome in outcomes)
    _print(
        f"{len(outcomes):,} seeds, {len(failed)} with a violation"
        + (f" ({', '.join(str(one.seed) for one in failed[:20])})" if failed else "")
        + f"; {100 * delivered:.2f}% of {told + missed:,} deliveries"
        + f"; median {cost:.2f} CPU s a seed, {played / max(seconds, 0.001):.2f} seeds/s"
    )
    return 1 if failed or lacking or (is_long and delivered < _DELIVERED) else 0


def _print_shortest(seed: int, budget: int) -> None:
    verdict = play(tell(seed))
    if not verdict.violations:
        return
    name = verdict.properties[0]
    shortest = shrink(verdict.story, lambda story: name in play(story).properties, budget=budget)
    _print(f"The shortest story of seed {seed} that violates {name!r}:", *_shown(play(shortest)), "")


def _shown(verdict: Verdict) -> list[object]:
    lines: list[object] = [verdict.story]
    lines += [f"violates {name!r} ({PROPERTIES[name]}): {what}" for name, what in verdict.violations]
    return lines


def _print(*lines: object) -> None:
    sys.stdout.write("\n".join(map(str, lines)) + "\n")


if __name__ == "__main__":
    sys.exit(main())

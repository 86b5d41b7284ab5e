"""`python -m tests.interop`: build the peers, play everything with them, print a table, write JSON and the page."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.interop.building import PEERS, BuildError
from tests.interop.building.together import build_all
from tests.interop.campaign.campaign import campaign, prepare
from tests.interop.campaign.crew import Program
from tests.interop.campaign.document import document
from tests.interop.campaign.judging import Verdict
from tests.interop.campaign.page import page
from tests.interop.campaign.running import WALK
from tests.interop.campaign.tables import show
from tests.interop.campaign.tasks import OTHER_OURS, OURS, Scope
from tests.interop.known import KnownError, read
from tests.interop.library import LONG, all_scripts
from tests.interop.parsing import ScriptError
from tests.interop.seats import SeatError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.interop.building import Built
    from tests.interop.campaign.campaign import Plan
    from tests.interop.campaign.document import Campaign
    from tests.interop.campaign.judging import Judgement
    from tests.interop.known import Known

__all__ = ["main"]

ROOT = Path(__file__).parents[2]

SERVER = (sys.executable, "-m", "bridge.cli", "interop", "--port", "0")

KNOWN = Path(__file__).with_name("known.toml")
WIDTH = 140

SECONDS_OF_SILENCE = 30
"""Where there is no terminal to draw on, a line tells how far it is, so often."""

EXIT_FAILED = 1
EXIT_NOT_RUN = 2
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program. Returns 0 if nothing has failed that counts as ours, 1 if something has, 2 if it did not run."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    screen = Console(stderr=True, highlight=False)
    command = shlex.join(["python", "-m", "tests.interop", *arguments])
    try:
        known = read(options.known)
        scope = _scope(options)
        names = [] if options.no_peers else [name for name in PEERS if name in (options.peer or PEERS)]
        peers, absent = build_all(names, screen)
        programs = _programs(options, peers)
        plan = prepare(programs, absent, scope, suites=options.suite, experimental=known.experimental)
    except (BuildError, KnownError, ScriptError, SeatError, OSError) as error:
        screen.print(str(error), style="bold red", markup=False, soft_wrap=True)
        return EXIT_FAILED if isinstance(error, BuildError) else EXIT_NOT_RUN
    if not plan.tasks:
        screen.print("There is nothing to play: no script, or no cipher suite, is left.", style="bold red")
        return EXIT_NOT_RUN
    result = _run(plan, known, command, options, screen)
    _report(result, options, screen)
    if result.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_FAILED if result.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.interop", description="Play all scenarios with live peers.")
    parser.add_argument("--peer", choices=list(PEERS), action="append", help="this peer alone (may be repeated)")
    parser.add_argument("--no-peers", action="store_true", help="ours among themselves alone")
    parser.add_argument(
        "--script",
        action="append",
        metavar="PATTERN",
        help=f"these scripts alone, such as 'commit/*' (may be repeated); '{WALK}' means the walks",
    )
    parser.add_argument("--suite", type=int, action="append", metavar="N", help="this cipher suite alone (repeatable)")
    parser.add_argument("--quick", action="store_true", help="a few castings of each script, and short walks")
    parser.add_argument("--seed", type=int, default=1, help="of all that is chosen (%(default)s)")
    parser.add_argument("--steps", type=int, help="of each walk")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once (%(default)s)")
    parser.add_argument("--seconds", type=float, help="the time limit for each scenario, instead of the usual ones")
    parser.add_argument("--minutes", type=float, help="end after so long, with what has been played until then")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results there")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page of results there")
    parser.add_argument("--experimental", action="store_true", help="let ours offer what is no standard, too")
    parser.add_argument("--ours", type=shlex.split, default=SERVER, metavar="COMMAND", help="what serves in our seat")
    parser.add_argument("--known", type=Path, default=KNOWN, metavar="FILE", help="the list of what is known")
    return parser


def _scope(options: argparse.Namespace) -> Scope:
    """Return what was asked for. Raises `ScriptError`."""
    scripts = all_scripts()
    if options.script is None:
        if options.quick:  # one script takes as long as all others together
            scripts = tuple(script for script in scripts if script.name != LONG)
        return Scope(scripts, walks=True, quick=options.quick, seed=options.seed, steps=options.steps)
    chosen = [script for script in scripts if any(fnmatchcase(script.name, pattern) for pattern in options.script)]
    return Scope(chosen, walks=WALK in options.script, quick=options.quick, seed=options.seed, steps=options.steps)


def _programs(options: argparse.Namespace, peers: dict[str, Built]) -> dict[str, Program]:
    """Return who sits where; ours twice."""
    command = (*options.ours, "--experimental") if options.experimental else tuple(options.ours)
    ours = Program(command, serves_grpc=True, directory=ROOT)
    return {
        OURS: ours,
        OTHER_OURS: ours,
        **{name: Program(peer.command, serves_grpc=False) for name, peer in peers.items()},
    }


def _run(plan: Plan, known: Known, command: str, options: argparse.Namespace, screen: Console) -> Campaign:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    failed = done = 0
    told = time.monotonic()
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("playing", total=len(plan.tasks))

        def follow(judgement: Judgement) -> None:
            nonlocal done, failed, told
            done += 1
            failed += judgement.verdict is Verdict.FAILED
            if not screen.is_terminal and time.monotonic() - told > SECONDS_OF_SILENCE:
                screen.print(f"{done} of {len(plan.tasks)} played, {failed} failed")
                told = time.monotonic()
            progress.update(task, advance=1, description=f"playing, {failed} failed" if failed else "playing")

        jobs = max(1, options.jobs)
        return campaign(
            plan, known, follow, command=command, jobs=jobs, seconds=options.seconds, minutes=options.minutes
        )


def _report(result: Campaign, options: argparse.Namespace, screen: Console) -> None:
    """Print the tables, and write what was asked for."""
    show(result, Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=WIDTH))
    written = document(result)
    if result.planned > len(result.judgements):
        screen.print(f"{len(result.judgements)} of {result.planned} scenarios were played")
    for path, text in ((options.json, json.dumps(written, indent=1) + "\n"), (options.page, page(written))):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            screen.print(f"written to {path}", markup=False)


if __name__ == "__main__":
    sys.exit(main())

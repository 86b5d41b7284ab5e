"""``python -m tests.fuzz [--seconds N] [target ...]``: fuzz the targets one after another, or all of them.

Each runs in a process of its own, which libFuzzer ends when it is done; they are forked off, so that the engine is
imported, and instrumented, once.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz.driving import DRIVERS, Length, attempt, load_targets, run_atheris, run_loop

if TYPE_CHECKING:
    from tests.fuzz.target import Target

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Return 1 if a target has failed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Throw hostile bytes at the engine.")
    parser.add_argument("target", nargs="*", help="what to fuzz (everything)")
    parser.add_argument("--list", action="store_true", help="list the targets")
    parser.add_argument("--seconds", type=int, default=10, help="for each target (%(default)s)")
    parser.add_argument("--runs", type=int, default=0, help="how many inputs instead, fewer of slow ones")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers (%(default)s)")
    parser.add_argument("--driver", choices=DRIVERS, default=DRIVERS[0], help="what finds the bytes (%(default)s)")
    parser.add_argument("--corpus", type=Path, help="where to keep what atheris finds worth keeping, by target")
    parser.add_argument("--input", type=Path, help="a file to try on the targets, instead of fuzzing")
    options = parser.parse_args(arguments)
    targets = load_targets("loop" if options.list or options.input else options.driver)
    unknown = [name for name in options.target if name not in targets]
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}; see --list")
    chosen = [targets[name] for name in options.target or targets]
    if options.list:
        print(*(f"{target.name:22}{target.about}" for target in chosen), sep="\n")
        return 0
    if options.input:
        for target in chosen:
            attempt(target.prepare(), options.input.read_bytes())
        return 0
    failed = [target.name for target in chosen if not stands(target, options)]
    print(f"failed: {', '.join(failed)}" if failed else f"nothing found in {len(chosen)} targets")
    return 1 if failed else 0


def stands(target: Target, options: argparse.Namespace) -> bool:
    """Fuzz one target in a process of its own; return whether it has stood its ground."""
    print(f"--- {target.name}: {target.about} ({options.driver})", flush=True)
    context = multiprocessing.get_context("fork" if options.driver == "atheris" else None)
    with tempfile.TemporaryDirectory() as passing:
        corpus = options.corpus / target.name if options.corpus else Path(passing)
        corpus.mkdir(parents=True, exist_ok=True)
        process = context.Process(target=fuzz, args=(target.name, options, corpus))
        process.start()
        process.join()
    return process.exitcode == 0


def fuzz(name: str, options: argparse.Namespace, corpus: Path) -> None:
    """Fuzz one target in this process, to its end."""
    target = load_targets(options.driver)[name]
    prepared, length = target.prepare(), Length(-(-options.runs // target.weight), options.seconds)
    if options.driver == "atheris":
        run_atheris(prepared, length, seed=options.seed, corpus=corpus)
    else:
        print(f"{run_loop(prepared, length, seed=options.seed)} inputs")


if __name__ == "__main__":
    sys.exit(main())

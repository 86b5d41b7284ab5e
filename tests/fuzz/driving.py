"""Two ways to find bytes for a target. Both say of bad ones what they are, and end the process with an error.

This module imports nothing of the engine's by itself: atheris has to see its modules being imported.
"""

from __future__ import annotations

import importlib
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.fuzz.target import Prepared, Target

__all__ = ["DRIVERS", "Length", "attempt", "load_targets", "run_atheris", "run_loop"]

DRIVERS = ("atheris", "loop") if find_spec("atheris") else ("loop",)
"""What can be had with the running Python, the better one first."""

MAX_SIZE = 1 << 16
"""The largest input, in bytes."""

UNIT_SECONDS = 60
"""An input that takes longer is reported, as one that never ends would be."""

MEMORY = 2048
"""What a target may need at the most, in MiB."""


@dataclass(frozen=True)
class Length:
    """When a run ends: after so many inputs, or, if that is zero, after so many seconds."""

    runs: int
    seconds: int

    def is_over(self, runs: int, start: float) -> bool:
        """Return whether this many inputs since `start` (of `time.monotonic`) are enough."""
        return runs >= self.runs if self.runs else time.monotonic() - start >= self.seconds


def load_targets(driver: str) -> Mapping[str, Target]:
    """Import the targets, and with them the engine; where atheris is the driver, so that it sees what they do."""
    if driver == "loop" or "tests.fuzz.targets" in sys.modules:
        return _import_targets()
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["mls"]):
        targets = _import_targets()
    grammar = importlib.import_module("tests.mls.codec.grammar")
    for kind in grammar.wire_structs():  # compiled at run time, and so not seen being imported
        atheris.instrument_func(kind.decode_at)
        atheris.instrument_func(kind._encode)
    return targets


def _import_targets() -> Mapping[str, Target]:
    targets: Mapping[str, Target] = importlib.import_module("tests.fuzz.targets").TARGETS
    return targets


def run_atheris(prepared: Prepared, length: Length, *, seed: int, corpus: Path) -> None:
    """Fuzz with libFuzzer, guided by what the inputs reach. `corpus` takes the seeds, and what is found worth keeping.

    Ends the process. libFuzzer writes an input that fails to a file in the working directory.
    """
    for number, data in enumerate(prepared.seeds):
        (corpus / f"seed-{number:04}").write_bytes(data)
    options = {
        **({"runs": length.runs} if length.runs else {"max_total_time": length.seconds}),
        "seed": seed,
        "max_len": MAX_SIZE,
        "timeout": UNIT_SECONDS,
        "rss_limit_mb": MEMORY,
        "verbosity": 0,
    }
    atheris: Any = importlib.import_module("atheris")
    atheris.Setup([sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(corpus)], prepared.attack)
    atheris.Fuzz()


def run_loop(prepared: Prepared, length: Length, *, seed: int) -> int:
    """Fuzz with random changes to the seeds; return how many inputs were tried.

    Raises what the target raises, with the input as a note.
    """
    damaged: Callable[[bytes, Random], bytes] = importlib.import_module("tests.mls.codec.mutations").damaged
    random, runs, start = Random(seed), 0, time.monotonic()
    for data in prepared.seeds:
        attempt(prepared, data)
    while not length.is_over(runs, start):
        data = random.choice(prepared.seeds)
        for _ in range(random.choice((1, 1, 2, 3, 8))):
            data = damaged(data, random)
        attempt(prepared, data[:MAX_SIZE])
        runs += 1
    return len(prepared.seeds) + runs


def attempt(prepared: Prepared, data: bytes) -> None:
    """Attack with `data`; an exception carries it along."""
    try:
        prepared.attack(data)
    except BaseException as error:
        error.add_note(f"The input, {len(data)} bytes in hexadecimal: {data.hex()}")
        raise

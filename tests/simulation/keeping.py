"""Results of many seeds, in a file of JSON lines: what was played is not played again while the code is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.simulation.coverage import to_json
from tests.simulation.running import Verdict, play
from tests.simulation.telling import tell

__all__ = ["Outcome", "append", "code_hash", "kept", "play_all"]

_ROOT = Path(__file__).parents[2]
_PACKAGES = ("mls", "transports", "bridge", "tests/simulation")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is kept of one seed."""

    seed: int
    code: str
    violations: list[list[str]]
    counts: dict[str, int]
    cpu_seconds: float
    trace_hash: str

    @classmethod
    def of(cls, verdict: Verdict, code: str) -> Outcome:
        """Return what is kept of a verdict."""
        violations = [list(one) for one in verdict.violations]
        counts = to_json(verdict.counts)
        return cls(verdict.story.seed, code, violations, counts, verdict.cpu_seconds, verdict.trace_hash)


def play_all(seeds: Iterable[int], code: str) -> list[Outcome]:
    """Play some seeds: what a process of its own does."""
    return [Outcome.of(play(tell(seed)), code) for seed in seeds]


def code_hash() -> str:
    """Return a hash of everything that a run depends on."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((_ROOT / package).rglob("*")):
            if path.suffix in {".py", ".sql"}:
                digest.update(f"{path.relative_to(_ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def append(path: Path, outcome: Outcome) -> None:
    """Write one more line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(outcome)) + "\n")


def kept(path: Path, code: str) -> Iterator[Outcome]:
    """Yield what was played with this code. A line that a crash has cut off counts as none."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            outcome = Outcome(**json.loads(line))
        except (ValueError, TypeError):
            continue
        if outcome.code == code:
            yield outcome

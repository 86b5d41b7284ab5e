"""All that was measured, as values, and as JSON: the tables, the page and the chart are made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from mls.crypto.suite import CIPHER_SUITES
from tests.benchmarks.measuring import Spread
from tests.benchmarks.peers.implementations import Kind
from tests.benchmarks.peers.memory import Peak

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.report import Json

__all__ = ["Case", "Document", "Sample", "SuiteResults", "Weights"]


@dataclass(frozen=True)
class Sample:
    """What was measured of one implementation. Times are in microseconds."""

    rounds: int
    time: Spread
    wire: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each message that the operation made or took."""
    note: str = ""
    """How this is not quite what was asked for."""


@dataclass(frozen=True)
class Case:
    """One operation at one size."""

    operation: str
    members: int
    floor: Spread
    """Of the bare cryptography, in microseconds."""
    samples: Mapping[str, Sample]
    """By implementation."""
    missing: Mapping[str, str]
    """Why an implementation has no sample."""


@dataclass(frozen=True)
class SuiteResults:
    """All that was measured of one cipher suite."""

    suite: int
    cases: Sequence[Case]

    @property
    def name(self) -> str:
        """The suite's number and name."""
        return f"{self.suite}: {CIPHER_SUITES[self.suite].name}"


@dataclass(frozen=True)
class Weights:
    """The peak memory of programs with groups of one size."""

    suite: int
    members: int
    peaks: Mapping[str, Peak]
    missing: Mapping[str, str]


@dataclass(frozen=True)
class Document:
    """One run of the program."""

    date: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    """By implementation, ours first: what each calls itself."""
    kinds: Mapping[str, Kind]
    missing: Mapping[str, str]
    """The implementations that are not there at all, and why."""
    options: Mapping[str, Json]
    seconds: float
    """How long the run took."""
    suites: Sequence[SuiteResults]
    memory: Sequence[Weights]

    def to_json(self) -> dict[str, Json]:
        """Return it for `json.dumps`. Times are in microseconds, sizes in bytes."""
        return {
            "date": self.date,
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "kinds": {name: kind.value for name, kind in self.kinds.items()},
            "missing": dict(self.missing),
            "options": dict(self.options),
            "seconds": round(self.seconds, 1),
            "suites": [
                {"suite": each.suite, "name": each.name, "cases": [_case(case) for case in each.cases]}
                for each in self.suites
            ],
            "memory": [
                {
                    "suite": each.suite,
                    "members": each.members,
                    "peaks": {name: {**vars(peak)} for name, peak in each.peaks.items()},
                    "missing": dict(each.missing),
                }
                for each in self.memory
            ],
        }

    @classmethod
    def from_json(cls, data: Any) -> Self:  # noqa: ANN401 - what `json.loads` returns
        """Return what `to_json` was made of. Raises `ValueError`."""
        try:
            return cls(
                date=str(data["date"]),
                machine=dict(data["machine"]),
                versions=dict(data["versions"]),
                kinds={name: Kind(kind) for name, kind in data["kinds"].items()},
                missing=dict(data["missing"]),
                options=dict(data["options"]),
                seconds=float(data["seconds"]),
                suites=[
                    SuiteResults(int(each["suite"]), [_read_case(case) for case in each["cases"]])
                    for each in data["suites"]
                ],
                memory=[
                    Weights(
                        int(each["suite"]),
                        int(each["members"]),
                        {name: Peak(**peak) for name, peak in each["peaks"].items()},
                        dict(each["missing"]),
                    )
                    for each in data["memory"]
                ],
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not what this program writes: {type(error).__name__}: {error}") from error


def _case(case: Case) -> Json:
    return {
        "operation": case.operation,
        "members": case.members,
        "floor": _spread(case.floor),
        "samples": {
            name: {
                "rounds": sample.rounds,
                "time": _spread(sample.time),
                "wire": dict(sample.wire),
                "note": sample.note,
            }
            for name, sample in case.samples.items()
        },
        "missing": dict(case.missing),
    }


def _read_case(data: dict[str, Any]) -> Case:
    samples = {
        name: Sample(sample["rounds"], Spread(**sample["time"]), sample["wire"], sample["note"])
        for name, sample in data["samples"].items()
    }
    return Case(data["operation"], data["members"], Spread(**data["floor"]), samples, dict(data["missing"]))


def _spread(spread: Spread) -> Json:
    return {name: round(value, 3) for name, value in spread._asdict().items()}

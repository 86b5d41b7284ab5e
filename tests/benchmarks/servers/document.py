"""All that was measured in one run, as values, and as JSON: the tables and the page are made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Self

from tests.benchmarks.measuring import Spread
from tests.benchmarks.servers.catching_up import CatchUp
from tests.benchmarks.servers.latency import Latency
from tests.benchmarks.servers.throughput import Flow, Throughput
from tests.benchmarks.servers.timeline import Journey, Party, Stage, Work

if TYPE_CHECKING:
    from tests.benchmarks.report import Json

__all__ = ["Document"]

_DIGITS = 4


@dataclass
class Document:
    """One run of the program. A part that was not measured is empty."""

    date: str
    machine: Mapping[str, str]
    options: Mapping[str, Json]
    seconds: float = 0.0
    """How long the run took."""
    latency: Sequence[Latency] = field(default_factory=list)
    stages: Sequence[Journey] = field(default_factory=list)
    throughput: Sequence[Throughput] = field(default_factory=list)
    catch_up: Sequence[CatchUp] = field(default_factory=list)

    def to_json(self) -> dict[str, Json]:
        """Return it for `json.dumps`."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_json(cls, data: Any) -> Self:  # noqa: ANN401 - what `json.loads` returns
        """Return what `to_json` was made of. Raises `ValueError`."""
        try:
            return cls(
                date=str(data["date"]),
                machine=dict(data["machine"]),
                options=dict(data["options"]),
                seconds=float(data["seconds"]),
                latency=[Latency(**_spreads(each, "ours", "bare", "paired")) for each in data["latency"]],
                stages=[_journey(each) for each in data["stages"]],
                throughput=[_throughput(each) for each in data["throughput"]],
                catch_up=[CatchUp(**each) for each in data["catch_up"]],
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not what this program writes: {type(error).__name__}: {error}") from error


def _plain(value: Any) -> Json:  # noqa: ANN401 - whatever stands in a document
    match value:
        case Spread():
            return {name: round(number, _DIGITS) for name, number in value._asdict().items()}
        case float():
            return round(value, _DIGITS)
        case Mapping():
            return {key: _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _ if is_dataclass(value):
            return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
        case _:
            plain: Json = value
            return plain


def _spreads(data: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {**data, **{name: Spread(**data[name]) for name in names}}


def _journey(data: Mapping[str, Any]) -> Journey:
    stages = [Stage(**{**_spreads(each, "took"), "party": Party(each["party"])}) for each in data["stages"]]
    work = [Work(**{**each, "party": Party(each["party"])}) for each in data["work"]]
    return Journey(**{**_spreads(data, "total", "ours", "commit"), "stages": stages, "work": work})


def _throughput(data: Mapping[str, Any]) -> Throughput:
    return Throughput(**{**data, "flows": {name: Flow(**flow) for name, flow in data["flows"].items()}})

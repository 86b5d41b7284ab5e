"""What shall be reached on real servers, and whether it was."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from tests.benchmarks.servers.document import Document
    from tests.benchmarks.servers.throughput import Throughput

__all__ = ["Reach", "rates", "reaches"]

OUR_PART: Final = 15.0
"""Milliseconds of the median across both networks that may be ours."""

BESIDE_BARE: Final = 0.9
"""The part of a bare relay's messages a second that go through ours at the least. Rounds of the very same flow differ
by as much."""

CAUGHT_UP: Final = 1_000.0
"""Messages a second that a member reads, once they are fetched."""


class Reach(NamedTuple):
    """One thing to be reached."""

    what: str
    wanted: str
    measured: str
    is_reached: bool


def reaches(document: Document) -> list[Reach]:
    """Judge what was measured."""
    return [*_latency(document), *_throughput(document), *_catch_up(document)]


def rates(throughput: Throughput) -> dict[str, float]:
    """Return how many messages a second arrive in each flow, and as `alone` what the slower server takes by itself."""
    found = {name: statistics.median(flow.arrived) for name, flow in throughput.flows.items()}
    return {**found, "alone": min(found["source"], found["target"])}


def _latency(document: Document) -> list[Reach]:
    return [
        Reach(
            f"our part of the median, {each.name}",
            f"at most {OUR_PART:.0f} ms",
            f"{each.part:.1f} ms",
            each.part <= OUR_PART,
        )
        for each in document.latency
        if each.is_across
    ]


def _throughput(document: Document) -> list[Reach]:
    found = []
    for each in document.throughput:
        rate = rates(each)
        ours = rate["relay"] / rate["bare_relay"]
        found.append(
            Reach(
                f"messages a second through the relay, {each.name}",
                f"at least {BESIDE_BARE:.0%} of what a bare one gets through the same servers",
                f"{rate['relay']:,.0f}, which is {ours:.0%} of {rate['bare_relay']:,.0f}; "
                f"the slower server alone takes {rate['alone']:,.0f}",
                ours >= BESIDE_BARE,
            )
        )
    return found


def _catch_up(document: Document) -> list[Reach]:
    return [
        Reach(
            f"catching up with {each.messages:,} messages on {each.network}, once fetched",
            f"at least {CAUGHT_UP:,.0f} a second",
            f"{each.messages / each.reading:,.0f}",
            each.messages / each.reading >= CAUGHT_UP,
        )
        for each in document.catch_up
    ]

"""What is reached, and how it is told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.benchmarks.measuring import Spread
from tests.benchmarks.servers.catching_up import CatchUp
from tests.benchmarks.servers.document import Document
from tests.benchmarks.servers.latency import Latency
from tests.benchmarks.servers.page import write_page
from tests.benchmarks.servers.reach import reaches
from tests.benchmarks.servers.throughput import Flow, Throughput
from tests.benchmarks.servers.timeline import Journey, Party, Stage, Work

ZERO = Spread(0, 0, 0, 0, 0)


def _latency(ours: float, *, is_across: bool = True) -> Latency:
    return Latency("there", _median(ours), _median(50.0), ZERO, is_across)


def _median(median: float) -> Spread:
    return ZERO._replace(median=median)


def _throughput(relay: float) -> Throughput:
    cpu = {"relay": [3.5, 3.5], "bare_relay": [0.5, 0.5], "Synapse": [13.0, 13.0]}
    arrived = {"relay": relay, "bare_relay": 70.0, "source": 75.0, "target": 500.0}
    flows = {name: Flow([rate] * 2, [rate] * 2, cpu) for name, rate in arrived.items()}
    return Throughput("Matrix", "XMPP", 500, {"source": 551, "target": 1043}, flows)


def _document() -> Document:
    return Document(
        date="2026-01-01",
        machine={"cores": "2"},
        options={"rounds": 2},
        seconds=66.0,
        latency=[_latency(64.0)],
        stages=[
            Journey(
                "Matrix",
                "XMPP",
                2,
                total=_median(90.0),
                ours=_median(12.0),
                commit=_median(2.0),
                stages=[
                    Stage(Party.SENDER, "encrypted", _median(12.0), 1.0),
                    Stage(Party.SERVER, "told", _median(78.0), 0.0),
                ],
                work=[Work(Party.BRIDGE, 10, 25.5, 5, 15)],
                sequencer_first=0.5,
            )
        ],
        throughput=[_throughput(66.0)],
        catch_up=[CatchUp("XMPP", 5_000, 50.0, 10.0, 2.5, 2.0)],
    )


@pytest.mark.parametrize(
    "document,reached",
    [
        (Document("", {}, {}, latency=[_latency(65.0)]), [True]),
        (Document("", {}, {}, latency=[_latency(65.1)]), [False]),
        (Document("", {}, {}, latency=[_latency(90.0, is_across=False)]), []),
        (Document("", {}, {}, throughput=[_throughput(63.0)]), [True]),
        (Document("", {}, {}, throughput=[_throughput(62.0)]), [False]),
        (Document("", {}, {}, catch_up=[CatchUp("XMPP", 5_000, 1, 1, 5.0, 1)]), [True]),
        (Document("", {}, {}, catch_up=[CatchUp("XMPP", 5_000, 1, 1, 5.1, 1)]), [False]),
    ],
    ids=["15 ms", "15.1 ms", "one network", "90% of bare", "89% of bare", "1,000 a second", "980 a second"],
)
def test_what_is_reached(document: Document, reached: list[bool]) -> None:
    assert [reach.is_reached for reach in reaches(document)] == reached


def test_a_document_is_read_back_as_it_was() -> None:
    document = _document()
    assert Document.from_json(json.loads(json.dumps(document.to_json()))) == document


def test_a_document_with_another_field_is_refused() -> None:
    data = json.loads(json.dumps(_document().to_json()))
    data["catch_up"][0]["guess"] = 1
    with pytest.raises(ValueError, match="not what this program writes"):
        Document.from_json(data)


def test_the_page_says_what_was_measured_and_reached() -> None:
    page = write_page(_document())
    for line in (
        "| our part of the median, there | at most 15 ms | 14.0 ms | yes |",
        "| sender | encrypted | 12.00 | 0.00 .. 0.00 | 1.00 |",
        "| server | told | 78.00 | 0.00 .. 0.00 |  |",
        "| Matrix to XMPP | bridge | 10 | 25.5 | 5 | 15 |",
        "| our relay | 66 (66 .. 66) | 66 (66 .. 66) | 3.5 | 13.0 |  | 86% |",
        "| XMPP | 5,000 | 100 | 500 | 2,000 | 2,500 |",
    ):
        assert line in page.splitlines()
    assert "in 50% of the messages the sequencer's came first" in page


def test_a_part_that_was_not_measured_is_not_on_the_page() -> None:
    page = write_page(replace(_document(), throughput=[], stages=[]))
    assert "## Messages a second" not in page
    assert "## Where the milliseconds go" not in page
    assert "## From said to shown" in page

"""The program measures on real servers, and what it writes can be read again. No test asserts a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.servers.__main__ import main
from tests.benchmarks.servers.document import Document
from tests.benchmarks.servers.timeline import Party

SMALL = ("--rounds", "2", "--watched", "2", "--floods", "2", "--flood", "5", "--missed", "5")


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("synapse_installation", "prosody_installation")
def test_the_program_measures_every_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written, page = tmp_path / "made" / "found.json", tmp_path / "page.md"
    assert main([*SMALL, "--json", str(written), "--page", str(page)]) == 0
    found = Document.from_json(json.loads(written.read_text(encoding="utf-8")))
    assert found.options == {
        "rounds": 2,
        "watched": 2,
        "floods": 2,
        "flood": 5,
        "missed": 5,
        "parts": ["latency", "stages", "throughput", "catch-up"],
    }
    assert all(found.machine[name][0].isdigit() for name in ("Synapse", "Prosody"))
    assert [way.name for way in found.latency] == ["Matrix", "XMPP", "Matrix to XMPP", "XMPP to Matrix"]
    for journey in found.stages:
        assert 0 < journey.commit.median < journey.ours.median < journey.total.median
        assert {stage.party for stage in journey.stages} == set(Party)
        assert all(work.rounds >= work.transactions >= work.transactions_on_the_way > 0 for work in journey.work)
    assert found.stages[1].sequencer_first == 0  # it looks at the home room alone, which is the one on Matrix
    for direction in found.throughput:
        assert all(len(flow.arrived) == len(flow.posted) == 2 for flow in direction.flows.values())
        assert {"relay", "bare_relay", "Synapse", "Prosody"} <= direction.flows["relay"].cpu.keys()
    assert [(each.network, each.messages) for each in found.catch_up] == [("Matrix", 5), ("XMPP", 5)]
    written_first = page.read_text(encoding="utf-8")
    assert main(["--read", str(written), "--page", str(page)]) == 0
    assert page.read_text(encoding="utf-8") == written_first
    assert "our part of the median, Matrix to XMPP" in capsys.readouterr().out


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"date": "today"}', encoding="utf-8")
    with pytest.raises(SystemExit, match="not what this program writes"):
        main(["--read", str(tmp_path / "other.json")])

"""The measurements on real servers run. No test asserts a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.servers.__main__ import main

pytestmark = pytest.mark.timeout(180)


@pytest.mark.usefixtures("synapse_installation", "prosody_installation")
def test_latency_is_measured(tmp_path: Path) -> None:
    written = tmp_path / "found.json"
    assert main(["--only", "latency", "--rounds", "2", "--json", str(written)]) == 0
    assert json.loads(written.read_text(encoding="utf-8"))

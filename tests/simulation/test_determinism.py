"""One seed is one run: in every process, whatever the order of its sets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.running import play
from tests.simulation.story import Story
from tests.simulation.telling import tell

_ROOT = Path(__file__).parents[2]

_PRINT = """
from tests.simulation.running import play
from tests.simulation.telling import tell
for seed in (1, 5, 14):
    print(seed, play(tell(seed)).trace_hash)
"""

pytestmark = pytest.mark.timeout(120)


def test_a_seed_is_one_story() -> None:
    assert [str(tell(seed)) for seed in range(20)] == [str(tell(seed)) for seed in range(20)]
    assert len({str(tell(seed)) for seed in range(20)}) == 20


def test_a_story_is_one_run_in_every_process() -> None:
    outputs = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(_ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", _PRINT], cwd=_ROOT, env=environment, capture_output=True, text=True, check=True
        )
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) == 3


def test_another_story_is_another_run() -> None:
    story = tell(6)
    shorter = Story(story.seed, story.scene, story.actions[:-1])
    assert play(story).trace_hash != play(shorter).trace_hash

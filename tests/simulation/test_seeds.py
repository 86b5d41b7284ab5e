"""Whole programs in a hundred stories: no property is violated."""

from __future__ import annotations

import pytest

from tests.simulation.running import play
from tests.simulation.telling import tell

pytestmark = pytest.mark.timeout(300)

_TOGETHER = 10
"""Seeds in one test, so that cores share them."""


@pytest.mark.parametrize("first", range(0, 100, _TOGETHER))
def test_nothing_is_violated(first: int) -> None:
    for seed in range(first, first + _TOGETHER):
        verdict = play(tell(seed))
        assert not verdict.violations, f"make simulate SEED={seed} TRACE=1: {verdict.violations[0]}"
        assert verdict.counts["happening", "Joined"] >= 1, "somebody has founded a group"

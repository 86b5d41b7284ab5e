"""A long run that has not seen everything is no proof, and says so."""

from __future__ import annotations

from collections import Counter

from tests.simulation.coverage import EXPECTED, rare, table


def test_what_fired_too_rarely_is_named() -> None:
    enough = Counter(dict.fromkeys(EXPECTED, 50))
    assert rare(enough, 10_000) == []
    assert rare(enough - Counter({EXPECTED[0]: 1}), 10_000) == [f"{': '.join(EXPECTED[0])} (49)"]
    assert len(rare(Counter(), 1_000)) == len(EXPECTED)
    assert rare(Counter(dict.fromkeys(EXPECTED, 5)), 1_000) == []


def test_what_never_was_is_shown_with_a_zero() -> None:
    assert f"          0  {EXPECTED[0][1]}" in table(Counter()).splitlines()

"""The simulator has teeth: each planted fault is caught, by a property that is named for it."""

from __future__ import annotations

import pytest

from tests.simulation.planted import FAULTS, PlantedFault
from tests.simulation.properties import PROPERTIES
from tests.simulation.running import play
from tests.simulation.telling import tell

pytestmark = pytest.mark.timeout(300)

_SEEDS = 300
_PEOPLE = 8
"""Small worlds are quick, and show everything that is planted here."""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_caught(fault: PlantedFault) -> None:
    assert set(fault.caught_by) <= set(PROPERTIES)
    for seed in range(_SEEDS):
        story = tell(seed)
        if len(story.scene.people) > _PEOPLE:
            continue
        with fault.plant():
            found = set(play(story).properties) & set(fault.caught_by)
        if found and found - set(play(story).properties):  # which the fault, and nothing else, has brought about
            return
    pytest.fail(f"{fault.name}: nothing noticed in {_SEEDS} seeds")


def test_there_are_enough() -> None:
    assert len({fault.name for fault in FAULTS}) >= 12

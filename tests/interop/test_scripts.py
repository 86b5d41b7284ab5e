"""All scripts, over real gRPC, with ours in two seats: each script once for each suite and form of handshakes.

Who sits where is drawn by a seed; `python -m tests.interop` tries all assignments, and the long script.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.interop.campaign.crew import Crew, Program
from tests.interop.cases import FORMS, SUITES, play_case, sample
from tests.interop.interpreter import Result
from tests.interop.library import LONG, all_scripts, official_scripts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.interop.cases import Case

ROOT = Path(__file__).parents[2]

OURS = Program((sys.executable, "-m", "bridge.cli", "interop", "--port", "0"), serves_grpc=True, directory=ROOT)

SEATS = ("first", "second")

SHORT_SCRIPTS = [script for script in all_scripts() if script.name != LONG]


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    with Crew(dict.fromkeys(SEATS, OURS)) as crew:
        yield crew


# Without the long script, which takes as much time as all others together.
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in sample(SEATS, scripts=SHORT_SCRIPTS)])
def test_script(crew: Crew, case: Case) -> None:
    outcome = play_case(case, {name: crew.seat(name) for name in SEATS})
    for name in SEATS:
        if outcome.result is not Result.PASSED:
            crew.look_after(name)

    assert outcome.result is Result.PASSED, f"{case.name}: {outcome.reason}\n" + "\n".join(map(str, outcome.transcript))


def test_all_official_scripts_are_there() -> None:
    assert [script.name for script in official_scripts()].count(LONG) == 1
    assert {script.name.partition("/")[0] for script in official_scripts()} == {
        "application",
        "branch",
        "commit",
        "deep_random",
        "external_join",
        "external_proposals",
        "reinit",
        "welcome_join",
    }
    assert len(official_scripts()) == 40


def test_the_sample_leaves_nothing_out() -> None:
    names = [(case.script.name, case.suite, case.encrypt_handshake) for case in sample(SEATS)]

    assert len(names) == len(set(names)) == len(all_scripts()) * len(SUITES) * len(FORMS)
    assert all(set(case.assignment.seats) == set(SEATS) for case in sample(SEATS))

"""Who plays whom, and which cases there are."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.interop.assignments import every, one_apart, one_random, some
from tests.interop.cases import every_case, peer_cases, sample
from tests.interop.library import LONG, all_scripts
from tests.interop.parsing import parse
from tests.interop.scripts import Script


def script_with(actors: int) -> Script:
    members = [f"actor{number}" for number in range(1, actors)]
    steps = [{"action": "createGroup", "actor": "actor0", "members": members}]
    return parse("file", json.dumps({"scripts": {"name": steps}}).encode())[0]


def test_every_assignment_is_there_once() -> None:
    assert [assignment.seats for assignment in every(script_with(2), ("a", "b"))] == [
        ("a", "a"),
        ("a", "b"),
        ("b", "a"),
        ("b", "b"),
    ]


@pytest.mark.parametrize("actors, expected", [(1, 2), (2, 4), (5, 32), (6, 64), (7, 64), (8, 64), (841, 64)])
def test_up_to_five_actors_get_every_assignment_and_more_a_sample(actors: int, expected: int) -> None:
    chosen = some(script_with(actors), ("a", "b"), 0)

    assert len(chosen) == len(set(chosen)) == expected
    assert {seat for assignment in chosen for seat in assignment.seats} == {"a", "b"}


def test_a_seed_chooses_always_the_same() -> None:
    script = script_with(10)

    assert some(script, ("a", "b"), 1) == some(script, ("a", "b"), 1) != some(script, ("a", "b"), 2)
    assert one_random(script, ("a", "b"), 1) == one_random(script, ("a", "b"), 1)
    assert len({one_random(script, ("a", "b"), seed) for seed in range(20)}) > 10


def test_a_random_assignment_leaves_no_seat_empty() -> None:
    for seed in range(100):
        assert set(one_random(script_with(3), ("a", "b", "c"), seed).seats) == {"a", "b", "c"}
        assert set(one_random(script_with(1), ("a", "b"), seed).seats) < {"a", "b"}


@pytest.mark.parametrize(
    "actors, expected",
    [
        (1, ["p", "o"]),
        (2, ["po", "op"]),
        (3, ["poo", "opp", "opo", "pop", "oop", "ppo"]),
    ],
)
def test_each_actor_in_turn_is_played_by_the_peer_and_by_ours(actors: int, expected: list[str]) -> None:
    assert ["".join(assignment.seats) for assignment in one_apart(script_with(actors), "p", "o")] == expected


def test_an_assignment_has_a_short_name() -> None:
    assert every(script_with(2), ("a", "b"))[1].name == "actor0=a actor1=b"
    assert one_apart(script_with(100), "a", "b")[0].name == "1 a, 99 b"


def test_every_case_is_there_once() -> None:
    cases = list(every_case(("first", "second"), suites=[1, 2]))
    kinds = Counter((case.script.name, case.suite, case.encrypt_handshake) for case in cases)

    assert len({(case.script.name, case.suite, case.encrypt_handshake, case.assignment) for case in cases}) == len(
        cases
    )
    assert set(kinds) == {
        (script.name, suite, form) for script in all_scripts() for suite in (1, 2) for form in (True, False)
    }
    assert kinds[LONG, 1, True] == 1
    assert kinds["commit/empty", 2, False] == 4
    assert kinds["commit/remove", 2, False] == 32
    assert kinds["commit/add", 1, True] == 64


def test_a_peer_meets_ours_in_every_script() -> None:
    cases = list(peer_cases("ours", "peer", suites=[1]))

    assert {case.script.name for case in cases} == {script.name for script in all_scripts()}
    assert all({"ours", "peer"} == set(case.assignment.seats) for case in cases)


def test_a_case_says_what_it_is() -> None:
    case = next(sample(("a", "b"), suites=[3], scripts=[script_with(1)]))

    assert case.name in {"file/name, suite 3, private, actor0=a", "file/name, suite 3, private, actor0=b"}

"""The benchmarks measure what they say they measure. No test looks at a time."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mls.codec import encode_opaque
from mls.crypto.suite import CIPHER_SUITES
from mls.group.committing import commit
from mls.tree import math
from tests.benchmarks import __main__ as program
from tests.benchmarks.floors import Floor
from tests.benchmarks.groups import ENVIRONMENT, NOW, Groups
from tests.benchmarks.measuring import Budget, Case, Comparison, Measurement, Spread, measure
from tests.benchmarks.memory import weigh
from tests.benchmarks.opened import OpenedMessage
from tests.benchmarks.operations import OPERATIONS
from tests.benchmarks.primitives import opaque
from tests.benchmarks.reach import growth, is_reached

if TYPE_CHECKING:
    from pathlib import Path

TWO_ROUNDS = Budget(0, 2, 2)
FLOOR_OF_NOTHING = Floor([])


def _groups(suite: int = 1) -> Groups:
    return Groups(suite, lambda _: None)


def _calls(case: Case) -> dict[str, int]:
    """Return how many calls each item of a case's floor has."""
    return {item.what: len(item.calls) for item in case.floor.items}


# The program


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the program's runs short; return where they shall write."""
    monkeypatch.setattr(program, "QUICK", TWO_ROUNDS)
    monkeypatch.setattr(program, "SHORT_SIZE", 2)
    return tmp_path / "made" / "report.json"


def test_the_program_writes_all_that_it_measured(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--quick", "--sizes", "2", "33", "--json", str(report)]) == 0
    document = json.loads(report.read_text())
    assert set(document["machine"]) == {"python", "cryptography", "openssl", "platform", "cores"}
    (suite,) = document["suites"]
    assert suite["suite"] == 1
    measured = [(item["operation"], item["members"]) for item in suite["measurements"]]
    assert measured == [("create", 1), *((name, n) for name in OPERATIONS if name != "create" for n in (2, 33))]
    for item in suite["measurements"]:
        assert item["rounds"] == 2
        is_large = item["operation"] in {"add", "join", "update-cold"} and item["members"] == 33
        assert (item["threads"] is not None) == is_large
        for comparison in filter(None, (item["one_thread"], item["threads"])):
            for spread in comparison.values():
                assert list(spread) == ["least", "lower_quartile", "median", "upper_quartile", "most"]
                assert spread["least"] > 0
                assert list(spread.values()) == sorted(spread.values())
        assert all(part["section"] and part["calls"] >= 0 for part in item["floor"])
        assert sum(part["calls"] for part in item["floor"]) > 0
        assert (item["reach"] is None) == (item["is_reached"] is None)
    assert [found["operation"] for found in suite["growth"]] == ["protect", "open"]
    assert [(weight["condition"], weight["members"]) for weight in suite["memory"]] == [("cold", 33), ("warm", 33)]
    assert [other["suite"] for other in document["other_suites"]] == [2, 3, 4, 5, 6, 7]
    for other in document["other_suites"]:
        measured = [(item["operation"], item["members"]) for item in other["measurements"]]
        assert measured == [(name, 1 if name == "create" else 2) for name in program.SHORT_OPERATIONS]
    printed = capsys.readouterr()
    assert all(name in printed.out for name in OPERATIONS)
    assert str(report) in printed.err.replace("\n", "")


def test_the_program_measures_only_what_it_is_asked_for(report: Path) -> None:
    assert program.main(["--quick", "--suite", "3", "--only", "protect", "--sizes", "2", "--json", str(report)]) == 0
    document = json.loads(report.read_text())
    assert document["options"] == {"quick": True, "sizes": [2], "operations": ["protect"]}
    (suite,) = document["suites"]
    assert (suite["suite"], document["other_suites"]) == (3, [])
    assert [(item["operation"], item["members"]) for item in suite["measurements"]] == [("protect", 2)]
    assert suite["measurements"][0]["wire"]["message"] > 100
    assert suite["memory"] == []


@pytest.mark.parametrize(
    "arguments", [["--only", "nothing"], ["--sizes", "1"], ["--suite", "8"]], ids=lambda given: given[0]
)
def test_the_program_refuses_what_it_cannot_measure(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        program.main(arguments)
    assert refused.value.code == 2


# The groups. That their members agree, they prove themselves when they are made.


@pytest.mark.parametrize("members", [2, 3, 5, 8, 9])
def test_a_warm_tree_has_no_blank_parent_with_members_on_both_sides(members: int) -> None:
    pair = _groups().warm(members)
    tree = pair.author.public.tree
    assert tree.member_count == members
    for index in map(math.NodeIndex, range(1, math.node_count(tree.leaf_count), 2)):
        is_empty = tree.is_empty_below(math.left(index)) or tree.is_empty_below(math.right(index))
        assert (tree.node(index) is None) == is_empty
    for state in (pair.author, pair.reader):
        path = [math.leaf_node_index(state.own_leaf), *math.direct_path(state.own_leaf, tree.leaf_count)]
        held = {index: key.public_key for index, key in state.private_tree.items()}
        assert held == {index: node.encryption_key for index in path if (node := tree.node(index)) is not None}


def test_a_path_takes_a_ciphertext_for_each_level_when_warm_and_for_each_member_when_cold() -> None:
    groups = _groups()
    for pair, ciphertexts in ((groups.warm(8), 3), (groups.cold(8).pair, 7)):
        message = commit(pair.author, ENVIRONMENT, now=NOW).output.message.encode()
        path = OpenedMessage.of(message, pair.reader).path
        assert sum(len(node.encrypted_path_secret) for node in path.nodes) == ciphertexts


# The floors


@pytest.mark.parametrize("suite", sorted(CIPHER_SUITES))
def test_every_operation_and_its_floor_run_in_every_suite(suite: int) -> None:
    groups = _groups(suite)
    for operation in OPERATIONS.values():
        case = operation.case(groups, operation.pick((2,))[0])
        case.floor.run()
        case.prepare()
        case.run()


def test_a_floor_counts_what_the_rfc_asks_for() -> None:
    groups = _groups()
    protect = _calls(OPERATIONS["protect"].case(groups, 5))
    assert protect == {
        "signature of the message": 1,
        "key, nonce and next secret of the ratchet": 3,
        "content sealed": 1,
        "key and nonce of the sender data": 2,
        "sender data sealed": 1,
    }
    first = _calls(OPERATIONS["protect-first"].case(groups, 5))
    assert first == protect | {"secrets down to the leaf, and its two ratchets": 2 * 3 + 2}
    join = _calls(OPERATIONS["join"].case(groups, 5))
    assert join["signatures of the leaves"] == 5
    assert join["tree hashes, all"] == 2 * 8 - 1
    assert join["parent hashes, all"] == 3  # the creator's path
    add = _calls(OPERATIONS["add"].case(groups, 5))
    assert add["signatures of the KeyPackages"] == add["signatures of their leaves"] == 4
    assert add["GroupSecrets sealed"] == 4
    assert add["path secrets sealed"] == 0  # new members are told in the Welcome
    update = _calls(OPERATIONS["update-warm"].case(groups, 5))
    assert update["path secrets sealed"] == update["parent hashes of the path"] == 3
    assert update["key pairs of the nodes"] == 3 * 3  # two HMACs and a point
    process = _calls(OPERATIONS["process-warm"].case(groups, 5))
    assert process["key pairs of the nodes"] == 1 * 3  # the root's
    assert process["path secret opened"] == 1


@pytest.mark.parametrize("size", [0, 63, 64, 16383, 16384])
def test_opaque_sizes_are_those_of_the_codec(size: int) -> None:
    assert opaque(size) == len(encode_opaque(bytes(size)))


# Measuring and judging


def test_a_round_runs_the_operation_once_for_each_clock_and_prepares_each_time() -> None:
    done: list[str] = []
    case = Case("anything", 2, lambda: done.append("run"), FLOOR_OF_NOTHING, prepare=lambda: done.append("prepare"))
    found = measure([case, replace(case, uses_threads=True)], TWO_ROUNDS)
    assert [item.rounds for item in found] == [2, 2]
    assert found[0].threads is None
    assert found[1].threads is not None
    assert done == ["prepare", "run"] * (1 + 2) * (
        1 + 2
    )  # a warm-up and two rounds; on one thread, and on one and many


def test_ratios_are_taken_round_by_round() -> None:
    comparison = Comparison.of(ours=[2000, 40_000, 6000], floor=[1000, 10_000, 2000])
    assert comparison.ours.median == 6
    assert comparison.floor.median == 2
    assert comparison.ratio == Spread(2, 2.5, 3, 3.5, 4)


def _found(operation: str, members: int, ours: float, ratio: float) -> Measurement:
    spreads = [Spread(value, value, value, value, value) for value in (ours, ours / ratio, ratio)]
    return Measurement(Case(operation, members, int, FLOOR_OF_NOTHING), 2, Comparison(*spreads), None)


def test_reach_is_judged_by_the_median_ratio() -> None:
    assert is_reached(_found("protect", 2, 90, 1.8)) is True
    assert is_reached(_found("protect", 2, 90, 1.81)) is False
    assert is_reached(_found("join", 1000, 90, 1.35)) is True
    assert is_reached(_found("join", 100, 90, 1.36)) is None
    assert is_reached(_found("create", 1, 90, 9)) is None


def test_growth_compares_the_largest_group_with_the_smallest() -> None:
    times = {10: 500.0, 2: 100.0, 10_000: 110.0}
    (protect,) = growth([_found("protect", members, ours, 1) for members, ours in times.items()])
    assert (protect.smallest, protect.largest, protect.is_reached) == (2, 10_000, False)
    assert protect.factor == pytest.approx(1.1)
    assert growth([_found("protect", 2, 100, 1)]) == []


def test_memory_counts_each_object_once_and_nothing_that_all_states_share() -> None:
    part = bytes(1000)
    assert weigh([part]).objects == 2
    assert weigh([part, part]).objects == 2
    assert weigh([part], [part]).objects == 3
    assert weigh([part], [part]).bytes < weigh([part]).bytes + 1000
    assert weigh(CIPHER_SUITES[1]) == (0, 0)
    state = _groups().warm(2).reader
    assert weigh(state, state) == weigh(state)
    assert weigh(state).bytes > weigh(state.public.tree).bytes > 2 * 100

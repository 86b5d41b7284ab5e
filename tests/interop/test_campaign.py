"""The campaign: its short version with every peer, its verdict on broken builds of ours, and peers that break down."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.__main__ import main
from tests.interop.building import CACHE_VARIABLE, PEERS, UnavailableError, build
from tests.interop.campaign.crew import PATIENCE, Program
from tests.interop.campaign.page import page
from tests.interop.campaign.running import run
from tests.interop.campaign.tasks import Scope, WalkTask, partners, tasks_of
from tests.interop.cases import Case, every_case, peer_cases
from tests.interop.library import LONG, all_scripts
from tests.interop.stage import Result
from tests.interop.walks.features import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.interop.campaign.judging import Record
    from tests.interop.campaign.tasks import Task

ROOT = Path(__file__).parents[2]

OURS = Program((sys.executable, "-m", "bridge.cli", "interop", "--port", "0"), serves_grpc=True, directory=ROOT)
WRONG = Path(__file__).with_name("wrong") / "pipe_program.py"

SCRIPTS = {script.name: script for script in all_scripts()}
SUITES = {"ours": range(1, 8), "openmls": (1, 2, 3), "mls-rs": range(1, 8), "ts-mls": range(1, 8)}

NOTHING_KNOWN = "[suites]\n[experimental]\n"


# The short campaign


def test_the_short_campaign_with_every_peer(tmp_path: Path) -> None:
    results, text = tmp_path / "results.json", tmp_path / "page.md"
    status = main(["--quick", "--json", str(results), "--page", str(text)])
    document = json.loads(results.read_text(encoding="utf-8"))
    assert status == 0, [item for item in document["not_passed"] if item["verdict"] == "failed"]
    assert document["failed"] is False
    for peer in document["seats"].keys() - {"ours", "ours too"}:
        played = {cell["script"] for cell in document["cells"] if peer in cell["peers"]}
        assert played >= SCRIPTS.keys() - {LONG}, f"{peer} has not played everything"
        walked = [cell for cell in document["cells"] if peer in cell["peers"] and cell["script"].startswith("walk/")]
        assert walked, f"{peer} has not walked"
        assert document["seats"][peer]["name"] in text.read_text(encoding="utf-8")
    if document["absent"]:
        pytest.skip(f"not all peers can be built here: {document['absent']}")


def test_post_quantum_suites_where_a_number_means_the_same(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    asked = [
        "--experimental",
        "--quick",
        "--script",
        "welcome_join/*",
        "--script",
        "application/*",
        "--script",
        "commit/*",
    ]
    suites = [argument for suite in (77, 78, 79, 83, 84) for argument in ("--suite", str(suite))]
    status = main([*asked, *suites, "--json", str(results)])
    document = json.loads(results.read_text(encoding="utf-8"))
    assert status == 0, [item for item in document["not_passed"] if item["verdict"] == "failed"]
    played = {(*cell["peers"], cell["suite"]) for cell in document["cells"] if cell["passed"]}
    present = document["seats"].keys()
    assert played <= {("openmls", 77), ("openmls", 78), ("openmls", 79), ("ts-mls", 83), ("ts-mls", 84)}
    assert {peer for peer, _ in played} == {"openmls", "ts-mls"} & present
    if document["absent"]:
        pytest.skip(f"not all peers can be built here: {document['absent']}")


# Broken builds of ours


@pytest.fixture(scope="session")
def peer() -> str:
    """The name of a peer that can be built here."""
    reasons = []
    for name, candidate in PEERS.items():
        try:
            build(candidate)
        except UnavailableError as error:
            reasons.append(f"{name}: {error}")
        else:
            return name
    pytest.skip("; ".join(reasons))


def mislabelled(label: str) -> str:
    return shlex.join([sys.executable, "-m", "tests.interop.wrong.mislabelled", label, "interop", "--port", "0"])


BROKEN = {
    "confirm": "commit/empty",
    "authentication": "commit/empty",
    "exported": "commit/empty",
    "membership": "commit/update",
    "welcome": "welcome_join/no_path_secret",
    "joiner": "commit/empty",
    "KeyPackageTBS": "welcome_join/no_path_secret",
    "LeafNodeTBS": "welcome_join/no_path_secret",
    "GroupInfoTBS": "welcome_join/no_path_secret",
    "FramedContentTBS": "application/in_order",
    "sender data": "application/in_order",
    "UpdatePathNode": "commit/empty",
    "path": "commit/empty",
    "Proposal Reference": "commit/update",
    "derived psk": "commit/external_psk",
}
"""Labels of RFC 9420, each with a script that cannot do without it."""


@pytest.mark.parametrize("label, script", BROKEN.items())
def test_a_broken_build_of_ours_fails(label: str, script: str, peer: str, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    asked = ["--peer", peer, "--script", script, "--suite", "1", "--quick", "--json", str(results)]
    status = main([*asked, "--ours", mislabelled(label)])
    document = json.loads(results.read_text(encoding="utf-8"))
    assert status == 1
    assert document["failed"] is True
    assert document["totals"]["failed"] > 0
    assert document["not_passed"][0]["transcript"]


@pytest.mark.parametrize("script", sorted(set(BROKEN.values())))
def test_ours_as_it_is_does_not(script: str, peer: str) -> None:
    assert main(["--peer", peer, "--script", script, "--suite", "1", "--quick"]) == 0


def test_ours_alone_does_not_notice() -> None:
    """Which is why there are peers."""
    asked = ["--no-peers", "--script", "commit/empty", "--suite", "1", "--quick", "--ours", mislabelled("confirm")]
    assert main(asked) == 0


# Peers that break down


def wrong(*ways: str) -> Program:
    return Program((sys.executable, "-I", str(WRONG), *ways), serves_grpc=False, seconds=1)


def played(programs: Mapping[str, Program], tasks: Sequence[Task], *, jobs: int = 2) -> list[Record]:
    def avoid_nothing(_peer: str, _suite: int) -> frozenset[Feature]:
        return frozenset()

    records = list(run(tasks, programs, avoid_nothing, jobs=jobs, seconds=30))
    assert len(records) == len(tasks)
    return records


@pytest.mark.parametrize(
    "ways, reason",
    [
        (["die"], "DIED"),
        (["hang"], "TIMEOUT"),
        (["not JSON"], "NONSENSE"),
        (["good", "die"], "DIED|NONSENSE"),
    ],
)
def test_a_peer_that_breaks_down_fails_its_own_scenarios_alone(ways: list[str], reason: str) -> None:
    script = SCRIPTS["commit/empty"]
    with_peer = list(peer_cases("ours", "openmls", suites=[1], scripts=[script]))
    alone = list(every_case(("ours", "ours too"), suites=[1], scripts=[script]))
    mixed: list[Task] = [case for pair in zip(with_peer, alone, strict=False) for case in pair]
    programs = {"ours": OURS, "ours too": OURS, "openmls": wrong(*ways)}
    for record in played(programs, mixed):
        if record.partners:
            assert record.outcome.result is Result.FAILED
            assert any(code in record.outcome.reason for code in reason.split("|")), record.outcome.reason
        else:
            assert record.outcome.result is Result.PASSED, record.outcome.reason


def test_a_peer_that_always_hangs_is_given_up() -> None:
    tasks = list(peer_cases("ours", "openmls", suites=[1, 2, 3], scripts=[SCRIPTS["commit/empty"]])) * 3
    assert len(tasks) > 2 * PATIENCE
    begun = time.monotonic()
    records = played({"ours": OURS, "openmls": wrong("hang")}, tasks, jobs=1)
    assert time.monotonic() - begun < 60, "not the time limit of each call for every scenario"
    assert "given up after" in records[-1].outcome.reason
    assert all(record.outcome.result is Result.FAILED for record in records)


def test_a_program_that_is_not_there_fails_its_scenarios() -> None:
    tasks = list(peer_cases("ours", "openmls", suites=[1], scripts=[SCRIPTS["commit/empty"]]))
    for record in played({"ours": OURS, "openmls": Program(("/no/such/program",), serves_grpc=False)}, tasks):
        assert "a seat does not start: DIED" in record.outcome.reason


def test_a_walk_with_a_peer_that_dies_fails() -> None:
    task = WalkTask(("ours", "openmls"), suite=1, encrypt_handshake=True, seed=1, steps=5)
    (record,) = played({"ours": OURS, "openmls": wrong("die")}, [task])
    assert record.outcome.result is Result.FAILED


# What is played


def tasks(*, quick: bool, seed: int = 1) -> list[Task]:
    scope = Scope(tuple(SCRIPTS.values()), walks=True, quick=quick, seed=seed)
    return tasks_of(scope, SUITES, ["openmls", "mls-rs", "ts-mls"])


def test_every_peer_is_in_every_seat() -> None:
    chosen = {
        (partners(task), task.suite, task.encrypt_handshake, task.assignment.seats)
        for task in tasks(quick=False)
        if isinstance(task, Case) and task.script.name == "welcome_join/no_path_secret"
    }
    for peer_name, suites in SUITES.items():
        for suite in suites:
            for encrypt in (False, True):
                if peer_name == "ours":
                    seats = {(one, other) for one in ("ours", "ours too") for other in ("ours", "ours too")}
                    company: tuple[str, ...] = ()
                else:
                    seats, company = {("ours", peer_name), (peer_name, "ours")}, (peer_name,)
                assert {(company, suite, encrypt, two) for two in seats} <= chosen


def test_there_is_a_walk_for_each_pair_suite_and_form() -> None:
    walks = [task for task in tasks(quick=False) if isinstance(task, WalkTask)]
    assert len({(walk.seats, walk.suite, walk.encrypt_handshake) for walk in walks}) == len(walks)
    assert len(walks) == (3 + 3 + 7) * 2
    assert {walk.steps for walk in walks} == {200}
    assert len({walk.seed for walk in walks}) == len(walks)


def test_a_walk_is_the_same_whatever_else_is_asked_for() -> None:
    scope = Scope((), walks=True, quick=False, seed=1)
    alone = tasks_of(scope, SUITES, ["mls-rs", "ts-mls"])
    assert len(alone) == 7 * 2
    assert set(alone) <= set(tasks(quick=False))


def test_the_short_version_has_every_script_with_every_peer() -> None:
    chosen = tasks(quick=True)
    for peer_name in ("openmls", "mls-rs", "ts-mls"):
        cases = [task for task in chosen if isinstance(task, Case) and partners(task) == (peer_name,)]
        assert {case.script.name for case in cases} == set(SCRIPTS)
        assert {case.suite for case in cases} == set(SUITES[peer_name])
        assert {case.encrypt_handshake for case in cases} == {False, True}
    assert len(chosen) < len(tasks(quick=False)) / 10


def test_a_seed_always_chooses_the_same() -> None:
    assert tasks(quick=True) == tasks(quick=True)
    assert tasks(quick=True) != tasks(quick=True, seed=2)


# The program


def test_a_campaign_can_be_given_a_time(tmp_path: Path) -> None:
    results, text = tmp_path / "results.json", tmp_path / "page.md"
    asked = ["--no-peers", "--script", "commit/*", "--minutes", "0.1"]
    assert main([*asked, "--json", str(results), "--page", str(text)]) == 0
    document = json.loads(results.read_text(encoding="utf-8"))
    assert 0 < document["played"] < document["planned"]
    assert f"{document['played']:,} of {document['planned']:,} scenarios were played" in text.read_text(
        encoding="utf-8"
    )


def test_an_interrupted_campaign_tells_what_it_has(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    # A program that is started in the background of a shell script ignores Ctrl-C, and so do all that it starts.
    heeding = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program_of_it = f"{heeding}; from tests.interop.__main__ import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program_of_it, "--no-peers", "--script", "commit/*", "--json", str(results)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        time.sleep(10)  # it is at work then, and not nearly done
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=60)
    assert program.returncode == 130
    document = json.loads(results.read_text(encoding="utf-8"))
    assert document["played"] < document["planned"]


def test_nothing_to_play_is_not_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--no-peers", "--script", "no/such/script"]) == 2
    assert "nothing to play" in capsys.readouterr().err


def test_ours_that_does_not_start_is_not_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--no-peers", "--script", "commit/empty", "--ours", "/no/such/program"]) == 2
    assert "/no/such/program" in capsys.readouterr().err


def test_a_list_that_cannot_be_read_is_not_a_success(tmp_path: Path) -> None:
    assert main(["--no-peers", "--known", str(tmp_path / "nothing")]) == 2


@pytest.fixture
def _no_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave nothing that could build a peer, but what seats need."""
    (tmp_path / "cat").symlink_to(shutil.which("cat") or "/bin/cat")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "peers"))


@pytest.mark.usefixtures("_no_tools")
def test_a_peer_that_cannot_be_built_here_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    results = tmp_path / "results.json"
    asked = ["--peer", "ts-mls", "--script", "commit/empty", "--suite", "1", "--quick", "--json", str(results)]
    assert main(asked) == 0
    assert "no program 'node' here" in json.loads(results.read_text(encoding="utf-8"))["absent"]["ts-mls"]


@pytest.mark.usefixtures("_no_tools")
def test_in_ci_it_is_a_failure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CI", "true")
    assert main(["--peer", "ts-mls", "--script", "commit/empty", "--suite", "1", "--quick"]) == 1
    assert "ts-mls cannot be built here" in capsys.readouterr().err


def test_the_page_is_made_from_the_document_alone(tmp_path: Path) -> None:
    results, text, known = tmp_path / "results.json", tmp_path / "page.md", tmp_path / "known.toml"
    known.write_text(NOTHING_KNOWN, encoding="utf-8")
    asked = ["--no-peers", "--script", "commit/empty", "--suite", "1", "--quick", "--known", str(known)]
    assert main([*asked, "--json", str(results), "--page", str(text)]) == 0
    document: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    assert page(document) == text.read_text(encoding="utf-8")
    assert "| `commit/empty` | ✓ 2 |" in page(document)
    document["seats"]["ours"]["name"] = "a | <b> `c`\nd"
    assert r"a \| \<b\> \`c\` d" in page(document)

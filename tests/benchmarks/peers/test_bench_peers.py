"""The comparison measures what it says it measures, and goes on without those who fail. No test looks at a time."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from bridge.interop import mls_client_pb2 as pb
from tests.benchmarks.measuring import Spread
from tests.benchmarks.peers import __main__ as program
from tests.benchmarks.peers import figures
from tests.benchmarks.peers.chart import draw
from tests.benchmarks.peers.document import Case, Document, Sample, SuiteResults
from tests.benchmarks.peers.implementations import OURS, Implementation, Kind, Station
from tests.benchmarks.peers.measuring import Budget, exactly, take_turns
from tests.benchmarks.peers.page import write_page
from tests.benchmarks.peers.reach import judge
from tests.benchmarks.peers.rows import Call, RowSeat
from tests.benchmarks.peers.run import measure_suite
from tests.benchmarks.peers.trials import OPERATIONS
from tests.interop.building import PEERS, build, cache_directory
from tests.interop.building.building import COMMAND, digest
from tests.interop.seats import Code, SeatError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from tests.benchmarks.peers.measuring import Run

WRONG = Path(__file__).parents[2] / "interop" / "wrong" / "pipe_program.py"
SVG = "{http://www.w3.org/2000/svg}"

OURS_HERE = Implementation(OURS, Kind.OURS, (sys.executable, "-m", "bridge.cli", "interop", "--pipe"))


def _built() -> Iterator[Implementation]:
    """Yield the peers that are built already: building them takes minutes."""
    for name, peer in PEERS.items():
        if (cache_directory() / name / digest(peer.sources) / COMMAND).exists():
            yield Implementation(name, Kind.SCRIPT if name == "ts-mls" else Kind.NATIVE, build(peer).command)


def _wrong(name: str, *ways: str) -> Implementation:
    return Implementation(name, Kind.NATIVE, (sys.executable, "-I", str(WRONG), *ways))


def _liar(name: str, rpc: str, field: str) -> Implementation:
    command = (sys.executable, "-m", "tests.interop.wrong.liar", "pipe", rpc, field)
    return Implementation(name, Kind.NATIVE, command)


def _silent(_: str) -> None:
    pass


# The program


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Measure everything once, as shortly as can be; return where the results are."""
    place = tmp_path_factory.mktemp("bench")
    peers = list(_built())
    good = [OURS_HERE, *peers]

    def find(_peers: Collection[str], _say: Callable[[str], None]) -> tuple[list[Implementation], dict[str, str]]:
        wrong = [_wrong("dying", "good", "die"), _wrong("refusing", "good", "refused"), _wrong("dead", "die")]
        return [*good, *wrong], {"absent": "there is no program 'nothing' here"}

    arguments = ["--rounds", "2", "--sizes", "2", "--suite", "1", "--json", str(place / "made" / "all.json")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "find", find)
        assert program.main(arguments) == 0
    (place / "peers").write_text("\n".join(peer.name for peer in peers))
    return place


def test_the_program_writes_all_that_it_measured(run: Path) -> None:
    written = json.loads((run / "made" / "all.json").read_text())
    document = Document.from_json(written)
    assert document.to_json() == written
    good = [OURS, *(run / "peers").read_text().split()]
    assert list(document.versions) == [*good, "dying", "refusing"]
    (results,) = document.suites
    assert [(case.operation, case.members) for case in results.cases] == [
        (name, 1 if name == "create" else 2) for name in OPERATIONS
    ]
    for case in results.cases:
        assert list(case.samples) == good, case.missing
        for name, sample in case.samples.items():
            assert sample.rounds == 2
            assert 0 < sample.time.least <= sample.time.lower_quartile <= sample.time.median <= sample.time.most, name
            assert set(sample.wire) == {
                "create": set(),
                "add": {"commit", "welcome"},
                "join": {"welcome"},
                "protect": {"message"},
                "open": {"message"},
            }.get(case.operation, {"commit"})
            assert all(size > 100 for size in sample.wire.values())
        assert case.floor.least > 0
    (weights,) = document.memory
    assert list(weights.peaks) == good
    assert all(1 << 20 < peak.started <= peak.member for peak in weights.peaks.values())
    assert set(weights.missing) == {"dying", "refusing"}


def test_one_that_fails_is_missing_with_the_reason_and_the_others_go_on(run: Path) -> None:
    document = Document.from_json(json.loads((run / "made" / "all.json").read_text()))
    assert set(document.missing) == {"absent", "dead"}
    assert "exited with 3" in document.missing["dead"]
    cases = document.suites[0].cases
    assert {case.missing["refusing"] for case in cases} == {"FAILED_PRECONDITION: no"}
    assert "cannot answer request 2" in cases[0].missing["dying"]
    assert cases[-1].missing["dying"].startswith("DIED: given up after")


def test_the_page_and_the_chart_are_made_of_what_was_written(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, chart = tmp_path / "docs" / "page.md", tmp_path / "docs" / "charts" / "chart.svg"
    arguments = ["--read", str(run / "made" / "all.json"), "--page", str(page), "--chart", str(chart)]
    assert program.main(arguments) == 0
    document = Document.from_json(json.loads((run / "made" / "all.json").read_text()))
    text = page.read_text()
    assert "](charts/chart.svg)" in text
    assert document.versions[OURS] in text
    assert "dying is missing in join at 2" in text
    ours = document.suites[0].cases[0].samples[OURS]
    assert f"| create | 1 | **{figures.time(ours.time.median)}**" in text
    drawing = ET.parse(chart).getroot()  # noqa: S314 - our own file
    words = [element.text for element in drawing.iter(f"{SVG}text")]
    assert "join" in words
    assert OURS in words
    assert len(list(drawing.iter(f"{SVG}circle"))) >= 8  # ours: in each panel, and the legend
    printed = capsys.readouterr().out
    assert "absent is missing" in printed
    assert "Peak memory" in printed


def test_the_program_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"date": "today"}')
    wrong: list[tuple[list[str], object]] = [
        (["--only", "nothing"], 2),
        (["--sizes", "1"], 2),
        (["--rounds", "1"], 2),
        (["--peer", "nobody"], 2),
        (["--json", str(tmp_path), "--only", "create"], f"{tmp_path}: cannot be written"),
        (["--read", str(other)], f"{other}: not what this program writes: KeyError: 'machine'"),
    ]
    for arguments, code in wrong:
        with pytest.raises(SystemExit) as refused:
            program.main(arguments)
        assert refused.value.code == code


def test_with_nobody_to_measure_the_program_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "find", lambda _peers, _say: ([_wrong("dead", "die")], {}))
    assert program.main(["--only", "create", "--rounds", "2", "--sizes", "2", "--suite", "1"]) == 1
    assert "cannot answer request 1" in " ".join(capsys.readouterr().err.split())


# Trials


@pytest.mark.parametrize(
    "operation, rpc, field, error",
    [
        ("update-cold", "Commit", "commit", "AuthenticationError"),
        ("join", "JoinGroup", "epoch_authenticator", "WrongAnswerError"),
        ("update-warm", "HandlePendingCommit", "epoch_authenticator", "WrongAnswerError"),
        ("process-cold", "HandleCommit", "epoch_authenticator", "WrongAnswerError"),
        ("protect", "Protect", "ciphertext", "AuthenticationError"),
        ("open", "Unprotect", "plaintext", "WrongAnswerError"),
    ],
)
def test_whoever_computes_something_else_is_not_fast_but_missing(
    operation: str, rpc: str, field: str, error: str
) -> None:
    station = Station(_liar("liar", rpc, field))
    try:
        (case,) = measure_suite(1, [station], [operation], [3], exactly(2), _silent).cases
    finally:
        station.close()
    assert case.samples == {}
    assert case.missing["liar"].startswith(error)


# Rows


@pytest.fixture
def seats() -> Iterator[Callable[..., RowSeat]]:
    """Yield what starts a program that answers in these ways, one after the other."""
    started: list[RowSeat] = []

    def start(*ways: str) -> RowSeat:
        started.append(RowSeat.start("wrong", [sys.executable, "-I", str(WRONG), *ways], seconds=20))
        return started[-1]

    yield start
    for seat in started:
        seat.close()


NAME = pb.NameRequest()


def test_a_row_gives_all_answers_but_for_those_that_do_not_count(seats: Callable[..., RowSeat]) -> None:
    seat = seats("good")
    name = Call("Name", NAME, pb.NameResponse)
    assert [(timed.answer.name, timed.ns) for timed in seat.call_row("Name", [NAME] * 3, pb.NameResponse)] == [
        ("good", 5)
    ] * 3
    seat.warm_up = [name, name]
    assert len(seat.call_row("Name", [NAME], pb.NameResponse)) == 1
    assert seat.call("Name", NAME, pb.NameResponse).name == "good"


def test_a_refusal_in_a_row_is_told_and_the_seat_goes_on(seats: Callable[..., RowSeat]) -> None:
    seat = seats("good", "refused", "good")
    with pytest.raises(SeatError, match="FAILED_PRECONDITION: no"):
        seat.call_row("Name", [NAME] * 3, pb.NameResponse)
    assert seat.call("Name", NAME, pb.NameResponse).name == "good"


@pytest.mark.parametrize(
    "ways, code",
    [(["good", "die"], Code.DIED), (["good", "wrong id"], Code.NONSENSE), (["good", "not JSON"], Code.NONSENSE)],
)
def test_a_seat_that_breaks_in_a_row_is_of_no_use_any_more(
    seats: Callable[..., RowSeat], ways: list[str], code: Code
) -> None:
    seat = seats(*ways)
    with pytest.raises(SeatError) as broken:
        seat.call_row("Name", [NAME] * 3, pb.NameResponse)
    assert broken.value.code is code
    with pytest.raises(SeatError, match="given up after"):
        seat.call_row("Name", [NAME], pb.NameResponse)


# Measuring and judging


def test_all_take_turns_and_the_first_turn_does_not_count() -> None:
    done: list[str] = []

    def run_of(name: str) -> Run:
        def run(turn: int, count: int) -> list[int]:
            done.append(name)
            return [turn] * count

        return run

    tallies = take_turns({name: run_of(name) for name in "abc"}, exactly(3), (), in_rows=False)
    assert "".join(done) == "abcbcacababc"
    assert [tally.samples for tally in tallies.values()] == [[1, 2, 3]] * 3


def test_what_is_over_soon_is_done_several_times_in_a_turn() -> None:
    asked: list[tuple[int, int]] = []

    def run(turn: int, count: int) -> list[int]:
        asked.append((turn, count))
        return [len(asked)] * count

    (tally,) = take_turns({"quick": run}, exactly(11), ()).values()
    assert asked == [(0, 1), (1, 8), (2, 8)]
    assert tally.samples == [2] * 8 + [3] * 3


def test_one_that_fails_drops_out_and_an_unexpected_error_is_not_hidden() -> None:
    def work(_turn: int, _count: int) -> list[int]:
        return [1]

    def fail(turn: int, _count: int) -> list[int]:
        if turn == 1:
            raise SeatError(Code.DIED, "gone")
        return [1]

    tallies = take_turns({"good": work, "bad": fail}, exactly(2), (SeatError,), in_rows=False)
    assert tallies["good"].samples == [1, 1]
    assert isinstance(tallies["bad"].failure, SeatError)
    with pytest.raises(SeatError):
        take_turns({"bad": fail}, exactly(2), (), in_rows=False)


def test_a_budget_asks_for_fewer_samples_the_longer_they_take() -> None:
    budget = Budget(seconds=1, least=7, most=100, patience=10)
    assert not budget.is_spent(99, 0.5)
    assert budget.is_spent(100, 0.5)
    assert not budget.is_spent(6, 2)
    assert budget.is_spent(7, 2)
    assert not budget.is_spent(2, 15)
    assert budget.is_spent(3, 15)
    assert not budget.is_spent(1, 20)
    assert budget.is_spent(2, 20)


KINDS = {OURS: Kind.OURS, "a": Kind.NATIVE, "b": Kind.NATIVE, "script": Kind.SCRIPT}


def _same(value: float) -> Spread:
    return Spread(value, value, value, value, value)


def _case(operation: str, members: int, floor: float, **medians: float) -> Case:
    samples = {name: Sample(2, _same(value), {"commit": 7}) for name, value in medians.items()}
    return Case(operation, members, _same(floor), samples, {name: "not there" for name in KINDS if name not in medians})


@pytest.mark.parametrize(
    "case, misses",
    [
        (_case("open", 100, 10, ours=20, a=10, b=30, script=21), ()),
        (_case("open", 100, 10, ours=20, a=10, b=30, script=20), ("slower than script",)),
        (_case("open", 100, 10, ours=21, a=10, b=30, script=30), ("2.1 times a",)),
        (_case("open", 99, 10, ours=21, a=10, b=30, script=30), ()),
        (_case("open", 100, 15, ours=21, a=10, b=30, script=30), ()),
        (_case("join", 2, 10, ours=20, a=10, b=21), ()),
        (_case("join", 2, 10, ours=21, a=10, b=21), ("behind every native one",)),
        (_case("open", 2, 10, ours=21, a=10, b=21), ()),
    ],
)
def test_reach_is_judged_by_the_medians(case: Case, misses: tuple[str, ...]) -> None:
    assert judge(case, KINDS) == (not misses, misses)


def test_there_is_no_verdict_without_somebody_to_compare_with() -> None:
    assert judge(_case("join", 100, 10, ours=20), KINDS) == (None, ())
    assert judge(_case("join", 100, 10, a=20, script=20), KINDS) == (None, ())


@pytest.mark.parametrize("there", [("ours",), ("script",), ("ours", "script"), ("a", "b")])
def test_a_page_and_a_chart_can_be_made_whoever_is_missing(there: tuple[str, ...]) -> None:
    cases = [_case("join", members, 10, **dict.fromkeys(there, 20.0)) for members in (2, 1000)]
    document = Document(
        date="2026-01-01",
        machine={"processor": "<fast> & new", "cores": "2"},
        versions=dict.fromkeys(KINDS, "1.0"),
        kinds=KINDS,
        missing={},
        options={},
        seconds=1,
        suites=[SuiteResults(1, cases)],
        memory=[],
    )
    assert "not there" in write_page(document, "")
    words = [element.text or "" for element in ET.fromstring(draw(document)).iter(f"{SVG}text")]  # noqa: S314 - our own
    assert any("<fast> & new" in word for word in words)

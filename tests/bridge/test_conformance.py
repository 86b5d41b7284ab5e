"""`mls-bridge conformance` as a shell sees it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from bridge.commands import conformance as command
from mls import conformance
from tests.bridge.test_cli import run
from tests.mls.conformance.examples import example
from tests.vectors.official import SUMS, entries, official_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from mls.crypto.random import Random

GOOD = example("deserialization")
BAD = {**GOOD, "length": 1}


@pytest.fixture(autouse=True)
def _plain_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "160")


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


class Program:
    """The command, run in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch = monkeypatch
        self.capsys = capsys

    def table(self, directory: Path) -> tuple[int, str, str]:
        """Exit code, output, errors."""
        code = run(self.monkeypatch, "conformance", str(directory))
        captured = self.capsys.readouterr()
        return code, captured.out, captured.err

    def report(self, directory: Path) -> tuple[int, dict[str, Any]]:
        """Exit code, and what `--json` prints; nothing else may be printed at all."""
        code = run(self.monkeypatch, "conformance", "--json", str(directory))
        captured = self.capsys.readouterr()
        assert captured.err == "" or code == 2
        report: dict[str, Any] = json.loads(captured.out)
        return code, report


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    return Program(monkeypatch, capsys)


def test_all_official_vectors_pass(program: Program) -> None:
    code, report = program.report(official_vectors())

    assert code == 0
    assert (report["total"], report["passed"], report["failed"]) == (785, 785, 0)
    assert report["unrecognised"] == []
    assert report["files"].keys() == SUMS.keys()
    suites = {name: file["suites"] for name, file in report["files"].items()}
    assert all(found in ([], [1], [1, 2, 3, 4, 5, 6, 7]) for found in suites.values())
    assert suites["treekem.json"] == [1, 2, 3, 4, 5, 6, 7]
    assert report["files"]["welcome.json"] == {
        "format": "welcome",
        "entries": 7,
        "passed": 7,
        "failed": 0,
        "suites": [1, 2, 3, 4, 5, 6, 7],
        "failures": [],
    }


def test_files_are_found_at_any_depth_and_under_any_name(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "a.json", [GOOD])
    write(tmp_path / "b" / "c" / "psk_secret.JSON", [GOOD, GOOD])
    write(tmp_path / "b" / "not-looked-at.txt", [BAD])
    write(tmp_path / "b.json" / "d.json", entries("psk_secret.json"))

    code, report = program.report(tmp_path)

    assert code == 0
    assert report["total"] == 80
    formats = {name: file["format"] for name, file in report["files"].items()}
    assert formats == {
        "a.json": "deserialization",
        "b.json/d.json": "psk_secret",
        "b/c/psk_secret.JSON": "deserialization",
    }


def test_failure_names_entry_suite_check_and_error(program: Program, tmp_path: Path) -> None:
    vectors = entries("psk_secret.json")[:3]
    write(tmp_path / "psk.json", [vectors[0], {**vectors[1], "psk_secret": "00"}, vectors[2]])

    code, report = program.report(tmp_path)

    assert code == 1
    assert (report["total"], report["passed"], report["failed"]) == (3, 2, 1)
    [failure] = report["files"]["psk.json"].pop("failures")
    assert failure.pop("error").startswith("the engine has ")
    assert failure == {"entry": 1, "suite": 1, "check": "psk_secret"}
    assert report["files"]["psk.json"] == {
        "format": "psk_secret",
        "entries": 3,
        "passed": 2,
        "failed": 1,
        "suites": [1],
    }


def test_unsupported_suite_is_a_failure(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "psk.json", [{**example("psk_secret"), "cipher_suite": 99}])

    code, report = program.report(tmp_path)

    assert code == 1
    assert report["files"]["psk.json"]["suites"] == [99]
    assert "cipher suite 99 is not supported" in report["files"]["psk.json"]["failures"][0]["error"]


def test_table_shows_each_file_and_each_failure(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "good.json", [GOOD] * 3)
    write(tmp_path / "all suites.json", entries("psk_secret.json"))
    write(tmp_path / "mixed.json", [GOOD, BAD, {**example("psk_secret"), "cipher_suite": 9}, GOOD])
    write(tmp_path / "package.json", {"name": "x"})

    code, output, errors = program.table(tmp_path)

    assert code == 1
    assert errors == ""
    rows = [line.split("  ") for line in output.splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert ["file", "format", "entries", "passed", "failed", "suites"] in cells
    assert ["good.json", "deserialization", "3", "3", "0"] in cells
    assert ["all suites.json", "psk_secret", "77", "77", "0", "1-7"] in cells
    assert ["mixed.json", "deserialization", "4", "2", "2", "9"] in cells
    assert "mixed.json, entry 1, length: the engine has 16383, the vector 1" in output
    assert "mixed.json, entry 2, suite 9, " in output
    assert "unrecognised: package.json" in output
    assert output.endswith("82 of 84 passed\n")


def test_other_json_counts_for_nothing(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "good.json", [GOOD])
    others: list[object] = [None, 3, "x", {}, [], [1], [{}], GOOD]
    for number, value in enumerate(others):
        write(tmp_path / f"other{number}.json", value)

    code, report = program.report(tmp_path)

    assert code == 0
    assert report["total"] == 1
    assert report["unrecognised"] == [f"other{number}.json" for number in range(8)]
    assert report["files"].keys() == {"good.json"}


# What cannot be read

UNREADABLE = {
    "empty": (b"", "is not valid JSON: Expecting value"),
    "cut short": (json.dumps([GOOD]).encode()[:-1], "is not valid JSON: Expecting ',' delimiter"),
    "two values": (b"[][]", "is not valid JSON: Extra data"),
    "not Unicode": (b'["\xff"]', "is not valid JSON: 'utf-8' codec can't decode"),
    "too deep": (b"[" * 100_000, "is not valid JSON: it is nested too deeply"),
    "not a number": (b"[NaN]", "is not valid JSON: NaN is not a value"),
    "too many digits": (b"[" + b"1" * 5000 + b"]", "is not valid JSON: Exceeds the limit"),
    "a field twice": (b'[{"vlbytes_header": "00", "length": 1, "length": 0}]', "is not valid JSON: an object has"),
}


@pytest.mark.parametrize("data, error", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_not_json_fails_as_a_whole(program: Program, tmp_path: Path, data: bytes, error: str) -> None:
    write(tmp_path / "good.json", [GOOD])
    (tmp_path / "bad.json").write_bytes(data)

    code, report = program.report(tmp_path)

    assert code == 1
    assert (report["total"], report["passed"], report["failed"]) == (2, 1, 1)
    assert report["unrecognised"] == []
    file = report["files"]["bad.json"]
    [failure] = file.pop("failures")
    assert failure.pop("error").startswith(error)
    assert failure == {"entry": None, "suite": None, "check": ""}
    assert file == {"format": None, "entries": 0, "passed": 0, "failed": 1, "suites": []}


def test_what_cannot_be_read_fails_as_a_whole(program: Program, tmp_path: Path) -> None:
    (tmp_path / "nowhere.json").symlink_to("missing")
    (tmp_path / "self.json").symlink_to("self.json")
    os.mkfifo(tmp_path / "pipe.json")
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(command.MAX_FILE_SIZE + 1)

    code, output, errors = program.table(tmp_path)

    assert code == 1
    assert errors == ""
    assert "nowhere.json: cannot be read: No such file or directory\n" in output
    assert "self.json: cannot be read: Too many levels of symbolic links\n" in output
    assert "pipe.json: is not a regular file\n" in output
    assert "huge.json: is larger than 64 MiB\n" in output
    assert output.endswith("0 of 4 passed\n")


def test_links_to_files_are_followed_and_links_to_directories_are_not(program: Program, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    write(tmp_path / "outside" / "vectors.json", [GOOD])
    inside.mkdir()
    (inside / "linked.json").symlink_to(tmp_path / "outside" / "vectors.json")
    (inside / "directory").symlink_to(tmp_path / "outside")
    (inside / "loop").symlink_to(inside)

    code, report = program.report(inside)

    assert code == 0
    assert report["files"].keys() == {"linked.json"}


def test_directory_may_be_a_link_itself(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "there" / "vectors.json", [GOOD])
    (tmp_path / "here").symlink_to("there")

    assert program.report(tmp_path / "here")[1]["total"] == 1


def test_names_and_values_cannot_steer_the_terminal(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "[red]\x1b]0;x\x07.json", [{**GOOD, "\x1b[2J[/red]": 1}])
    write(tmp_path / "\x1b[2J.json", {})
    write(tmp_path / os.fsdecode(b"\xff.json"), [BAD])

    code, output, _ = program.table(tmp_path)

    assert code == 1
    assert "[red]\\x1b]0;x\\x07.json, entry 0, \\x1b[2J[/red]: is not a field of this format\n" in output
    assert "unrecognised: \\x1b[2J.json\n" in output
    assert "\\udcff.json, entry 0, length: " in output
    assert all(char == "\n" or char.isprintable() for char in output)


def test_names_in_json_are_the_real_ones(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "\x1b[2J ü.json", [GOOD])
    write(tmp_path / os.fsdecode(b"\xff.json"), [GOOD])

    _, report = program.report(tmp_path)

    assert {os.fsencode(name) for name in report["files"]} == {"\x1b[2J ü.json".encode(), b"\xff.json"}


# Nothing to run, and wrong usage


def test_directory_without_vectors_exits_with_2(program: Program, tmp_path: Path) -> None:
    assert program.table(tmp_path) == (2, "", f"There are no test vectors in {tmp_path}.\n")

    write(tmp_path / "package.json", {})
    message = f"There are no test vectors in {tmp_path}; 1 JSON file holds something else.\n"
    assert program.table(tmp_path) == (2, "", message)

    write(tmp_path / "tsconfig.json", {})
    message = f"There are no test vectors in {tmp_path}; 2 JSON files hold something else.\n"
    assert program.table(tmp_path) == (2, "", message)

    code, report = program.report(tmp_path)
    assert code == 2
    assert report == {
        "total": 0,
        "passed": 0,
        "failed": 0,
        "unrecognised": ["package.json", "tsconfig.json"],
        "files": {},
    }


@pytest.mark.parametrize("arguments", [[], ["missing"], ["file.json"], [".", "."], [".", "--jsn"]])
def test_wrong_usage_exits_with_2_and_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "file.json", [GOOD])

    assert run(monkeypatch, "conformance", *arguments) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Usage: mls-bridge conformance" in captured.err


def test_help_says_what_counts_as_what(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "conformance", "--help") == 0

    output = capsys.readouterr().out
    for words in ("Failed as a whole", "Unrecognised", "--json", "Exit codes: 0 all passed"):
        assert words in output


# Progress and interruption


def test_progress_is_shown_on_stderr_and_wiped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    write(tmp_path / "vectors.json", [GOOD, BAD])

    assert run(monkeypatch, "conformance", "--json", str(tmp_path)) == 1

    captured = capsys.readouterr()
    assert json.loads(captured.out)["total"] == 2
    assert "vectors.json" in captured.err
    assert "100%" in captured.err
    assert captured.err.rstrip().endswith("\x1b[2K")


@pytest.mark.parametrize("arguments", [["--json"], []])
def test_interrupt_exits_with_130_and_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str]
) -> None:
    real = conformance.run

    def interrupted(name: str, given: list[object], random: Random) -> Iterator[conformance.Result]:
        yield next(real(name, given, random))
        raise KeyboardInterrupt

    monkeypatch.setattr(conformance, "run", interrupted)
    write(tmp_path / "vectors.json", [GOOD, GOOD])

    assert run(monkeypatch, "conformance", str(tmp_path), *arguments) == 130

    captured = capsys.readouterr()
    assert captured.out.strip() == ""
    assert captured.err.strip() == ""

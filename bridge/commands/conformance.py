"""`mls-bridge conformance`: the MLS working group's test vectors, run against the engine."""

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from mls import conformance
from mls.crypto.random import system_random

__all__ = ["run"]

EXIT_FAILED = 1
EXIT_NOTHING_TO_RUN = 2

MAX_FILE_SIZE = 1 << 26
"""In bytes: 64 MiB. The largest official file has 3."""


class _UnreadableError(Exception):
    """A file is not to be had, or is not JSON. Says why."""


@dataclass
class _FileReport:
    """What came of one file."""

    format: str | None = None
    results: list[conformance.Result] = field(default_factory=list)
    unreadable: str | None = None
    """Why it could not be read: then there are no results, and this is the one failure."""

    @property
    def failed(self) -> int:
        return sum(result.failure is not None for result in self.results) + (self.unreadable is not None)

    @property
    def passed(self) -> int:
        return sum(result.failure is None for result in self.results)

    @property
    def suites(self) -> list[int]:
        return sorted({result.suite for result in self.results if result.suite is not None})

    def failures(self) -> Iterator[tuple[int | None, int | None, str, str]]:
        """Yield entry, suite, check and error of each failure."""
        if self.unreadable is not None:
            yield None, None, "", self.unreadable
        for result in self.results:
            if result.failure is not None:
                yield result.entry, result.suite, result.failure.check, result.failure.error


@dataclass
class _Report:
    """What came of a directory. Paths are relative to it."""

    files: dict[str, _FileReport] = field(default_factory=dict)
    unrecognised: list[str] = field(default_factory=list)

    @property
    def passed(self) -> int:
        return sum(report.passed for report in self.files.values())

    @property
    def failed(self) -> int:
        return sum(report.failed for report in self.files.values())


def run(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", exists=True, file_okay=False, help="Where to look for vector files.")
    ],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the table, and nothing else.")
    ] = False,
) -> None:
    """Run the MLS working group's test vectors against the engine.

    Every file below DIR whose name ends in `.json` is looked at; what matters is what it holds, not what it is called.
    Links to directories are not followed.

    * **Run**: an array of objects with the fields of one of the official formats. Each object is an entry, and passes
      if the engine comes to all of its values, makes what it can read back, and finds it authentic. An entry whose
      fields are missing, unknown or malformed fails, and so does one for a cipher suite that the engine does not have.
    * **Failed as a whole**: a file that cannot be read, is larger than 64 MiB, or is not valid JSON. It could have been
      a file of vectors, so it counts as one failure.
    * **Unrecognised**: valid JSON that is something else. It is listed, and counts for nothing.

    Exit codes: 0 all passed, 1 something failed, 2 there was nothing to run.
    """
    report = _run_all(directory)
    if as_json:
        typer.echo(json.dumps(_as_json(report), indent=2))
    elif report.files:
        _print(report)
    if not report.files:
        others = len(report.unrecognised)
        seen = "" if not others else "; 1 JSON file holds" if others == 1 else f"; {others} JSON files hold"
        rest = f"{seen} something else" if seen else ""
        typer.echo(f"There are no test vectors in {_printable(str(directory))}{rest}.", err=True)
        raise typer.Exit(EXIT_NOTHING_TO_RUN)
    if report.failed:
        raise typer.Exit(EXIT_FAILED)


# Running


def _run_all(directory: Path) -> _Report:
    report = _Report()
    paths, unreadable = _find(directory)
    for path, reason in unreadable:
        report.files[_relative(path, directory)] = _FileReport(unreadable=reason)
    sizes = {path: _size(path) for path in paths}
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=sum(sizes.values()))
        for path, size in sizes.items():
            name = _relative(path, directory)
            progress.update(task, description=_printable(name))
            file_report = _run_file(path, progress, task, size)
            if file_report is None:
                report.unrecognised.append(name)
            else:
                report.files[name] = file_report
    return report


def _run_file(path: Path, progress: Progress, task: TaskID, size: int) -> _FileReport | None:
    """Run one file; `None` if it holds no vectors. Each entry moves the progress by its share of the file."""
    try:
        value = _load(path)
    except _UnreadableError as error:
        return _FileReport(unreadable=str(error))
    name = conformance.recognise(value)
    if name is None or not isinstance(value, list):
        progress.advance(task, size)
        return None
    report = _FileReport(format=name)
    for result in conformance.run(name, value, system_random):
        report.results.append(result)
        progress.advance(task, size / len(value))
    return report


# Files


def _find(directory: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Return all JSON files below a directory, in order, and the directories that cannot be read, each with why."""
    unreadable: list[tuple[Path, str]] = []

    def note(error: OSError) -> None:
        unreadable.append((Path(error.filename), f"cannot be read: {error.strerror}"))

    paths = [
        Path(parent, name)
        for parent, _, names in os.walk(directory, onerror=note)
        for name in names
        if name.lower().endswith(".json")
    ]
    return sorted(paths), unreadable


def _relative(path: Path, directory: Path) -> str:
    return path.relative_to(directory).as_posix()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _load(path: Path) -> object:
    """Return the JSON value in a file. Raises `_UnreadableError`."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for somebody to write to it
            raise _UnreadableError("is not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_SIZE + 1)
    except OSError as error:
        raise _UnreadableError(f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_SIZE:
        raise _UnreadableError(f"is larger than {MAX_FILE_SIZE >> 20} MiB")
    try:
        value: object = json.loads(data, object_pairs_hook=_unique, parse_constant=_refuse)
    except ValueError as error:
        raise _UnreadableError(f"is not valid JSON: {error}") from error
    except RecursionError as error:
        raise _UnreadableError("is not valid JSON: it is nested too deeply") from error
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object with these fields. Of two with one name, nobody could say which one passed."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        msg = "an object has a field twice"
        raise ValueError(msg)
    return fields


def _refuse(constant: str) -> NoReturn:
    msg = f"{constant} is not a value"
    raise ValueError(msg)


# Output


def _as_json(report: _Report) -> dict[str, object]:
    return {
        "total": report.passed + report.failed,
        "passed": report.passed,
        "failed": report.failed,
        "unrecognised": report.unrecognised,
        "files": {
            name: {
                "format": file.format,
                "entries": len(file.results),
                "passed": file.passed,
                "failed": file.failed,
                "suites": file.suites,
                "failures": [
                    {"entry": entry, "suite": suite, "check": check, "error": error}
                    for entry, suite, check, error in file.failures()
                ],
            }
            for name, file in report.files.items()
        },
    }


def _print(report: _Report) -> None:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("file", overflow="fold")
    table.add_column("format", no_wrap=True)
    for heading in ("entries", "passed", "failed"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("suites")
    for name, file in report.files.items():
        table.add_row(
            Text(_printable(name)),
            file.format or "",
            str(len(file.results)),
            str(file.passed),
            Text(str(file.failed), style="bold red" if file.failed else ""),
            _ranges(file.suites),
        )
    console = Console(highlight=False)
    console.print(table)
    for name, file in report.files.items():
        for entry, suite, check, error in file.failures():
            where = [
                name,
                "" if entry is None else f"entry {entry}",
                "" if suite is None else f"suite {suite}",
                check,
            ]
            console.print(Text(_printable(f"{', '.join(filter(None, where))}: {error}"), style="red"), soft_wrap=True)
    for name in report.unrecognised:
        console.print(Text(f"unrecognised: {_printable(name)}"), soft_wrap=True)
    console.print(f"{report.passed} of {report.passed + report.failed} passed")


def _ranges(numbers: list[int]) -> str:
    """Return increasing numbers as `1-7, 9`."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1].append(number)
        else:
            ranges.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in ranges)


def _printable(text: str) -> str:
    """Return text that is safe to show: names and values come from files, and may hold whatever steers a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)

"""The command line as a shell sees it: output, exit codes, and the ways in which a run is cut short."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from bridge import __version__, cli
from bridge.commands.listing import COMMANDS, load


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of the program on these arguments."""
    monkeypatch.setattr(sys, "argv", [cli.PROGRAM, *arguments])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    assert isinstance(exit_info.value.code, int)
    return exit_info.value.code


@pytest.fixture(autouse=True)
def _plain_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "120")


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"mls-bridge {__version__}\n"


def test_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--help") == 0
    output = capsys.readouterr().out
    assert "Usage: mls-bridge" in output
    assert "RFC 9420" in output
    assert "--version" in output


def test_no_arguments_show_the_help_as_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch) == 2
    captured = capsys.readouterr()
    assert "Usage: mls-bridge" in captured.out + captured.err


def test_unknown_option_is_wrong_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--no-such-option") == 2
    assert "--no-such-option" in capsys.readouterr().err


def test_interrupted_command_exits_with_130_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = typer.Typer()

    @app.command()
    def wait() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", app)

    assert run(monkeypatch) == 130
    assert capsys.readouterr().err.strip() == ""


def test_interrupt_outside_a_command_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*, prog_name: str) -> None:
        raise KeyboardInterrupt(prog_name)

    monkeypatch.setattr(cli, "app", interrupted)

    assert run(monkeypatch) == 130


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["no-such-command"]])
def test_what_no_command_does_loads_no_command(arguments: list[str]) -> None:
    watched = "import sys; from bridge import cli\ntry: cli.main()\nfinally: print(*sys.modules, file=sys.stderr)"
    program = [sys.executable, "-c", watched, *arguments]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    modules = set(done.stderr.split())
    assert "typer" in modules
    heavy = {"nio", "slixmpp", "aiohttp", "cryptography", "mls", "mls.group", "bridge.config"}
    assert not heavy & modules
    assert {name for name in modules if name.startswith("bridge.commands.")} == {"bridge.commands.listing"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_each_command_says_of_itself(name: str) -> None:
    command = load(name)
    assert command.name == name
    assert command.help is not None
    first = " ".join(command.help.split("\n\n")[0].split())
    assert first == COMMANDS[name]


@pytest.mark.parametrize(
    "name",
    ["registration", "check", "run", "chat", "status", "members", "verify", "join", "resync", "leave", "history"],
)
def test_a_wrong_configuration_is_wrong_usage(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, name, "--config", str(tmp_path / "none.yaml")) == 2
    assert "is not there" in capsys.readouterr().err


def test_a_command_mistyped_is_guessed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "verfy") == 2
    assert "Did you mean 'verify'?" in capsys.readouterr().err


def test_closed_pipe_is_no_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", "--version"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1

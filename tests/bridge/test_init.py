"""`mls-bridge init` as people meet it: at a terminal, and in scripts."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge.config import ConfigError, MatrixAccount, XmppAccount, load, read_key, read_secret
from bridge.config.accounts import PasswordLogin
from tests.bridge.test_cli import run

PROGRAM = Path(sys.executable).with_name("mls-bridge")

pytestmark = pytest.mark.timeout(60)


class Terminal:
    """The installed command at a pseudo-terminal."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.text = ""
        self.answered = 0
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:  # pragma: no cover - the other process
            os.chdir(directory)
            os.environ.update(TERM="dumb", COLUMNS="200")
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where the tests run in a script's background
            os.execv(PROGRAM, [str(PROGRAM), *arguments])  # noqa: S606 - without a shell is what is wanted

    def wait_for(self, words: str) -> None:
        """Read until the program has said this since the last answer."""
        until = time.monotonic() + 30
        while words not in self.text[self.answered :]:
            assert time.monotonic() < until, f"no {words!r} in {self.text!r}"
            if not self.read():
                pytest.fail(f"ended without {words!r}: {self.text!r}")

    def answer(self, question: str, answer: str) -> None:
        self.wait_for(question)
        self.answered = len(self.text)
        os.write(self.terminal, answer.encode())

    def read(self) -> bool:
        if not select.select([self.terminal], [], [], 1)[0]:
            return True
        try:
            data = os.read(self.terminal, 4096)
        except OSError:  # Linux's way to say that the other end is closed
            return False
        self.text += data.decode()
        return bool(data)

    def end(self, key: str = "") -> int:
        """The exit code, once the program has ended. `key` is pressed again while nothing happens.

        One that comes while the prompt sets up the terminal is lost.
        """
        said = -1
        while self.read():
            if said == len(self.text):
                os.write(self.terminal, key.encode())
            said = len(self.text)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status)


def test_questions_lead_to_a_configuration_that_loads(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "init")
    terminal.answer("Which networks", "\n")
    terminal.answer("The account on Matrix", "bridge\n")
    terminal.wait_for('That is not a Matrix user id; write it like "@bridge:example.org"')
    terminal.answer("The account on Matrix", "@bridge:example.org\n")
    terminal.wait_for("That is an example.")
    terminal.answer("The account on Matrix", "@bridge:tea.party\n")
    terminal.answer("(Enter for https://tea.party)", "\n")
    terminal.answer("How it logs in", "magic\n")
    terminal.wait_for("That is none of appservice, password, access_token.")
    terminal.answer("How it logs in", "password\n")
    terminal.answer("The room on Matrix", "#tea:tea.party\n")
    terminal.answer("How to log in on XMPP", "password\n")
    terminal.answer("The account on XMPP", "tea.party\n")
    terminal.wait_for("has no name before the server")
    terminal.answer("The account on XMPP", "bridge@tea.party\n")
    terminal.answer("The room on XMPP", "tea@muc.tea.party\n")
    terminal.answer("Is this process a member too", "\n")
    terminal.answer("What to call the room here", "Tea\n")
    terminal.wait_for("That is not a usable name")
    terminal.answer("What to call the room here", "\n")
    terminal.answer("The password of @bridge:tea.party", "hunter2\n")
    terminal.answer("The password of bridge@tea.party", "\n")

    assert terminal.end() == 0

    assert "hunter2" not in terminal.text
    config = load(tmp_path / "mls-bridge.yaml")
    matrix, xmpp = config.accounts["hs"], config.accounts["muc"]
    assert isinstance(matrix, MatrixAccount)
    assert isinstance(xmpp, XmppAccount)
    assert (matrix.user, matrix.homeserver, xmpp.jid) == ("@bridge:tea.party", "https://tea.party", "bridge@tea.party")
    assert isinstance(matrix.login, PasswordLogin)
    assert read_secret(matrix.login.password) == "hunter2"
    room = config.rooms["tea"]
    assert (room.relay, room.sequencer, room.member, room.home) == (True, True, None, "hs")
    assert len(read_key(config.store.key)) == 32
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes.keys() == {"mls-bridge.yaml", "mls-bridge.key", "hs.password"}
    assert modes["mls-bridge.key"] == modes["hs.password"] == 0o600
    assert f"Write the secret into {'muc.password'}, in one line, and `chmod 600 muc.password`." in terminal.text
    assert re.search(r"2\. mls-bridge check .*\r\n +3\. mls-bridge run", terminal.text)


def test_options_answer_questions(tmp_path: Path) -> None:
    options = ["--networks", "xmpp", "--xmpp-login", "component", "--xmpp-jid", "bridge.tea.party", "--member", "xmpp"]
    terminal = Terminal(tmp_path, "init", "--config", "other.yaml", *options)
    terminal.answer("The room on XMPP", "tea@muc.tea.party\n")
    terminal.answer("What to call the room here", "chess\n")

    assert terminal.end() == 0

    room = load(tmp_path / "other.yaml").rooms["chess"]
    assert room.member is not None
    assert room.member.account == "muc"
    assert "mls-bridge registration --config other.yaml" in terminal.text


def test_person_is_a_member_and_no_sequencer(tmp_path: Path) -> None:
    options = ["--networks", "xmpp", "--xmpp-login", "password", "--xmpp-jid", "carol@tea.party", "--member", "xmpp"]
    room = ["--xmpp-room", "tea@muc.tea.party", "--name", "tea", "--xmpp-server", "[::1]:15222"]
    terminal = Terminal(tmp_path, "init", *options, *room)
    terminal.answer("The password of carol@tea.party", "hunter2\n")

    assert terminal.end() == 0

    config = load(tmp_path / "mls-bridge.yaml")
    assert (config.rooms["tea"].sequencer, config.rooms["tea"].member is not None) == (False, True)
    account = config.accounts["muc"]
    assert isinstance(account, XmppAccount)
    assert account.server is not None
    assert (account.server.host, account.server.port) == ("[::1]", 15222)
    assert "mls-bridge chat " in terminal.text
    assert "mls-bridge run" not in terminal.text


def test_member_alone_may_be_the_sequencer(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--networks", "matrix", "--member", "matrix", "--matrix-login", "password", "--sequencer"]

    assert run(monkeypatch, "init", "--defaults", *options, *REAL[:4]) == 0

    room = load(here / "mls-bridge.yaml").rooms["tea"]
    assert (room.sequencer, room.member is not None) == (True, True)


def test_bridge_may_leave_the_order_to_another(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "init", "--defaults", "--no-sequencer", *REAL) == 0

    room = load(here / "mls-bridge.yaml").rooms["tea"]
    assert (room.sequencer, room.relay) == (False, True)


@pytest.mark.parametrize("key, code", [("\x03", 130), ("\x04", 1)], ids=["interrupt", "end of input"])
@pytest.mark.parametrize("question", ["Which networks", "The password of"])
def test_who_stops_half_way_leaves_nothing_behind(tmp_path: Path, question: str, key: str, code: int) -> None:
    options = [
        "--xmpp-login",
        "password",
        "--xmpp-jid",
        "a@b.c",
        "--xmpp-room",
        "r@b.c",
        "--name",
        "x",
        "--member",
        "none",
    ]
    terminal = Terminal(tmp_path, "init", *options)
    if question != "Which networks":
        terminal.answer("Which networks", "xmpp\n")
    terminal.answer(question, key)

    assert terminal.end(key) == code

    assert list(tmp_path.iterdir()) == []
    assert "Traceback" not in terminal.text


def test_killed_program_leaves_no_half_written_configuration(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "init")
    terminal.wait_for("Which networks")
    os.kill(terminal.pid, signal.SIGTERM)

    assert terminal.end() == -signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


# Without a terminal


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "dumb")
    return tmp_path


REAL = [
    *("--matrix-user", "@bridge:tea.party", "--matrix-room", "#tea:tea.party"),
    *("--xmpp-jid", "bridge.tea.party", "--xmpp-room", "tea@muc.tea.party"),
]


def test_defaults_alone_write_examples_that_nothing_runs_with(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "init", "--defaults") == 0

    assert "1. Edit mls-bridge.yaml: some of its values are examples." in capsys.readouterr().out
    with pytest.raises(ConfigError) as raised:
        load(here / "mls-bridge.yaml")
    assert {problem.what for problem in raised.value.problems} == {"is an example"}


def test_defaults_and_options_write_what_loads(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "init", "--defaults", *REAL) == 0

    config = load(here / "mls-bridge.yaml")
    assert {name: account.login.tag for name, account in config.accounts.items()} == {
        "hs": "appservice",
        "muc": "component",
    }
    assert "1. mls-bridge registration" in capsys.readouterr().out


def test_nobody_to_ask_is_wrong_usage() -> None:
    result = subprocess.run([PROGRAM, "init"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    assert result.returncode == 2
    assert "add --defaults" in result.stderr


@pytest.mark.parametrize("name", ["mls-bridge.yaml", "mls-bridge.key", "mls-bridge.db", "muc.password"])
def test_nothing_is_overwritten(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (here / name).symlink_to("elsewhere")

    assert run(monkeypatch, "init", "--defaults", *REAL[:4], "--xmpp-login", "password", "--xmpp-jid", "a@b.c") == 1

    assert f"{name} is there already, and nothing is overwritten" in capsys.readouterr().err
    assert [path.name for path in here.iterdir()] == [name]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_directory_that_cannot_be_written_is_an_error(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here.chmod(0o500)
    try:
        assert run(monkeypatch, "init", "--defaults") == 1
    finally:
        here.chmod(0o700)
    assert "cannot be written: Permission denied. Nothing is left behind." in capsys.readouterr().err


def test_directory_that_is_not_there_is_an_error(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "init", "--defaults", "--config", "missing/mls-bridge.yaml") == 1

    assert "cannot be written: No such file or directory. Nothing is left behind." in capsys.readouterr().err
    assert list(here.iterdir()) == []


WRONG = {
    "user": (["--matrix-user", "bridge"], "'bridge' is not a Matrix user id; write it like"),
    "homeserver": (["--matrix-homeserver", "ftp://x"], "'ftp://x' is not a URL of a server"),
    "matrix room": (["--matrix-room", "tea"], "'tea' is not the address of a Matrix room"),
    "jid": (["--xmpp-jid", "a@b/c"], "'a@b/c' has a resource"),
    "muc": (["--xmpp-room", "tea"], "'tea' is not the address of a MUC"),
    "name": (["--name", "T e a"], "'T e a' is not a usable name"),
    "control": (["--xmpp-room", "a\x1b@b.c"], "has control characters in it"),
    "login": (["--matrix-login", "magic"], "--matrix-login"),
    "member": (["--networks", "xmpp", "--member", "matrix"], "the room is not on matrix"),
    "server": (["--xmpp-server", "localhost"], "'localhost' is no address; write it like 127.0.0.1:5222"),
    "nothing": (["--networks", "xmpp", "--no-sequencer"], "there is nothing else that it could do"),
    "file": (["--config", "x.key"], "its name shall end in .yaml"),
}


@pytest.mark.parametrize("options, expected", WRONG.values(), ids=WRONG)
def test_wrong_options_are_wrong_usage_and_write_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], expected: str
) -> None:
    assert run(monkeypatch, "init", "--defaults", *options) == 2

    assert expected in capsys.readouterr().err
    assert list(here.iterdir()) == []

"""No server outlives whoever wanted it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge.servers.errors import ServerStartError
from bridge.servers.process import Process
from bridge.servers.server import Server

SLEEPS = [sys.executable, "-S", "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)
PARENT_OF_ONE = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'])
print(child.pid, flush=True)
time.sleep(600)
"""
PROGRAM = """
import sys, time
from pathlib import Path
from bridge.servers.process import Process
folder = Path(sys.argv[1])
process = Process(sys.argv[2:], log=folder / 'log', folder=folder, environment={})
print(process.pid, process._supervisor.pid, flush=True)
time.sleep(600)
"""


class Command(Server):
    """A server that is any command, and ready as soon as its log says so."""

    software = "The command"

    def __init__(self, folder: Path, *command: str) -> None:
        super().__init__(folder, "localhost")
        self._arguments = list(command)

    def _command(self) -> list[str]:
        return self._arguments

    def _is_ready(self) -> bool:
        return "up" in self.log.read_text(encoding="utf-8")


@pytest.mark.timeout(30)
@pytest.mark.parametrize("victim", ["program", "supervisor"])
def test_the_server_dies_when_its_program_or_its_supervisor_is_killed(tmp_path: Path, victim: str) -> None:
    if victim == "supervisor" and sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent has died")
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path), *SLEEPS], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        server, supervisor = map(int, program.stdout.readline().split())
        assert is_running(server)
        os.kill(program.pid if victim == "program" else supervisor, signal.SIGKILL)
        assert ends(server)
        assert ends(supervisor)
        program.kill()


@pytest.mark.timeout(30)
def test_its_children_die_with_it(tmp_path: Path) -> None:
    process = start(tmp_path, sys.executable, "-S", "-c", PARENT_OF_ONE)
    child = int(first_line(tmp_path))
    process.stop()
    assert ends(child)


@pytest.mark.timeout(30)
def test_stop_asks_before_it_kills(tmp_path: Path) -> None:
    process = start(tmp_path, *SLEEPS)
    first_line(tmp_path)
    process.stop()
    assert process.status() == 128 + signal.SIGTERM


@pytest.mark.timeout(30)
def test_stop_kills_what_does_not_end_in_time(tmp_path: Path) -> None:
    process = start(tmp_path, sys.executable, "-S", "-c", STUBBORN)
    first_line(tmp_path)
    process.stop(grace=0.2)
    assert process.status() == 128 + signal.SIGKILL


@pytest.mark.timeout(30)
def test_kill_does_not_ask(tmp_path: Path) -> None:
    process = start(tmp_path, *SLEEPS)
    process.kill()
    assert process.status() == 128 + signal.SIGKILL
    process.kill()
    process.stop()


@pytest.mark.timeout(30)
def test_a_server_that_ends_while_starting_is_an_error_that_shows_its_last_words(tmp_path: Path) -> None:
    words = "import sys; print('no such option: shine'); sys.exit(3)"
    with Command(tmp_path / "server", sys.executable, "-c", words) as server:
        with pytest.raises(ServerStartError, match=r"(?s)The command has ended with status 3 .*no such option: shine"):
            server.open()
        assert server.pid is None


@pytest.mark.timeout(30)
def test_a_program_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with (
        Command(tmp_path / "server", "/nowhere/server") as server,
        pytest.raises(ServerStartError, match=r"(?s)status 127 .*/nowhere/server: No such file"),
    ):
        server.open()


@pytest.mark.timeout(30)
def test_a_server_that_never_gets_ready_is_an_error_and_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.servers.server.SECONDS", 0.3)
    quiet = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    with (
        Command(tmp_path / "server", sys.executable, "-c", quiet) as server,
        pytest.raises(ServerStartError, match="not ready"),
    ):
        server.open()
    assert ends(int((tmp_path / "server" / "server.log").read_text(encoding="utf-8")))


@pytest.mark.timeout(30)
def test_it_comes_back_with_resume_and_restart(tmp_path: Path) -> None:
    with Command(tmp_path / "server", *SLEEPS) as server:
        server.open()
        seen = [server.pid]
        server.resume()
        assert server.pid == seen[0]
        server.restart()
        seen.append(server.pid)
        server.kill()
        assert is_down(server)
        server.resume()
        seen.append(server.pid)
    pids = [pid for pid in seen if pid is not None]
    assert len(set(pids)) == 3
    assert all(map(ends, pids))


def test_a_server_takes_no_folder_that_another_has_used(tmp_path: Path) -> None:
    Command(tmp_path, "true")
    with pytest.raises(ServerStartError, match="a new server needs a folder of its own"):
        Command(tmp_path, "true")


def start(folder: Path, *command: str) -> Process:
    return Process(command, log=folder / "log", folder=folder, environment={})


def first_line(folder: Path) -> str:
    while not (text := (folder / "log").read_text(encoding="utf-8")).endswith("\n"):
        time.sleep(0.01)
    return text.splitlines()[0]


def is_down(server: Server) -> bool:
    return server.pid is None


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    # An orphan is reaped by whatever the first process is here, which may take its time.
    return not stat.exists() or stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"


def ends(pid: int, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True

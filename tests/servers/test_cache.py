"""Installed once, as a whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge.servers import cache
from bridge.servers.cache import cache_directory, find_or_install, silent
from bridge.servers.errors import ServerError

INSTALLER = """
import sys, time
from pathlib import Path
from bridge.servers.cache import find_or_install

def install(place):
    with open(sys.argv[1], 'a') as notes:
        notes.write('installed\\n')
    (place / 'half').touch()
    print('halfway', flush=True)
    time.sleep(float(sys.argv[2]))
    (place / 'whole').touch()

print(find_or_install('Server', 'key', install, lambda line: None))
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.timeout(30)
def test_many_processes_install_once(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    processes = [installer(notes, 0.3) for _ in range(4)]
    places = {process.communicate(timeout=20)[0].splitlines()[-1] for process in processes}
    assert notes.read_text(encoding="utf-8") == "installed\n"
    (place,) = places
    assert Path(place, "whole").exists()


@pytest.mark.timeout(30)
def test_one_that_is_killed_leaves_nothing_that_counts(tmp_path: Path, own_cache: Path) -> None:
    process = installer(tmp_path / "notes", 600)
    assert process.stdout is not None
    assert process.stdout.readline() == "halfway\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(own_cache.glob("server/installing-*"))
    final = find_or_install("Server", "key", lambda place: (place / "whole").touch(), silent)
    assert [path.name for path in final.iterdir()] == ["whole"]
    assert not list(own_cache.glob("server/installing-*"))


@pytest.mark.timeout(30)
def test_one_that_fails_leaves_nothing(own_cache: Path) -> None:
    def fail(place: Path) -> None:
        (place / "half").touch()
        raise ServerError("no")

    with pytest.raises(ServerError, match="no"):
        find_or_install("Server", "key", fail, silent)
    assert [path.name for path in (own_cache / "server").iterdir()] == ["lock"]


@pytest.mark.timeout(30)
def test_who_waits_is_told(tmp_path: Path) -> None:
    process = installer(tmp_path / "notes", 1)
    assert process.stdout is not None
    assert process.stdout.readline() == "halfway\n"
    said: list[str] = []
    find_or_install("Server", "key", lambda _place: pytest.fail("installed twice"), said.append)
    assert said == ["Server: another process is installing it; waiting"]
    process.communicate()


def test_those_not_used_for_longest_are_forgotten(own_cache: Path) -> None:
    for number in range(cache.KEPT):
        place = find_or_install("Server", str(number), lambda _place: None, silent)
        os.utime(place, (number, number))
    find_or_install("Server", "0", lambda _place: pytest.fail("it was there"), silent)  # used again
    find_or_install("Server", "new", lambda _place: None, silent)
    kept = {path.name for path in (own_cache / "server").iterdir() if path.is_dir()}
    assert kept == {"new", "0", str(cache.KEPT - 1)}


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(cache.CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "mls-bridge" / "servers"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_directory() == Path.home() / ".cache" / "mls-bridge" / "servers"


def test_a_place_that_cannot_be_written_is_an_error(own_cache: Path) -> None:
    own_cache.write_text("a file, not a folder", encoding="utf-8")
    with pytest.raises(ServerError, match="Not a directory"):
        find_or_install("Server", "key", lambda _place: None, silent)


def installer(notes: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", INSTALLER, str(notes), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    while not notes.exists():
        time.sleep(0.01)
    return process

"""What people read where a server cannot be had, and what is skipped there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.servers import Ejabberd, Prosody, ServerError, ServerUnavailableError, Synapse, cache, debian
from bridge.servers import __main__ as program
from bridge.servers.installing import run
from bridge.servers.synapse import LOCK
from tests.servers.fixtures import or_skipped


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "cache"))


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")


@pytest.mark.parametrize(
    "system, machine", [("darwin", "arm64"), ("win32", "x86_64"), ("linux", "riscv64")], ids=lambda value: value
)
def test_synapse_is_for_linux_on_common_machines(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(ServerUnavailableError, match=r"Synapse cannot be installed here: .*Linux on x86-64 and ARM"):
        Synapse.install()


def test_the_lock_holds_the_version_of_synapse_that_is_asked_for() -> None:
    asked = LOCK.with_suffix(".in").read_text(encoding="utf-8").strip()
    assert f"\n{asked} \\\n" in LOCK.read_text(encoding="utf-8")


@pytest.mark.parametrize("software", [Prosody, Ejabberd])
def test_on_windows_it_says_so(monkeypatch: pytest.MonkeyPatch, software: type[Prosody | Ejabberd]) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(ServerUnavailableError, match="does not run on Windows"):
        software.install()


@pytest.mark.usefixtures("no_programs")
def test_without_debian_packages_it_names_the_package_to_install() -> None:
    with pytest.raises(ServerUnavailableError, match=r"Prosody is not installed, .*brew install prosody"):
        Prosody.install()


def test_a_prosody_that_is_installed_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("prosody", "prosodyctl"):
        (tmp_path / name).write_text("#!/bin/sh", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    installed = Prosody.install()
    assert installed.server == (str(tmp_path / "prosody"),)
    assert installed.control == (str(tmp_path / "prosodyctl"),)
    assert not installed.environment


@pytest.mark.skipif(sys.platform != "linux", reason="what is asked for is not made for other systems")
def test_without_a_network_synapse_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONFIG_FILE"):
        monkeypatch.setenv(name, "/dev/null" if name == "PIP_CONFIG_FILE" else "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ServerUnavailableError, match=r"(?s)cannot install Synapse: .*is there a network\?.*annotated"):
        Synapse.install()


@pytest.mark.skipif(any(shutil.which(tool) is None for tool in debian.TOOLS), reason="there is no apt here")
@pytest.mark.timeout(60)
def test_without_a_network_debian_packages_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = "".join(f'Acquire::{scheme}::Proxy "http://127.0.0.1:9";\n' for scheme in ("http", "https"))
    monkeypatch.setattr(debian, "CONFIGURATION", f'{debian.CONFIGURATION}{nowhere}Acquire::Retries "0";\n')
    with pytest.raises(ServerUnavailableError, match=r"cannot get Prosody .*is there a network\?"):
        debian.unpack("Prosody", ["prosody"], family="prosody", instead="", say=cache.silent)


def test_a_command_that_fails_shows_its_last_words() -> None:
    with pytest.raises(ServerUnavailableError, match=r"cannot try: 'sh' failed \(7\)\. Try harder\.\n    out\n    err"):
        run(["sh", "-c", "echo out; echo err >&2; exit 7"], purpose="try", hint="Try harder.")


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(ServerUnavailableError, match="cannot try: there is no program '/nowhere/x'"):
        run(["/nowhere/x"], purpose="try")


def test_tests_without_their_server_are_skipped_and_in_ci_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> None:
        raise ServerUnavailableError("not on this planet")

    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="not on this planet"):
        or_skipped(unavailable)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="not on this planet"):
        or_skipped(unavailable)


@pytest.mark.parametrize(
    "error, ci, status",
    [
        (None, "", 0),
        (ServerUnavailableError("none here"), "", 0),
        (ServerUnavailableError("none here"), "true", 1),
        (ServerError("the cache cannot be written"), "", 1),
    ],
)
def test_prepare_tells_what_is_ready_and_what_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: ServerError | None, ci: str, status: int
) -> None:
    def install(_say: cache.Say) -> None:
        if error is not None:
            raise error

    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(program, "SERVERS", {"Synapse": install, "Prosody": lambda _say: None})
    with pytest.raises(SystemExit) as ended:
        program.prepare()
    assert ended.value.code == status
    said = capsys.readouterr().err
    assert "Prosody: ready" in said
    assert ("Synapse: ready" if error is None else str(error)) in said


def test_prepare_is_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bridge.servers", "--help"], capture_output=True, text=True, timeout=30, check=True
    )
    assert "prepare" in done.stdout

"""Peers are built once, by whoever comes first, and what hinders that is said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.interop.building import CACHE_VARIABLE, PEERS, BuildError, Peer, UnavailableError, build, cache_directory
from tests.interop.building.building import KEPT
from tests.interop.building.recipes import Cargo, Npm
from tests.interop.building.tools import Tool, parse_version

ROOT = Path(__file__).parents[2]

BUILDER = """
import sys
from pathlib import Path
from tests.interop.building import Peer, build
from tests.interop.building.recipes import Cargo
print(build(Peer("a-peer", Path(sys.argv[1]), Cargo)).was_there)
"""
"""A program that builds the crate in a directory."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(directory))
    return directory


def crate(directory: Path, says: str = "hello", **package: str) -> Peer:
    """Return a peer whose program is a few lines of Rust without dependencies."""
    (directory / "src").mkdir(parents=True, exist_ok=True)
    fields = {"name": "a-peer", "version": "0.1.0", "edition": "2021", **package}
    lines = [f'{name} = "{value}"' for name, value in fields.items()]
    (directory / "Cargo.toml").write_text("\n".join(["[package]", *lines]), encoding="utf-8")
    (directory / "Cargo.lock").write_text('version = 3\n[[package]]\nname = "a-peer"\nversion = "0.1.0"\n')
    (directory / "src" / "main.rs").write_text(f'fn main() {{ println!("{says}"); }}', encoding="utf-8")
    return Peer("a-peer", directory, Cargo)


def package(directory: Path, **fields: object) -> Peer:
    """Return a peer whose program is a line for Node.js."""
    directory.mkdir()
    described = {"name": "a-peer", "version": "0.1.0", "main": "main.mjs", **fields}
    lock = {"name": "a-peer", "version": "0.1.0", "lockfileVersion": 3, "requires": True, "packages": {"": described}}
    (directory / "package.json").write_text(json.dumps(described), encoding="utf-8")
    (directory / "package-lock.json").write_text(json.dumps(lock), encoding="utf-8")
    (directory / "main.mjs").write_text("console.log('hello')", encoding="utf-8")
    return Peer("a-peer", directory, Npm)


def output_of(peer: Peer) -> str:
    return subprocess.run(build(peer).command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of programs, the only ones that there are."""
    directory = tmp_path / "tools"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    return directory


def write_tool(tools: Path, name: str, script: str) -> None:
    path = tools / name
    path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def write_cargo(tools: Path, script: str, version: str = "1.95.0") -> None:
    """Write a cargo that does something else, and what else Rust needs."""
    write_tool(tools, "cargo", f'[ "$1" = --version ] && echo "cargo {version}" && exit\n{script}')
    write_tool(tools, "rustc", f'echo "rustc {version}"')
    write_tool(tools, "cc", "exit 0")


BUILDS = """
target="${5#--target-dir=}"
mkdir -p "$target/release"
echo run >> "$target/runs"
echo built > "$target/release/a-peer"
"""
"""What a cargo does that builds nothing, and counts how often."""

needs_cargo = pytest.mark.skipif(
    shutil.which("cargo") is None and not os.environ.get("CI"), reason="there is no cargo here"
)
needs_npm = pytest.mark.skipif(shutil.which("npm") is None and not os.environ.get("CI"), reason="there is no npm here")


# With the real tools


@needs_cargo
def test_a_crate_is_built_once_for_each_state_of_its_sources(tmp_path: Path) -> None:
    peer = crate(tmp_path / "sources")
    assert output_of(peer) == "hello"
    assert build(peer).was_there
    clone = Peer("a-peer", Path(shutil.copytree(peer.sources, tmp_path / "clone")), Cargo)
    (clone.sources / "target").mkdir()
    (clone.sources / "target" / "left").write_text("by somebody's own cargo build")
    assert build(clone).was_there, "a fresh clone finds it"
    crate(clone.sources, says="goodbye")
    assert not build(clone).was_there
    assert output_of(clone) == "goodbye"
    assert output_of(peer) == "hello", "the other state is still there"


@needs_cargo
def test_what_does_not_compile_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    peer = crate(tmp_path / "sources")
    (peer.sources / "src" / "main.rs").write_text("fn main() { this does not compile }", encoding="utf-8")
    with pytest.raises(BuildError, match=r"(?s)cargo build .* failed .*main\.rs") as caught:
        build(peer)
    assert not isinstance(caught.value, UnavailableError)
    assert {path.name for path in (cache / "a-peer").iterdir()} <= {"lock", "workshop"}
    crate(peer.sources)
    assert output_of(peer) == "hello"


@needs_cargo
def test_a_lock_that_does_not_fit_is_not_mended(tmp_path: Path) -> None:
    peer = crate(tmp_path / "sources")
    (peer.sources / "Cargo.lock").write_text('version = 3\n[[package]]\nname = "another"\nversion = "0.1.0"\n')
    with pytest.raises(BuildError, match="the lock file does not fit the sources"):
        build(peer)


@needs_cargo
def test_a_compiler_that_is_too_old_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"is too old, 99\.0 is needed: install Rust"):
        build(crate(tmp_path / "sources", **{"rust-version": "99.0"}))


@needs_npm
def test_a_package_is_built(tmp_path: Path) -> None:
    peer = package(tmp_path / "sources")
    assert output_of(peer) == "hello"
    assert build(peer).was_there


@needs_npm
def test_a_node_that_is_too_old_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"is too old, 99 is needed: install Node\.js"):
        build(package(tmp_path / "sources", engines={"node": ">=99"}))


@needs_npm
def test_no_script_of_a_package_is_run(tmp_path: Path) -> None:
    peer = package(tmp_path / "sources", scripts={"postinstall": f"touch {tmp_path}/ran"})
    assert output_of(peer) == "hello"
    assert not (tmp_path / "ran").exists()


@needs_npm
def test_a_main_file_that_is_missing_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"there is no 'other\.mjs', which package\.json calls its main file"):
        build(package(tmp_path / "sources", main="other.mjs"))


# What hinders


@pytest.mark.usefixtures("tools")
def test_a_tool_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UnavailableError, match=r"there is no program 'cargo' here: install Rust, by https://rustup\.rs"
    ):
        build(crate(tmp_path / "sources"))


def test_a_tool_that_one_peer_needs_is_named(tmp_path: Path, tools: Path) -> None:
    write_cargo(tools, BUILDS)
    peer = Peer("a-peer", crate(tmp_path / "sources").sources, Cargo, (Tool("abacus", "the package abacus"),))
    with pytest.raises(UnavailableError, match="no program 'abacus' here: install the package abacus"):
        build(peer)


@pytest.mark.parametrize("script", ["exit 1", "echo nothing", "exit 0"])
def test_a_tool_that_does_not_say_its_version_is_of_no_use(script: str, tools: Path) -> None:
    write_tool(tools, "abacus", script)
    with pytest.raises(UnavailableError, match=r"--version' gives no version; install the package abacus"):
        Tool("abacus", "the package abacus", (1,)).require()


@pytest.mark.parametrize(
    "complaint",
    [
        "error: failed to download from `https://registry.example/crate`",
        "warning: spurious network error (3 tries remaining): [6] Couldn't resolve host name",
        "npm error code EAI_AGAIN",
    ],
)
def test_a_network_that_is_missing_is_recognised(complaint: str, tmp_path: Path, tools: Path) -> None:
    write_cargo(tools, f'echo "{complaint.replace("`", "")}" >&2; exit 101')
    with pytest.raises(UnavailableError, match="the package registry cannot be reached"):
        build(crate(tmp_path / "sources"))


def test_a_build_that_hangs_is_ended_with_its_children(tmp_path: Path, tools: Path) -> None:
    write_cargo(tools, f"echo Compiling >&2; sleep 600 & echo $! > {tmp_path}/child; wait")
    begun = time.monotonic()
    with pytest.raises(BuildError, match=r"(?s)has taken too long; it was at:.*Compiling"):
        build(crate(tmp_path / "sources"), seconds=2)
    assert time.monotonic() - begun < 60
    child = Path("/proc") / (tmp_path / "child").read_text().strip() / "stat"
    assert not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_build_without_a_result_is_an_error(tmp_path: Path, tools: Path) -> None:
    write_cargo(tools, "exit 0")
    with pytest.raises(BuildError, match="cargo has built no program 'a-peer'"):
        build(crate(tmp_path / "sources"))


def test_sources_that_are_missing_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="there are no sources in"):
        build(Peer("a-peer", tmp_path / "nothing", Cargo))


def test_a_description_that_is_damaged_is_an_error(tmp_path: Path, tools: Path) -> None:
    write_cargo(tools, BUILDS)
    peer = crate(tmp_path / "sources")
    (peer.sources / "Cargo.toml").write_text("[package")
    with pytest.raises(BuildError, match=r"Cargo\.toml cannot be read"):
        build(peer)


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path: Path, cache: Path) -> None:
    cache.write_text("a file")
    with pytest.raises(BuildError, match=r"cache.*Not a directory"):
        build(crate(tmp_path / "sources"))


def test_a_result_that_is_damaged_is_not_used(tmp_path: Path, tools: Path, cache: Path) -> None:
    write_cargo(tools, BUILDS)
    peer = crate(tmp_path / "sources")
    build(peer)
    (command,) = (cache / "a-peer").glob("*/peer-command.json")
    command.write_text("[")
    with pytest.raises(BuildError, match="is damaged: remove"):
        build(peer)


# The cache


def test_two_who_come_at_once_build_once(tmp_path: Path, tools: Path, cache: Path) -> None:
    write_cargo(tools, f"sleep 1; {BUILDS}")
    peer = crate(tmp_path / "sources")
    command = [sys.executable, "-c", BUILDER, str(peer.sources)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in processes)
    assert said == ["False", "True", "True"]
    assert (cache / "a-peer" / "workshop" / "runs").read_text().split() == ["run"]


def test_what_a_killed_build_has_left_is_removed(tmp_path: Path, tools: Path, cache: Path) -> None:
    write_cargo(tools, BUILDS)
    left = cache / "a-peer" / "building-left"
    (left / "peer").mkdir(parents=True)
    build(crate(tmp_path / "sources"))
    assert not left.exists()


def test_the_results_used_last_are_kept(tmp_path: Path, tools: Path) -> None:
    write_cargo(tools, BUILDS)
    first = crate(tmp_path / "first", says="first")
    build(first)
    for number in range(KEPT + 2):
        build(crate(tmp_path / "others", says=str(number)))
        assert build(first).was_there
    assert not build(crate(tmp_path / "others", says="0")).was_there


def test_everybody_is_told_what_is_being_done(tmp_path: Path, tools: Path) -> None:
    write_cargo(tools, f"echo '   Compiling a-peer v0.1.0'; {BUILDS}")
    told: list[tuple[str, int, int]] = []
    build(crate(tmp_path / "sources"), lambda what, done, of: told.append((what, done, of)))
    assert told == [("cargo", 0, 1), ("Compiling a-peer v0.1.0", 1, 1)]


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "cache"
    monkeypatch.delenv(CACHE_VARIABLE)
    assert cache_directory() == tmp_path / "mls-bridge" / "peers"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_directory() == Path.home() / ".cache" / "mls-bridge" / "peers"


@pytest.mark.parametrize(
    "text, version",
    [("cargo 1.95.0 (f2d3ce0bd 2026-03-21)", (1, 95, 0)), (">=20.19", (20, 19)), ("v20", (20,)), ("none", ())],
)
def test_a_version_is_read(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_every_peer_is_locked(peer: Peer) -> None:
    lock = "Cargo.lock" if peer.recipe is Cargo else "package-lock.json"
    assert (peer.sources / lock).is_file()

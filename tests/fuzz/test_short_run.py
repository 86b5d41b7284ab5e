"""All fuzz targets stand their ground for a while, with every driver that there is for the running Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mls.codec import Opaque, Struct, struct
from mls.errors import InternalError
from tests.fuzz import receiving
from tests.fuzz.__main__ import main
from tests.fuzz.choices import Choices
from tests.fuzz.decoding import is_taken
from tests.fuzz.driving import DRIVERS, Length, attempt, run_loop
from tests.fuzz.scene import scene
from tests.fuzz.target import Prepared
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]

RUNS = 2000
"""For a decoder; slower targets have fewer."""

PLANTED = """
import sys
from pathlib import Path
from tests.fuzz.driving import Length, run_atheris, run_loop
from tests.fuzz.target import Prepared

def attack(data):
    if data[1:2] > b"\\x80":
        raise KeyError("planted")

prepared, length = Prepared(attack, [b"abc"]), Length(5000, 0)
if sys.argv[1] == "atheris":
    run_atheris(prepared, length, seed=1, corpus=Path("."))
run_loop(prepared, length, seed=1)
"""
"""A program that fuzzes something with a defect."""

every_driver = pytest.mark.parametrize("driver", DRIVERS)


def run_python(*arguments: str, where: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=where, env=environment)


@every_driver
def test_all_targets_stand(driver: str, tmp_path: Path) -> None:
    done = run_python("-m", "tests.fuzz", f"--driver={driver}", f"--runs={RUNS}", "--seed=1", where=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"nothing found in {len(TARGETS)} targets" in done.stdout
    assert not list(tmp_path.iterdir()), "an input was written down"


@every_driver
def test_a_defect_is_found(driver: str, tmp_path: Path) -> None:
    done = run_python("-c", PLANTED, driver, where=tmp_path)
    assert done.returncode != 0
    assert "KeyError: 'planted'" in done.stdout + done.stderr
    assert "hexadecimal" in done.stderr or list(tmp_path.glob("crash-*")), "the input is lost"


# What the targets take for a defect


@struct()
class Careless(Struct):
    """Does not encode to what it was decoded from."""

    data: Opaque

    def encode(self) -> bytes:
        """Forget the data."""
        return b"\x00"


def test_a_decoder_that_loses_something_is_a_defect() -> None:
    assert is_taken(Careless, b"\x00")
    with pytest.raises(AssertionError, match="does not encode to what it was decoded from"):
        is_taken(Careless, b"\x01a")


def test_a_contradiction_in_the_engine_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    """`InternalError` is an error of the engine's own, and yet none that a message may bring about."""

    def contradict(*_: object, **__: object) -> None:
        message = "this cannot be"
        raise InternalError(message)

    receiver = receiving.Receiver(scene().victims[0])
    message = scene().messages[0]
    assert receiver.receive(message) is not None
    monkeypatch.setattr(receiving, "process", contradict)
    with pytest.raises(InternalError):
        receiver.receive(message)


def test_a_state_that_changes_is_a_defect() -> None:
    receiver = receiving.Receiver(scene().victims[0])
    receiver.state = scene().victims[1]
    with pytest.raises(AssertionError, match="changed the state"):
        receiver.receive(b"")


def test_a_defect_keeps_its_input() -> None:
    def attack(data: bytes) -> None:
        raise KeyError(data)

    with pytest.raises(KeyError) as caught:
        attempt(Prepared(attack, []), b"\x01\x02")
    assert caught.value.__notes__ == ["The input, 2 bytes in hexadecimal: 0102"]


# The parts


def test_the_loop_always_takes_the_same_way() -> None:
    ways: list[list[bytes]] = [[], []]
    for way in ways:
        assert run_loop(Prepared(way.append, [b"seed", b"another"]), Length(100, 0), seed=7) == 102
    assert ways[0] == ways[1]
    assert ways[0][:2] == [b"seed", b"another"]
    assert len(set(ways[0])) > 50


def test_choices_are_read_off_the_bytes() -> None:
    choices = Choices(b"\x00\xff\x80\x00\x07")
    assert [choices.getrandbits(8), choices.getrandbits(8)] == [0, 255]
    assert choices.random() == 0.5
    assert choices.choice("abcdefgh") == "a"
    assert [choices.getrandbits(32), choices.random(), choices.randrange(9)] == [0, 0.0, 0]


def test_the_program_lists_its_targets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(TARGETS)


def test_the_program_tries_one_input(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(scene().messages[0].encode())
    assert main(["--input", str(path), "message", "process"]) == 0


def test_the_program_knows_no_other_target(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--runs=1", "no-such-target"])
    assert caught.value.code == 2
    assert "no such target: no-such-target" in capsys.readouterr().err

"""`mls-bridge inspect` as a shell sees it."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.protocol.bodies import Hello
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope
from tests.bridge.inspecting.samples import KEY, as_matrix_event, json_of, samples

pytestmark = pytest.mark.timeout(60)

SEAL = samples().envelopes[EnvelopeKind.SEAL].encode()
DOCUMENT = Path(__file__).parents[3] / "docs" / "inspect.md"


def inspect(*arguments: str, given: bytes = b"", encoding: str = "utf-8") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "bridge.cli", "inspect", *arguments],
        input=given,
        capture_output=True,
        check=False,
        env={**os.environ, "COLUMNS": "40", "TERM": "xterm", "PYTHONIOENCODING": encoding},
        timeout=50,
    )


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_standard_input(arguments: tuple[str, ...]) -> None:
    done = inspect(*arguments, given=SEAL)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[0] == f"Taken for: envelope, {len(SEAL):,} bytes"
    assert "Envelope SEAL: the order of what was posted" in lines  # whole, however narrow the terminal is


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_bytes(as_matrix_event(SEAL))
    done = inspect(str(path), "--sequencer-key", KEY.public_key.hex())
    assert (done.returncode, done.stderr) == (0, b"")
    assert "from base64 in matrix event" in done.stdout.decode()
    assert "    signature check: valid" in done.stdout.decode().splitlines()


def test_an_argument_of_any_length() -> None:
    done = inspect(base64.b64encode(SEAL).decode(), "--kind", "envelope")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"from base64" in done.stdout


def test_full_shows_all_of_a_hash() -> None:
    key = samples().order.sequencer.hex()
    data = samples().order.encode()
    assert key not in inspect(given=data).stdout.decode()
    assert key in inspect("--full", given=data).stdout.decode()


def test_json_is_one_object_and_nothing_else() -> None:
    done = inspect("--json", given=SEAL.hex().encode())
    assert (done.returncode, done.stderr) == (0, b"")
    told = json.loads(done.stdout)
    assert told == {
        "version": 1,
        "taken_for": "envelope",
        "carried_as": ["hex"],
        "bytes": len(SEAL),
        "problems": [],
        "explanation": json_of(SEAL),
    }


def test_what_is_not_understood_says_what_was_tried() -> None:
    done = inspect("--kind", "envelope", given=b"\0" + SEAL)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().splitlines() == [
        "This is nothing that is known here. Tried as:",
        "  envelope in raw: not an envelope: the envelope's version is 0, not 1 (at byte 0)",
    ]


def test_what_is_not_understood_in_json() -> None:
    done = inspect("--kind", "envelope", "--json", given=b"\0" + SEAL)
    assert (done.returncode, done.stderr) == (1, b"")
    assert json.loads(done.stdout) == {
        "version": 1,
        "tried": [
            {
                "taken_for": "envelope",
                "carried_as": ["raw"],
                "error": "not an envelope: the envelope's version is 0, not 1 (at byte 0)",
                "offset": 0,
            }
        ],
    }


def test_a_problem_inside_is_shown_and_fails() -> None:
    done = inspect("--sequencer-key", "00" * 32, given=SEAL)
    assert (done.returncode, done.stderr) == (1, b"")
    assert "  seal: a seal that the group's sequencer has not signed" in done.stdout.decode().splitlines()


def test_a_terminal_without_the_letters_of_a_name() -> None:
    hello = envelope(EnvelopeKind.HELLO, b"", Hello("te\u00e9 \u2615".encode(), (), b"", 0)).encode()
    done = inspect(given=hello, encoding="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"    software: te\\xe9 \\u2615\n" in done.stdout


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = inspect(str(tmp_path / "no\x1b[2Jfile"))
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"There is no file ")
    assert b"\x1b" not in done.stderr


def test_a_directory_cannot_be_read(tmp_path: Path) -> None:
    done = inspect(str(tmp_path))
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == f"{tmp_path} cannot be read: Is a directory\n"


@pytest.mark.parametrize("key", ["", "00", "zz" * 32])
def test_a_key_that_is_none_is_wrong_usage(key: str) -> None:
    assert inspect("--sequencer-key", key, given=SEAL).returncode == 2


def test_a_reader_who_goes_away_is_no_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", "inspect"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(SEAL)
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(50) == 1


def test_the_document_names_every_kind_of_explanation() -> None:
    described = set(re.findall(r"`([a-z_]+)`", DOCUMENT.read_text(encoding="utf-8")))
    everything = [sealed.encode() for sealed in samples().envelopes.values()]
    everything += [samples().fragments[0], samples().order.encode(), samples().group_info.encode()]
    everything += [samples().public_commit.encode(), samples().self_remove.encode()]
    for data in everything:
        for kind, fields in kinds_in(json_of(data)):
            assert kind in described
            assert fields <= described, kind


def kinds_in(value: object) -> list[tuple[str, set[str]]]:
    """Each structure's kind, with the names of its fields."""
    match value:
        case {"kind": str(kind), **fields}:
            inside = [found for inner in fields.values() for found in kinds_in(inner)]
            return [(kind, set(map(str, fields))), *inside]
        case {"items": list(items)}:
            return [found for inner in items for found in kinds_in(inner)]
        case _:
            return []

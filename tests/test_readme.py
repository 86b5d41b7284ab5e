"""What README.md says is run: its Python as a program, its commands as commands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.vectors.official import official_vectors

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
COMMANDS = [
    line.partition("#")[0].strip() for language, block in BLOCKS if language == "sh" for line in block.splitlines()
]
PYTHON = "\n".join(block for language, block in BLOCKS if language == "python")
"""One program: what comes later builds on what came before."""


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    environment["ONCE"] = "1"  # the demonstration would stay up
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_readme_has_what_this_file_runs() -> None:
    assert PYTHON
    assert "make demo" in COMMANDS
    assert "make test" in COMMANDS


def test_python_in_readme_runs() -> None:
    done = run([sys.executable, "-W", "error", "-c", PYTHON])
    said = "alice says Tea on Sunday?\nMLS_256_XWING_CHACHA20POLY1305_SHA256_Ed25519\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_in_readme_run(command: str) -> None:
    words = shlex.split(command)
    if words[-1] == "test":
        words.insert(1, "--dry-run")  # it is what runs this test
    words = [str(official_vectors()) if word == "../shared/mls-test-vectors" else word for word in words]
    done = run(words)
    assert done.returncode == 0, done.stdout + done.stderr

"""Commands where the terminal, or the locale, knows ASCII alone: nothing fails, and names can be told apart."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from bridge.demo.people import write_config
from bridge.service.control import Control, Object

NAME: Final = "Zo\N{LATIN SMALL LETTER E WITH DIAERESIS} \N{TEACUP WITHOUT HANDLE}"
SPELT: Final = r"Zo\xeb \U0001f375"

ACCOUNT: Final = f"xmpp:{NAME}@example.org"

MEMBER: Final = {
    "name": NAME,
    "account": ACCOUNT,
    "device": "",
    "own": False,
    "verified": "first-use",
    "rights": [],
}

ROOM: Final = {
    "rooms": [ACCOUNT],
    "roles": [],
    "problem": NAME,
    "warning": None,
    "sealed_group": None,
    "group": {"id": None, "members": [ACCOUNT], "asking": []},
}

ANSWERS: Final[dict[str, Object]] = {
    "status": {
        "service": {"running": True, "accounts": {}, "rooms": {"tea": ROOM}},
        "epoch": 7,
        "digits": "1" * 30,
        "verified": "first-use",
        "held": "",
    },
    "members": {"members": [MEMBER]},
    "verify": {"account": ACCOUNT, "name": NAME, "digits": "1" * 60},
    "history": {"messages": []},
    "remove": {"type": "error", "what": f"{NAME} is not here.", "next_step": ""},
}

MESSAGE: Final = {"at": "2026-01-01T10:00:00Z", "kind": "message", "name": NAME, "text": NAME, "position": 1}


async def _answer(line: bytes | None) -> Object:
    question = json.loads(line or b"")
    if question["type"] == "history" and "before" not in question:
        return {"type": "ok", "messages": [MESSAGE]}
    return {"type": "ok", **ANSWERS[question["type"]]}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    server = {"host": "127.0.0.1", "port": 1}
    login = {"password": {"file": "password"}}
    account = {"network": "xmpp", "jid": "bot@one", "login": login, "server": server, "plaintext": True}
    fields: dict[str, Any] = {
        "store": {"path": "a.db", "key": {"file": "key"}, "history": True},
        "accounts": {"me": account},
        "rooms": {
            "tea": {"sides": [{"account": "me", "room": "tea@muc.one"}], "mode": "room", "member": {"account": "me"}}
        },
        "health": {"listen": None},
    }
    return write_config(tmp_path, fields, {"password": "x", "key": "5a" * 32})


async def _run(*arguments: str) -> tuple[int, str]:
    """A command's exit code in a locale of ASCII, and what it prints on both streams."""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "COLUMNS": "200"}
    program = [sys.executable, "-m", "bridge.cli", *arguments]
    done = await asyncio.to_thread(subprocess.run, program, capture_output=True, env=environment, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.asyncio
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "arguments",
    [["status"], ["members"], ["verify"], ["verify", "zoe", "--show"], ["history"], ["remove", "zoe", "--yes"]],
    ids=" ".join,
)
async def test_letters_that_ascii_has_not_end_no_command(config: Path, arguments: list[str]) -> None:
    control = Control(config.parent / "a.db", _answer)
    await control.start()
    try:
        code, output = await _run(*arguments, "--config", str(config))
    finally:
        await control.stop()
    assert "Traceback" not in output
    assert code == (1 if arguments[0] == "remove" else 0)
    # Tables are spelt out; lines go through typer, which takes a stream of ASCII for one of UTF-8.
    assert SPELT in output or NAME in output

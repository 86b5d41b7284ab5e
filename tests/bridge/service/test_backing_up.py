"""`backup` and `restore`, as programs: of a member in a room of a real Prosody, who loses all of its machine."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import threading
from pathlib import Path

import pytest

from bridge.demo.people import Bridge, Person
from bridge.servers import ProsodyServer
from tests.bridge.service.test_commanding import PROGRAM, command, room_of, until_asking, until_kept

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]

_LONGEST = 60
"""Seconds that a program may take at a terminal."""


async def test_a_member_comes_back_out_of_its_backup(tmp_path: Path, prosody: ProsodyServer) -> None:
    async with room_of(tmp_path, prosody, "bot", "carol") as room:
        carol_is = room.account("carol")
        config, file, words = room.configure("bot"), tmp_path / "bot.backup", tmp_path / "words"
        words.write_text("four words of tea\n")
        words.chmod(0o600)
        given = ("--passphrase-file", str(words))
        bot = await Bridge.start(config)
        carol = await Person.start("carol", room.configure("carol", create=True))
        try:
            await carol.until_told("joined")
            await carol.until_told("member_came", account=room.account("bot"))
            await carol.ask("say", text="Hello, bot")
            await until_kept(config, 1)
            digits = (await command(config, "verify", carol_is, "--json")).json["digits"]
            assert (await command(config, "verify", carol_is, "--equal", digits)).code == 0

            # Not beside a service at work.
            busy = await command(config, "backup", str(file), *given)
            assert busy.code == 1
            assert "A backup needs the service stopped" in busy.errors
            assert not file.exists()
            await bot.stop()

            made = await command(config, "backup", str(file), "--history", "--json", *given)
            assert made.code == 0, made.errors
            assert {key: made.json[key] for key in ("identities", "rooms", "groups", "messages")} == {
                "identities": 1,
                "rooms": 1,
                "groups": 1,
                "messages": 1,
            }
            again = await command(config, "backup", str(file), *given)
            assert (again.code, "it is there already" in again.errors) == (1, True)
            there = await command(config, "restore", str(file), *given)
            assert (there.code, "where there is nothing yet" in there.errors) == (1, True)

            # The machine is lost: what is left is the backup, the password, and a new key.
            before = config.read_text()
            for path in config.parent.iterdir():
                if path.name != "password":
                    path.unlink()
            first = await command(config, "restore", str(file), *given)
            assert first.code == 1
            assert "The configuration is written" in first.errors
            assert "there is no file" in first.errors
            assert config.read_text() == before
            (config.parent / "key").write_text("a5" * 32)
            (config.parent / "key").chmod(0o600)
            done = await command(config, "restore", str(file), *given)
            assert done.code == 0, done.errors
            assert "it asks to come back" in " ".join(done.errors.split())

            assert await until_kept(config, 1) == [("Hello, bot", False)]
            bot = await Bridge.start(config)
            hers, it = carol_config(room.folder), room.account("bot")
            assert (await until_asking(hers, it, bot, carol))["was_in"]
            assert "has lost its group and asks to come back" in (await command(hers, "members")).output

            # It comes back by her decision, on the key that she has verified, and in the place of its old leaf.
            assert (await command(hers, "remove", it, "--yes")).code == 0
            await carol.until_told("member_went", account=it)
            assert (await command(hers, "add", it)).code == 0
            await carol.until_told("member_came", account=it)
            await carol.ask("say", text="There you are")
            assert await until_kept(config, 2) == [("Hello, bot", False), ("There you are", False)]
            shown = (await command(config, "verify", carol_is, "--json")).json
            assert shown["digits"] == digits
        finally:
            await carol.stop()
            await bot.stop()


def carol_config(folder: Path) -> Path:
    return next((folder / "carol").glob("*.yaml"))


@pytest.mark.parametrize(
    "typed, code, said",
    [
        ("four words of tea\nfour words of tea\n", 1, "there is no database yet"),
        ("four words of tea\nanother one of tea\n", 1, "two different ones"),
        ("short\nshort\n", 1, "fewer than 12"),
        ("\n\n", 1, "is empty"),
    ],
    ids=["the same twice", "two", "short", "empty"],
)
async def test_the_passphrase_is_typed_twice(
    tmp_path: Path, prosody: ProsodyServer, typed: str, code: int, said: str
) -> None:
    async with room_of(tmp_path, prosody, "bot") as room:
        config = room.configure("bot")
        seen, ended = await asyncio.to_thread(at_a_terminal, typed, ["backup", str(tmp_path / "b"), "-c", str(config)])
        assert said in seen
        assert "four words" not in seen
        assert ended == code


def at_a_terminal(typed: str, arguments: list[str]) -> tuple[str, int]:
    """What a program shows at a terminal of its own where this is typed, one line for each question, and its code."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(PROGRAM[0], [*PROGRAM, *arguments])  # noqa: S606 - the project's own
    # Whoever waits for the thread that reads waits for the program: one that asks for ever is ended.
    watch = threading.Timer(_LONGEST, os.kill, (child, signal.SIGKILL))
    watch.start()
    try:
        seen = _typing(terminal, typed.encode().splitlines(keepends=True))
        return seen.decode(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        watch.cancel()
        os.close(terminal)


def _typing(terminal: int, lines: list[bytes]) -> bytes:
    seen = b""
    while True:
        try:
            seen += os.read(terminal, 1 << 12)
        except OSError:  # how Linux says that nobody is at the other end
            return seen
        # Behind the answer comes the end of its line, and then, once what was typed too early has been thrown away,
        # the next question.
        question = seen.rpartition(b"\n")[2].rstrip()
        if question.endswith((b"backup:", b"again:")) and lines:
            os.write(terminal, lines.pop(0))


async def test_without_anybody_to_ask_an_option_is_needed(tmp_path: Path, prosody: ProsodyServer) -> None:
    async with room_of(tmp_path, prosody, "bot") as room:
        config = room.configure("bot")
        nobody = await command(config, "backup", str(tmp_path / "b"))
        assert (nobody.code, "There is nobody to ask" in nobody.errors) == (2, True)
        unset = await command(config, "backup", str(tmp_path / "b"), "--passphrase-env", "NOT_SET_AT_ALL")
        assert (unset.code, "NOT_SET_AT_ALL is not set" in unset.errors) == (1, True)
        wrong = await command(config, "backup", str(tmp_path / "b"), "--passphrase-env", "no name")
        assert (wrong.code, "is not the name of an environment variable" in wrong.errors) == (2, True)

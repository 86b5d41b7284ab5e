"""Commands that ask a member: of a running service, of a stopped one, and of `chat`; in a room of a real Prosody."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from bridge.demo.people import Bridge, Person, write_config
from bridge.servers import ProsodyServer
from bridge.service.control import ask
from tests.servers.proxy import Proxy
from tests.transports.xmpp.scene import PASSWORD, Scene

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]

PROGRAM = [sys.executable, "-m", "bridge.cli"]


@dataclass
class Done:
    code: int
    output: str
    errors: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - a JSON document
        return json.loads(self.output)


@dataclass
class Room:
    """A MUC whose archive is the order, and the configurations of who is in it."""

    folder: Path
    scene: Scene
    muc: str

    def configure(
        self,
        name: str,
        *,
        password: str = PASSWORD,
        muc: str = "",
        port: int = 0,
        **changes: Any,  # noqa: ANN401
    ) -> Path:
        server = {"host": "127.0.0.1", "port": port or self.scene.server.c2s_port}
        login = {"password": {"file": "password"}}
        account = {"network": "xmpp", "jid": self.scene.jid(name), "login": login, "server": server, "plaintext": True}
        member = {"account": "me", **changes}
        config = {
            "store": {"path": "a.db", "key": {"file": "key"}, "history": True},
            "accounts": {"me": account},
            "rooms": {"tea": {"sides": [{"account": "me", "room": muc or self.muc}], "mode": "room", "member": member}},
            "health": {"listen": None},
            "log": {"format": "json"},
        }
        return write_config(self.folder / name, config, {"password": password, "key": "5a" * 32})

    def account(self, name: str) -> str:
        return f"xmpp:{self.scene.jid(name)}"


@asynccontextmanager
async def room_of(folder: Path, prosody: ProsodyServer, *people: str) -> AsyncIterator[Room]:
    async with Scene(prosody) as scene:
        await scene.register(*people)
        yield Room(folder, scene, await scene.room("tea", [scene.jid(name) for name in people]))


ENVIRONMENT: Final = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


async def command(config: Path, *arguments: str) -> Done:
    """A command, in this process: it asks another one, and that is what is tested."""

    def invoke() -> Done:
        result = CliRunner().invoke(app, [*arguments, "-c", str(config)], env=ENVIRONMENT)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return Done(result.exit_code, result.stdout, result.stderr)

    return await asyncio.to_thread(invoke)


async def program(config: Path, *arguments: str, stdin: int = asyncio.subprocess.DEVNULL) -> Done:
    """A command, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        *arguments,
        "-c",
        str(config),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **ENVIRONMENT},
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    return Done(process.returncode or 0, output.decode(), errors.decode())


async def answered(config: Path, typed: str, *arguments: str) -> Done:
    """A command at a terminal where a person types something."""
    person, terminal = pty.openpty()
    try:
        os.write(person, typed.encode())
        return await program(config, *arguments, stdin=terminal)
    finally:
        os.close(person)
        os.close(terminal)


async def until_asking(config: Path, account: str, *running: Bridge | Person) -> Any:  # noqa: ANN401 - a JSON object
    async with asyncio.timeout(40):
        while True:
            for process in running:
                assert process.is_running, process.log.read_text()
            found = await command(config, "members", "--json")
            if found.code == 0:
                for one in found.json["asking"]:
                    if one["account"] == account:
                        return one
            await asyncio.sleep(0.2)


async def in_one_epoch(config: Path, person: Person) -> tuple[Any, Any]:
    """How a service and a person see the group, once both are in the same epoch: one gets there before the other."""
    async with asyncio.timeout(40):
        while True:
            group, seen = (await command(config, "verify", "--json")).json, await person.ask("status")
            if group["epoch"] == seen["epoch"]:
                return group, seen
            await asyncio.sleep(0.1)


async def until_kept(config: Path, number: int) -> list[tuple[str, bool]]:
    """The texts of so many messages that are kept, and whether they are one's own."""
    async with asyncio.timeout(40):
        while len(lines := (await command(config, "history", "--json")).output.splitlines()) < number:  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # a process does not ring
    return [(found["text"], found["own"]) for found in map(json.loads, lines)]


async def test_a_member_under_run_is_led_by_commands(tmp_path: Path, prosody: ProsodyServer) -> None:
    async with room_of(tmp_path, prosody, "bot", "carol") as room:
        carol_is = room.account("carol")
        config = room.configure("bot", create=True, add="ask")
        bot = await Bridge.start(config)
        carol = await Person.start("carol", room.configure("carol"))
        try:
            # Somebody asks, and is let in.
            assert (await until_asking(config, carol_is, bot, carol))["vouched_for"]
            shown = await command(config, "members")
            assert f"{carol_is} asks to be let in: mls-bridge add {carol_is}" in shown.output
            added = await command(config, "add", room.scene.jid("carol"))
            assert (added.code, added.output, added.errors) == (0, "", "Added.\n")
            await carol.until_told("joined")

            # They compare digits.
            seen = await carol.ask("verify", account=room.account("bot"))
            digits = seen["digits"]
            shown = await command(config, "verify", carol_is, "--show")
            assert shown.code == 0
            assert "".join(char for char in shown.output.partition(":\n")[2] if char.isdigit()) == digits
            wrong = await command(config, "verify", carol_is, "--equal", "1" * 60)
            assert wrong.code == 1
            assert "Nothing is\nrecorded" in wrong.errors
            assert f"mls-bridge remove {carol_is}" in wrong.errors
            no = await answered(config, "n\n", "verify", carol_is)
            assert no.code == 1
            assert "The digits differ" in no.errors
            members = {one["account"]: one for one in (await command(config, "members", "--json")).json["members"]}
            assert members[carol_is]["verified"] == "first-use"
            yes = await answered(config, "y\n", "verify", carol_is)
            assert yes.code == 0
            assert "Recorded" in yes.errors
            group, seen = await in_one_epoch(config, carol)
            assert group["verified"] == "compared"
            assert group["digits"] == seen["digits"]
            spaced = " ".join(digits[start : start + 5] for start in range(0, 60, 5))
            assert (await command(config, "verify", carol_is, "--equal", spaced)).code == 0

            # What is said is kept on both sides of a conversation.
            await carol.ask("say", text="Hello, bot")
            assert await until_kept(config, 1) == [("Hello, bot", False)]
            said = await ask(config.parent / "a.db", {"room": "tea", "type": "say", "text": "Hello, Carol"})
            assert said is not None
            await carol.until_told("message", text="Hello, Carol")
            assert await until_kept(config, 2) == [("Hello, bot", False), ("Hello, Carol", True)]

            # What cannot be is said, by exit codes too.
            assert (await command(config, "remove", carol_is)).code == 2  # there is nobody to ask
            assert (await answered(config, "n\n", "remove", carol_is)).code == 1
            nobody = await command(config, "remove", "dave", "--yes")
            assert nobody.code == 1
            assert "Nobody is known here as dave" in nobody.errors
            assert "mls-bridge members --room tea" in nobody.errors
            assert (await command(config, "members", "--room", "chess")).code == 2
            assert (await command(config, "verify", "--show")).code == 2
            assert (await command(config, "verify", carol_is)).code == 2  # there is nobody to ask

            removed = await command(config, "remove", carol_is, "--yes")
            assert (removed.code, removed.errors) == (0, "Removed.\n")
            await carol.until_told("removed")
        finally:
            await carol.stop()
            await bot.stop()

        # The same of a service that is stopped: what is stored is read, and what is asked for waits.
        assert not (config.parent / "a.db-control").exists()
        assert not (await command(config, "status", "--json")).json["running"]
        members = {one["account"]: one for one in (await command(config, "members", "--json")).json["members"]}
        assert list(members) == [room.account("bot")]
        assert "Hello, Carol" in (await command(config, "history", "--limit", "1")).output
        assert (await command(config, "history", "--purge")).code == 2
        assert (await command(config, "history", "--purge", "--yes")).code == 0
        assert (await command(config, "history", "--json")).output == ""


async def test_what_is_decided_while_the_service_is_stopped_goes_out_when_it_starts(
    tmp_path: Path, prosody: ProsodyServer
) -> None:
    async with room_of(tmp_path, prosody, "bot", "carol") as room:
        carol_is = room.account("carol")
        config = room.configure("bot", create=True, add="ask")
        bot = await Bridge.start(config)
        carol = await Person.start("carol", room.configure("carol"))
        try:
            await until_asking(config, carol_is, bot, carol)
            await bot.stop()
            added = await command(config, "add", carol_is)
            assert added.code == 0
            assert "goes out when it does" in added.errors
            seen = (await command(config, "verify", carol_is, "--json")).json
            assert seen["digits"] == (await carol.ask("verify", account=room.account("bot")))["digits"]
            bot = await Bridge.start(config)
            await carol.until_told("joined")
        finally:
            await carol.stop()
            await bot.stop()


async def test_chat_answers_commands_and_ends_at_a_signal(tmp_path: Path, prosody: ProsodyServer) -> None:
    async with room_of(tmp_path, prosody, "alice") as room:
        config = room.configure("alice", create=True)
        alice = await Person.start("alice", config)
        try:
            await alice.until_told("joined")
            assert (await command(config, "status", "--json")).json["running"]
            members = (await command(config, "members", "--json")).json["members"]
            assert [one["account"] for one in members] == [room.account("alice")]
            alice._process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(alice._process.wait(), 20) == 0
        finally:
            await alice.stop()
        assert "xmpp: connecting" in alice.log.read_text()
        assert "Traceback" not in alice.log.read_text()


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"password": "wrong"}, "the account me has stopped: the server refuses the account"),
        ({"muc": "nowhere"}, "there is no such room"),
    ],
    ids=["a wrong password", "a room that is not there"],
)
async def test_chat_says_why_it_cannot_begin(
    tmp_path: Path, prosody: ProsodyServer, changes: dict[str, str], said: str
) -> None:
    async with room_of(tmp_path, prosody, "alice") as room:
        muc = f"{changes['muc']}@{room.muc.partition('@')[2]}" if "muc" in changes else ""
        config = room.configure("alice", password=changes.get("password", PASSWORD), muc=muc)
        ended = await program(config, "chat", "--json")
        assert ended.code == 1
        assert ended.output == ""
        assert said in ended.errors
        assert len(ended.errors.splitlines()) < 6
        assert "Traceback" not in ended.errors


async def test_a_signal_ends_chat_while_it_waits_for_its_server(tmp_path: Path, prosody: ProsodyServer) -> None:
    async with room_of(tmp_path, prosody, "alice") as room:
        config = room.configure("alice")
        text = config.read_text().replace(str(room.scene.server.c2s_port), "1")
        config.write_text(text)
        alice = await Person.start("alice", config)
        try:
            async with asyncio.timeout(30):
                while "xmpp: lost" not in alice.log.read_text():  # noqa: ASYNC110 - a file does not ring
                    await asyncio.sleep(0.05)
            alice._process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(alice._process.wait(), 20) == 0
        finally:
            await alice.stop()
        assert alice.seen == []


async def test_chat_ends_with_the_reason_when_its_account_is_refused_after_the_connection_was_lost(
    tmp_path: Path, prosody: ProsodyServer
) -> None:
    async with room_of(tmp_path, prosody, "alice") as room, Proxy(room.scene.server.c2s_port) as proxy:
        alice = await Person.start("alice", room.configure("alice", create=True, port=proxy.port))
        try:
            await alice.until_told("joined")
            # The next login is refused: its connection is lost by then.
            proxy.upstream = lambda data: re.sub(rb"(<auth[^>]*>)[^<]*", rb"\1AAAA", data)
            proxy.cut()
            alarm = await alice.until_told("alarm")
            assert await asyncio.wait_for(alice._process.wait(), 20) == 1
        finally:
            await alice.stop()
        assert alarm["what"].startswith("The account me has stopped: the server refuses the account")
        assert "the account me has stopped: the server refuses the account" in alice.log.read_text()
        states = [line["state"] for line in alice.seen if line["type"] == "connection"]
        assert states[-1] == "lost"
        assert "Traceback" not in alice.log.read_text()

"""The bots of docs/examples, as people run them: programs of their own, on real servers, with people to talk to."""

from __future__ import annotations

import asyncio
import os
import random
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge import library
from bridge.conversation import MembersListed, PlaintextShown
from bridge.library import Members, MemberSettings, MessageArrived, open_room
from bridge.protocol.code_points import Mode
from bridge.servers import SynapseServer, XmppServer
from bridge.servers.certificates import Authority
from bridge.servers.xmpp import XmppSoftware
from tests.transports.xmpp.scene import PACE, PASSWORD
from tests.transports.xmpp.scene import Scene as XmppScene
from tests.whole.people import Diary, Person, listening
from tests.whole.scene import linked_rooms
from transports.room import Account
from transports.xmpp import ClientLogin, XmppTransport
from transports.xmpp.elements import CLIENT, element

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs" / "examples"

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]


class Bot:
    """An example, run in a folder of its own, as often as a test likes."""

    def __init__(self, folder: Path, script: str, *arguments: str, **environment: str) -> None:
        folder.mkdir()
        (folder / "bot.key").write_text(os.urandom(32).hex() + "\n", encoding="utf-8")
        self._folder = folder
        self._command = [sys.executable, "-W", "error", str(EXAMPLES / script), *arguments]
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> str:
        path = self._folder / "log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    async def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        assert self._process.returncode is None, self.log
        self._process.kill()
        await self._process.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run it until the end of the block. It must have run until then, and without a complaint."""
        await self.start()
        try:
            yield
            assert self._process is not None
            assert self._process.returncode is None, self.log
            assert self.log == ""
        finally:
            if self._process is not None and self._process.returncode is None:
                await self.kill()


async def chat(person: Person, bot: Bot) -> None:
    """Ask, and be answered; then while the bot is killed again and again, and once for each question all the same."""
    async with asyncio.timeout(60):
        while await members(person) < 2:  # noqa: ASYNC110 - nobody tells of it but the room
            await asyncio.sleep(0.1)
    asked = await person.room.say("Is there tea?")
    answer = await person.until(MessageArrived, text="You said: Is there tea?")
    assert answer.reply_to == asked
    questions = [f"Question {number}" for number in range(12)]
    for question in questions:
        await person.room.say(question)
        if random.random() < 0.4:
            await asyncio.sleep(random.uniform(0, 1.5))
            await bot.kill()
            await bot.start()
    await person.until_read([f"You said: {question}" for question in questions], patience=60)
    await person.room.say("The end")
    await person.until_read(["You said: The end"])
    expected = ["Is there tea?", *questions, "The end"]
    assert [text.removeprefix("You said: ") for text in person.texts] == expected


async def members(person: Person) -> int:
    answer = await person.room.ask(Members())
    assert isinstance(answer, MembersListed)
    return len(answer.members)


# --- matrix-nio -------------------------------------------------------------------------------------------------------


async def test_nio_bot(tmp_path: Path, synapse: SynapseServer, prosody: XmppServer) -> None:
    async with linked_rooms(tmp_path, synapse, prosody, matrix=("alice", "echo"), muc=()) as scene, scene.bridge():
        token = scene.matrix.clients["echo"].token
        room = scene.matrix.room_id
        bot = Bot(tmp_path / "bot", "nio_bot.py", synapse.url, scene.matrix.ids["echo"], room, BOT_TOKEN=token)
        async with scene.member("alice", create=True) as alice, bot.running():
            await chat(alice, bot)
            client = scene.matrix.clients["alice"]
            await asyncio.to_thread(client.send, room, "In clear?")
            await alice.until(PlaintextShown, text="In clear, you said: In clear?")
            assert [told.text for told in alice.told(PlaintextShown) if "you said" in told.text] == [
                "In clear, you said: In clear?"
            ]


# --- slixmpp ----------------------------------------------------------------------------------------------------------


class EncryptedScene(XmppScene):
    """Accounts on a server that wants TLS."""

    def __init__(self, server: XmppServer, authority: Authority) -> None:
        super().__init__(server)
        self._authority = authority

    def login(self, name: str, *, port: int | None = None, password: str = PASSWORD) -> ClientLogin:
        port = port or self.server.c2s_port
        return ClientLogin(self.jid(name), password, host="127.0.0.1", port=port, ca_file=self._authority.certificate)


@pytest.mark.parametrize("software", ["prosody", "ejabberd"])
async def test_slixmpp_bot(tmp_path: Path, software: str, request: pytest.FixtureRequest) -> None:
    installation: XmppSoftware = request.getfixturevalue(f"{software}_installation")
    authority = Authority(tmp_path / "authority")
    start = asyncio.to_thread(installation.start, tmp_path / "server", tls=authority.issue("localhost"))
    with await start as server:
        async with EncryptedScene(server, authority) as scene:
            await scene.register("carol", "echo")
            room = await scene.room("tea", ["carol", "echo"])
            bot = Bot(
                tmp_path / "bot",
                "slixmpp_bot.py",
                scene.jid("echo"),
                room,
                f"127.0.0.1:{server.c2s_port}",
                BOT_PASSWORD=PASSWORD,
                SSL_CERT_FILE=str(authority.certificate),
            )
            async with member(scene, room, tmp_path / "carol.db") as carol, bot.running():
                await chat(carol, bot)
                await scene.owner.say(room, element(CLIENT, "body", "In clear?"))
                await carol.until(PlaintextShown, text="In clear, you said: In clear?")
                assert [told.text for told in carol.told(PlaintextShown)] == [
                    "In clear?",
                    "In clear, you said: In clear?",
                ]


@asynccontextmanager
async def member(scene: XmppScene, room: str, store: Path) -> AsyncIterator[Person]:
    """Carol, who founds the group: the room's archive is its order."""
    transport = XmppTransport(scene.login("carol"), pace=PACE, nickname="carol")
    settings = MemberSettings(stagger=200, create=True, mode=Mode.ROOM)
    async with (
        open_room(transport, room, store=store, key=bytes(32), settings=settings) as opened,
        listening(Person("carol", Account(scene.jid("carol")), opened, Diary())) as person,
    ):
        yield person


# --- docs/bots.md -----------------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "bots.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


async def test_code_of_the_page_is_that_of_the_examples() -> None:
    assert {name for name, _ in BLOCKS} == {"nio_bot.py", "slixmpp_bot.py"}
    for name, block in BLOCKS:
        assert block in (EXAMPLES / name).read_text(encoding="utf-8"), f"{name} has another {block}"


async def test_page_shows_the_whole_of_what_is_new_in_about_ten_lines() -> None:
    for name in ("nio_bot.py", "slixmpp_bot.py"):
        lines = "".join(block for one, block in BLOCKS if one == name).splitlines()
        assert len(lines) <= 10, lines


async def test_names_of_the_page_are_in_the_library() -> None:
    named = {"AddPolicy", "Kind", "MemberSettings", "RequestRefusedError", "ServiceError", "StoreError", "Verify"}
    assert named <= set(re.findall(r"\b[A-Z][A-Za-z]+\b", PAGE))
    assert named <= set(library.__all__)

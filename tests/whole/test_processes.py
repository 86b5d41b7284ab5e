"""The program as people run it: the service through its life, a person at a terminal; and what must be nowhere."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import secrets
import signal
import struct
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.conversation import Joined, MessageArrived
from bridge.demo.canaries import search_files, search_memory
from bridge.servers import SynapseServer, XmppServer
from bridge.servers.ports import Port
from tests.bridge.terminal.leading import Terminal
from tests.whole.people import Person, introduce
from tests.whole.programs import ask_health, running, until_logged
from tests.whole.scene import KEY, PASSWORD, Scene, linked_rooms

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]


async def test_the_service_from_its_start_to_its_end(
    synapse: SynapseServer, prosody: XmppServer, tmp_path: Path
) -> None:
    said = [f"canary {secrets.token_hex(8)}" for _ in range(6)]
    port = Port()
    try:
        async with linked_rooms(tmp_path, synapse, prosody) as scene:
            config = scene.bridge_config(
                health={"listen": f"127.0.0.1:{int(port)}"}, log={"level": "debug", "format": "json"}
            )
            async with running(config) as bridge:
                await until_logged(bridge.log, "serving", room="tea")
                async with scene.member("alice", create=True) as alice, scene.member("carol") as carol:
                    await introduce(alice, carol)
                    for text in said[:3]:
                        await alice.room.say(text)
                    for text in said[3:]:
                        await carol.room.say(text)
                    await carol.until_read(said[:3])
                    await alice.until_read(said[3:])
                    status, body = await ask_health(int(port), "/ready")
                    assert (status, json.loads(body)) == (
                        200,
                        {"ready": True, "accounts": {"hs": "live", "muc": "live"}, "rooms": {"tea": "ok"}},
                    )
                    assert (await ask_health(int(port), "/live"))[0] == 200
                    status, metrics = await ask_health(int(port), "/metrics")
                    assert status == 200
                os.kill(bridge.pid, signal.SIGTERM)
                assert await asyncio.wait_for(bridge._process.wait(), 20) == 0
            log = bridge.log.read_text()
            named = identifiers(scene)
    finally:
        port.release()
    figures = figures_of(metrics)
    # Alice: a KeyPackage, her first Commit, the one that adds Carol, the Welcome, three messages. Carol: a KeyPackage,
    # three messages. Besides, what the bridge says itself.
    assert figures['mls_bridge_relayed_total{network="matrix",room="tea"}'] >= 7
    assert figures['mls_bridge_relayed_total{network="xmpp",room="tea"}'] >= 4
    assert figures['mls_bridge_seals_total{room="tea"}'] >= 2
    assert figures['mls_bridge_outbox_rows{account="hs"}'] == 0
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["event"] for line in lines if line["event"] in {"starting", "serving", "stopping", "stopped"}] == [
        "starting",
        "serving",
        "stopping",
        "stopped",
    ]
    assert not [line for line in lines if line["level"] in {"warning", "error", "critical"}]
    for secret in [*said, *named, PASSWORD, KEY.hex()]:
        assert secret not in log
        assert secret not in metrics


def identifiers(scene: Scene) -> list[str]:
    """Return what names people and rooms, in full and in the parts that nobody else has."""
    accounts = [scene.account(name) for name in ("alice", "carol", "bridge")]
    return [*accounts, *scene.matrix.ids.values(), scene.matrix.room_id, scene.matrix_room, scene.muc, scene.xmpp_room]


def figures_of(metrics: str) -> dict[str, float]:
    samples = re.findall(r"^(\S+(?:\{.*\})?) (\S+)$", metrics, re.MULTILINE)
    return {name: float(value) for name, value in samples}


@contextlib.contextmanager
def at_a_terminal(*arguments: str | Path) -> Iterator[tuple[int, Terminal]]:
    """Run the program on a terminal of its own; killed at the end if it runs still. Yields its process id."""
    pid, descriptor = pty.fork()
    if pid == 0:
        environment = {**os.environ, "TERM": "xterm-256color", "TZ": "UTC", "PYTHONUTF8": "1"}
        command = [sys.executable, "-m", "bridge.cli", *map(str, arguments)]
        os.execve(sys.executable, command, environment)  # noqa: S606 - the project's own program
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    terminal = Terminal(descriptor, 100, 40)
    try:
        yield pid, terminal
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        terminal.join()
        os.close(descriptor)


async def test_a_person_at_a_terminal(synapse: SynapseServer, prosody: XmppServer, tmp_path: Path) -> None:
    async with (
        linked_rooms(tmp_path, synapse, prosody) as scene,
        scene.bridge(),
        scene.member("carol") as carol,
    ):
        with at_a_terminal("chat", "--create", "-c", scene.person_config("alice")) as (pid, terminal):

            async def see(*texts: str) -> list[str]:
                return await asyncio.to_thread(terminal.expect, *texts)

            await see("Tea, as matrix:u/alice", "\n>")
            await see("carol", "asks")
            terminal.type(f"/verify {carol.account}\r")
            digits = re.compile(r"\b(?:\d{5}[ ]+)+\d{5}\b")
            await see("compare")
            assert digits.search(terminal.text())
            terminal.type(f"/confirm {carol.account}\r")
            await carol.until(Joined)
            terminal.type("Good evening\r")
            heard = await carol.until(MessageArrived, text="Good evening")
            await carol.room.say("And to you, Alice", reply_to=heard.id)
            await see("And to you, Alice", "sent")
            terminal.type("/quit\r")
            _, status = await asyncio.to_thread(os.waitpid, pid, 0)
            assert os.waitstatus_to_exitcode(status) == 0
            assert terminal.is_as_it_was()


async def test_neither_words_nor_keys_are_anywhere_but_with_the_members(
    synapse: SynapseServer, prosody: XmppServer, tmp_path: Path
) -> None:
    words = {f"words {number}": f"canary {secrets.token_hex(12)}".encode() for number in range(4)}
    texts = [text.decode() for text in words.values()]
    async with linked_rooms(tmp_path, synapse, prosody) as scene, scene.bridge_process() as bridge:
        async with scene.chat("alice", "--create") as alice, scene.member("carol") as carol:
            asked = await alice.until_told("asked", account=carol.account)
            await alice.ask("confirm", account=carol.account, digits=asked["digits"])
            await carol.until(Joined)
            for text in texts[:2]:
                await alice.ask("say", text=text)
            for text in texts[2:]:
                await carol.room.say(text)
            await carol.until_read(texts[:2])
            for text in texts[2:]:
                await alice.until_told("message", text=text)
            wanted = {**words, **keys_of(carol)}
            # Both are in the epoch of the last message, so Alice has some of these: the search finds what is there.
            at_alice = await asyncio.to_thread(search_memory, alice.pid, wanted)
            assert {name.split()[0] for name, _ in at_alice} == {"words", "key"}
            at_bridge = await asyncio.to_thread(search_memory, bridge.pid, wanted)
        await bridge.stop()
        await asyncio.to_thread(synapse.stop)
        await asyncio.to_thread(prosody.stop)
        try:
            for folder in (synapse.folder, prosody.folder, tmp_path / "bridge"):
                assert await asyncio.to_thread(search_files, [folder], wanted) == []
                # The same search finds what does stand there: the room's name, or its database's own mark.
                known = {"name": b"SQLite format 3"} if folder != prosody.folder else {"name": scene.muc[:12].encode()}
                assert await asyncio.to_thread(search_files, [folder], known)
        finally:
            await asyncio.to_thread(synapse.resume)
            await asyncio.to_thread(prosody.resume)
    assert at_bridge == []


def keys_of(person: Person) -> dict[str, bytes]:
    """Return some of a member's secrets as they are now, of those that could not stand anywhere by chance."""
    group = person.room.role.session.group
    assert group is not None
    values = sorted({bytes(secret.value) for secret in group.secrets() if len(secret.value) >= 16})
    assert values
    return {f"key {number}": value for number, value in enumerate(values[:: max(1, len(values) // 16)])}

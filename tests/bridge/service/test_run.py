"""`mls-bridge run` and `status` as a shell sees them: relay and sequencer between two rooms of a real Prosody."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.protocol.code_points import PROBE, EnvelopeKind
from bridge.protocol.envelope import open_envelope
from bridge.servers import ProsodyServer
from tests.bridge.service.worlds import application
from tests.transports.xmpp.scene import PASSWORD, Listener, Scene
from transports.room import EnvelopeSeen, RoomAddress

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]

PROGRAM = [sys.executable, "-m", "bridge.cli"]


def configure(folder: Path, scene: Scene, *, sides: dict[str, str], password: str = PASSWORD) -> Path:
    """Write a configuration in which these accounts link these rooms."""
    (folder / "key").write_text("5a" * 32)
    (folder / "password").write_text(password)
    for name in ("key", "password"):
        (folder / name).chmod(0o600)
    config = {
        "store": {"path": "test.db", "key": {"file": "key"}},
        "accounts": {
            name: {
                "network": "xmpp",
                "jid": scene.jid(name),
                "login": {"password": {"file": "password"}},
                "server": {"host": "127.0.0.1", "port": scene.server.c2s_port},
                "plaintext": True,
            }
            for name in sides
        },
        "rooms": {
            "tea": {
                "sides": [{"account": name, "room": room} for name, room in sides.items()],
                "home": next(iter(sides)),
                "relay": True,
                "sequencer": True,
            }
        },
        "health": {"listen": None},
        "log": {"format": "json"},
    }
    path = folder / "test.yaml"
    path.write_text(json.dumps(config))
    return path


@asynccontextmanager
async def running(
    config: Path, *, environment: dict[str, str] | None = None
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Path]]:
    """The service in a process of its own, and its log; killed at the end if it runs still."""
    log = config.with_suffix(".log")
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, "run", "-c", str(config), stderr=output, env={**os.environ, **(environment or {})}
        )
    try:
        yield process, log
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def status(config: Path) -> Any:  # noqa: ANN401 - a JSON document
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "status", "-c", str(config), "--json", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(output)


def kinds(listener: Listener) -> list[int]:
    return [open_envelope(envelope).kind for envelope in listener.envelopes]


async def test_relay_and_sequencer_between_two_rooms(tmp_path: Path, prosody: ProsodyServer) -> None:
    async with Scene(prosody) as scene:
        await scene.register("one", "two", "alice", "bob")
        home = await scene.room("home", [scene.jid("one"), scene.jid("alice")])
        away = await scene.room("away", [scene.jid("two"), scene.jid("bob")])
        alice, bob = await scene.transport("alice"), await scene.transport("bob")
        await alice.join(home)
        await bob.join(away)
        at_bob = scene.listen(bob)
        config = configure(tmp_path, scene, sides={"one": home, "two": away})
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(str(tmp_path / "n"))
        manager.setblocking(False)  # noqa: FBT003 - the standard library's
        loop = asyncio.get_running_loop()

        with manager:
            async with running(config, environment={"NOTIFY_SOCKET": str(tmp_path / "n")}) as (process, log):
                assert await asyncio.wait_for(loop.sock_recv(manager, 100), 30) == b"READY=1"
                said = application("through the relay")
                await alice.publish(RoomAddress(f"xmpp:{home}"), said, transaction="t1")
                await at_bob.until(lambda: said in at_bob.envelopes)
                told = await status(config)
                assert told["running"]
                assert {one["state"] for one in told["accounts"].values()} == {"live"}
                assert told["rooms"]["tea"]["roles"] == ["relay", "sequencer"]
                assert told["rooms"]["tea"]["problem"] is None
                process.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(process.wait(), 20) == 0
                assert await asyncio.wait_for(loop.sock_recv(manager, 100), 1) == b"STOPPING=1"
        assert EnvelopeKind.HELLO in {open_envelope(envelope).kind for envelope in at_bob.envelopes}
        text = log.read_text()
        assert "stopped" in text
        assert all(json.loads(line) for line in text.splitlines())
        assert scene.jid("alice") not in text
        assert home not in text

        stopped = await status(config)
        assert not stopped["running"]
        assert stopped["rooms"]["tea"]["rooms"] == [f"xmpp:{home}", f"xmpp:{away}"]
        assert {one["waiting"] for one in stopped["accounts"].values()} == {0}


async def test_what_check_posts_is_neither_copied_nor_complained_about(tmp_path: Path, prosody: ProsodyServer) -> None:
    async with Scene(prosody) as scene:
        await scene.register("one", "two", "bob")
        home = await scene.room("home", [scene.jid("one")])
        away = await scene.room("away", [scene.jid("two"), scene.jid("bob")])
        bob = await scene.transport("bob")
        await bob.join(away)
        at_bob = scene.listen(bob)
        config = configure(tmp_path, scene, sides={"one": home, "two": away})
        async with running(config) as (process, log):
            await at_bob.until(lambda: EnvelopeKind.HELLO in kinds(at_bob))
            check = await asyncio.create_subprocess_exec(*PROGRAM, "check", "-c", str(config))
            assert await check.wait() == 0
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 20) == 0
        probes = [seen for seen in at_bob.of(EnvelopeSeen) if open_envelope(seen.envelope).kind == PROBE]
        assert probes
        assert all(seen.note is None for seen in probes)  # posted in this room
        events = [json.loads(line) for line in log.read_text().splitlines()]
        assert not [event for event in events if event["level"] in {"warning", "error", "critical"}]


async def test_a_wrong_password_is_said_and_the_service_stops_cleanly(tmp_path: Path, prosody: ProsodyServer) -> None:
    async with Scene(prosody) as scene:
        await scene.register("one", "two")
        rooms = {name: await scene.room(name, [scene.jid(name)]) for name in ("one", "two")}
        config = configure(tmp_path, scene, sides=rooms, password="wrong")
        async with running(config) as (process, log):
            async with asyncio.timeout(30):
                while "account stopped" not in log.read_text():  # noqa: ASYNC110 - a file does not ring
                    await asyncio.sleep(0.05)
            told = await status(config)
            assert told["accounts"]["one"]["problem"]
            process.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_a_database_in_use_is_refused(tmp_path: Path, prosody: ProsodyServer) -> None:
    async with Scene(prosody) as scene:
        await scene.register("one", "two")
        rooms = {name: await scene.room(name, [scene.jid(name)]) for name in ("one", "two")}
        config = configure(tmp_path, scene, sides=rooms)
        async with running(config) as (_, log):
            async with asyncio.timeout(30):
                while "serving" not in log.read_text():  # noqa: ASYNC110 - a file does not ring
                    await asyncio.sleep(0.05)
            second = await asyncio.create_subprocess_exec(
                *PROGRAM, "run", "-c", str(config), stderr=asyncio.subprocess.PIPE
            )
            _, said = await second.communicate()
            assert second.returncode == 1
            assert b"in use by process" in said

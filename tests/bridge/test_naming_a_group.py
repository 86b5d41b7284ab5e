"""A group that is named beforehand: by `init`, in the configuration, and in what `status` tells of it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.config import load
from bridge.member.settings import MemberSettings
from bridge.protocol.code_points import EnvelopeKind
from bridge.relay import Side
from bridge.servers import ProsodyServer
from bridge.service.members import make_member
from tests.bridge.relay.world import message
from tests.bridge.service.test_run import PROGRAM, configure, running, status
from tests.bridge.test_cli import run
from tests.transports.xmpp.scene import Scene
from transports.room import Account, RoomAddress

GROUP, OTHER = bytes(range(16)), b"another group..."
XMPP = [
    *("--networks", "xmpp", "--xmpp-jid", "bot@tea.party", "--xmpp-login", "password"),
    *("--xmpp-room", "tea@muc.tea.party"),
]


def test_init_names_the_group_for_sequencer_and_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = ["--member", "xmpp", "--sequencer", "--group", GROUP.hex()]
    assert run(monkeypatch, "init", "--defaults", *XMPP, *told) == 0

    room = load(Path("mls-bridge.yaml")).rooms["tea"]
    assert room.group_id == GROUP
    role = make_member(room, Side(Account("xmpp:bot@tea.party"), RoomAddress("xmpp:tea")), bytes, history=False)
    assert role._settings == MemberSettings(group_id=GROUP)


def test_init_refuses_what_is_no_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "init", "--defaults", *XMPP, "--group", "tea") == 2

    assert "is not the id of a group" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_status_tells_the_group_that_is_sealed_and_of_another_one(tmp_path: Path, prosody: ProsodyServer) -> None:
    async with Scene(prosody) as scene:
        await scene.register("one", "two", "eve")
        home = await scene.room("home", [scene.jid("one"), scene.jid("eve")])
        away = await scene.room("away", [scene.jid("two")])
        eve = await scene.transport("eve")
        await eve.join(home)
        config = configure(tmp_path, scene, sides={"one": home, "two": away})
        settings = yaml.safe_load(config.read_text(encoding="utf-8"))
        settings["rooms"]["tea"]["group"] = GROUP.hex()
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")

        async with running(config) as (process, log):
            async with asyncio.timeout(30):
                while "serving" not in log.read_text():  # noqa: ASYNC110 - a file does not ring
                    await asyncio.sleep(0.05)
            assert (await tea(config))["warning"] is None
            await eve.publish(RoomAddress(f"xmpp:{home}"), message(EnvelopeKind.HANDSHAKE, b"", OTHER), transaction="t")
            async with asyncio.timeout(30):
                while (told := await tea(config))["warning"] is None:  # noqa: ASYNC110 - nor does a process
                    await asyncio.sleep(0.1)
            assert OTHER.hex() in told["warning"]
            assert told["problem"] is None
            printed = await shown(config)
            assert f"tea: sealed group {GROUP.hex()}\n" in printed
            assert "another group is in this room" in " ".join(printed.split())
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 20) == 0

        assert (await tea(config))["sealed_group"] == GROUP.hex()


async def tea(config: Path) -> Any:  # noqa: ANN401 - a JSON object
    return (await status(config))["rooms"]["tea"]


async def shown(config: Path) -> str:
    """What `status` prints for people."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        *("status", "-c", str(config)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"},
    )
    output, _ = await process.communicate()
    return output.decode()

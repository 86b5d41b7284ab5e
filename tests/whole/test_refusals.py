"""Servers that refuse: a wrong password, no such room, no permission. Each is said in words, never as a traceback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from bridge.servers import SynapseServer, XmppServer
from bridge.servers.ports import Port
from tests.servers.matrix import API
from tests.whole.programs import ask_health, running, until_logged, until_over, until_ready
from tests.whole.scene import BRIDGE, Scene, linked_rooms

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]

MISSING = {"alice": "#nowhere:localhost", "carol": "nowhere@conference.localhost"}
NO_SUCH_ROOM = {"alice": "not found", "carol": "no such room"}


@pytest_asyncio.fixture
async def scene(synapse: SynapseServer, prosody: XmppServer, tmp_path: Path) -> AsyncIterator[Scene]:
    """Two rooms, with Alice in the one and Carol in the other."""
    async with linked_rooms(tmp_path, synapse, prosody, matrix=("alice", "bob")) as scene:
        yield scene


@pytest.fixture
def port() -> Iterator[int]:
    """Where a service may tell how it stands."""
    port = Port()
    yield int(port)
    port.release()


def in_room(room: str) -> dict[str, Any]:
    """Return what of a person's configuration names the room."""
    return {"tea": {"sides": [{"account": "me", "room": room}], "member": {"account": "me"}}}


def let_write(scene: Scene, power: int) -> None:
    """Say which power level it takes to post into the room on Matrix. Alice, who made it, always may."""
    path = f"{API}/rooms/{quote(scene.matrix.room_id)}/state/m.room.power_levels"
    alice = scene.matrix.clients["alice"]
    alice.call("PUT", path, {**alice.call("GET", path), "events_default": power})


@pytest.mark.parametrize("name", ["alice", "carol"])
async def test_chat_with_a_wrong_password(scene: Scene, name: str) -> None:
    ended = await until_over("chat", "--json", "-c", scene.person_config(name, password="hunter22"))
    ended.assert_failed("the account me has stopped", "password")
    assert "hunter22" not in ended.complaint


@pytest.mark.parametrize("name", ["alice", "carol"])
async def test_chat_in_a_room_that_is_not_there(scene: Scene, name: str) -> None:
    config = scene.person_config(name, rooms=in_room(MISSING[name]))
    (await until_over("chat", "--json", "-c", config)).assert_failed(MISSING[name], NO_SUCH_ROOM[name])


async def test_chat_where_one_is_not_invited(scene: Scene) -> None:
    room = scene.matrix.clients[BRIDGE].create_room(preset="private_chat")
    ended = await until_over("chat", "--json", "-c", scene.person_config("alice", rooms=in_room(room)))
    ended.assert_failed(room, "not invited")


async def test_chat_where_one_is_no_member(scene: Scene) -> None:
    room = await scene.xmpp.room("closed")
    ended = await until_over("chat", "--json", "-c", scene.person_config("carol", rooms=in_room(room)))
    ended.assert_failed(room, "not a member of the room", "ask an admin")


async def test_chat_where_one_may_read_and_not_write(scene: Scene) -> None:
    let_write(scene, 50)
    async with scene.chat("bob") as bob:
        alarm = await bob.until(lambda line: line["type"] == "alarm", "an alarm")
        assert "does not take" in alarm["what"]
        assert "not allowed" in alarm["what"]
        assert "mls-bridge check" in alarm["next_step"]


async def test_run_with_a_wrong_password(scene: Scene, port: int) -> None:
    config = scene.bridge_config(health={"listen": f"127.0.0.1:{port}"})
    (config.parent / "password").write_text("hunter22")
    async with running(config) as bridge:
        stopped = await until_logged(bridge.log, "account stopped", account="hs")
        assert "wrong name or password" in stopped["reason"]
        await until_logged(bridge.log, "room not served", room="tea")
        await until_logged(bridge.log, "joined", account="muc")  # one account is no matter of the other
        told = await until_ready(port, ready=False)
        assert told["accounts"]["hs"] == "lost"
        assert "password" in told["rooms"]["tea"]
        assert (await ask_health(port, "/live"))[0] == 200
    log = bridge.log.read_text()
    assert "Traceback" not in log
    assert "hunter22" not in log


@pytest.mark.parametrize("side", ["hs", "muc"])
async def test_run_in_a_room_that_is_not_there(scene: Scene, port: int, side: str) -> None:
    name = "alice" if side == "hs" else "carol"
    places = {"hs": scene.matrix.room_id, "muc": scene.muc, side: MISSING[name]}
    sides = [{"account": account, "room": room} for account, room in places.items()]
    rooms = {"tea": {"sides": sides, "home": "hs", "relay": True, "sequencer": True}}
    async with running(scene.bridge_config(rooms=rooms, health={"listen": f"127.0.0.1:{port}"})) as bridge:
        told = await until_logged(bridge.log, "room not joined", account=side, room="tea")
        assert NO_SUCH_ROOM[name] in told["reason"]
        ready = await until_ready(port, ready=False)
        assert ready["rooms"]["tea"] != "ok"
        # Neither tells more of the room than its name in the configuration.
        assert MISSING[name] not in str(ready)
        assert MISSING[name] not in bridge.log.read_text()


async def test_run_where_the_bridge_may_read_and_not_write(scene: Scene, port: int) -> None:
    let_write(scene, 50)
    async with running(scene.bridge_config(health={"listen": f"127.0.0.1:{port}"})) as bridge:
        await until_logged(bridge.log, "serving", room="tea")
        told = await until_ready(port, ready=False)
        while told["rooms"]["tea"] == "ok":
            told = await until_ready(port, ready=False)
        assert "not allowed" in told["rooms"]["tea"]
        # Nothing was given up meanwhile: once it may write, it does.
        let_write(scene, 0)
        await until_ready(port)

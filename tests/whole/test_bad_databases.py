"""Databases that cannot be used: both commands say what is wrong and what to do, in a line, and end with 1."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from bridge.servers import SynapseServer, XmppServer
from bridge.store import Store, StoreKey
from bridge.store.database import APPLICATION_ID
from tests.whole.programs import until_logged, until_over
from tests.whole.scene import KEY, Scene, linked_rooms

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]

PAGE = 4096
SMALL_DISK = "tests.whole.small_disk"


@dataclass
class Command:
    """`run`, or `chat`, with a configuration of its own."""

    name: str
    scene: Scene
    config: Path

    @property
    def arguments(self) -> list[str | Path]:
        return [self.name, *(["--json"] if self.name == "chat" else []), "-c", self.config]

    @property
    def database(self) -> Path:
        return self.config.parent / "mls-bridge.db"


@pytest_asyncio.fixture(params=["run", "chat"])
async def command(
    request: pytest.FixtureRequest, synapse: SynapseServer, prosody: XmppServer, tmp_path: Path
) -> AsyncIterator[Command]:
    """Each of the two commands."""
    async with linked_rooms(tmp_path, synapse, prosody) as scene:
        config = scene.bridge_config() if request.param == "run" else scene.person_config("alice")
        yield Command(request.param, scene, config)


async def test_a_damaged_database(command: Command) -> None:
    with sqlite3.connect(command.database) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("CREATE TABLE filler (content BLOB)")
        connection.executemany("INSERT INTO filler VALUES (?)", [(bytes(PAGE),) for _ in range(50)])
    connection.close()
    data = bytearray(command.database.read_bytes())
    data[2 * PAGE : 5 * PAGE] = b"\xa5" * (3 * PAGE)
    command.database.write_bytes(data)
    ended = await until_over(*command.arguments)
    ended.assert_failed(str(command.database), "damaged", "Do not put back an older copy")


async def test_a_file_that_is_no_database(command: Command) -> None:
    command.database.write_bytes(b"minutes of the last meeting\n" * 100)
    (await until_over(*command.arguments)).assert_failed(str(command.database), "is no database")


async def test_a_second_process_and_another_key(command: Command) -> None:
    if command.name == "run":
        async with command.scene.bridge_process() as bridge:
            await until_logged(bridge.log, "starting")
            second, owner = await until_over(*command.arguments), bridge.pid
    else:
        async with command.scene.chat("alice") as alice:
            await alice.until_told("hello")
            second, owner = await until_over(*command.arguments), alice.pid
    second.assert_failed(str(command.database), f"in use by process {owner}", "Stop that one first")
    (command.config.parent / "key").write_text("ab" * 32)
    (await until_over(*command.arguments)).assert_failed("the key does not open this database")


async def test_a_disk_without_room_for_a_database(command: Command) -> None:
    ended = await until_over("10", *command.arguments, module=SMALL_DISK)
    ended.assert_failed(str(command.database), "there is no room left", "Make room and start again")


async def test_a_disk_that_fills_up(command: Command) -> None:
    async with await Store.open(command.database, StoreKey(KEY), now=0):
        pass
    pages = command.database.stat().st_size // PAGE
    for number in range(40):  # what is to be read in the room is more than there is room for
        command.scene.matrix.clients["alice"].send(command.scene.matrix.room_id, f"{number} " * 1000)
    ended = await until_over(str(pages + 8), *command.arguments, module=SMALL_DISK)
    assert ended.code == 1
    assert "Traceback" not in ended.complaint
    said = [line for line in ended.complaint.splitlines() if line.startswith(f"{command.database}: ")]
    assert len(said) == 1
    assert "there is no room left" in said[0]
    assert "Make room and start again" in said[0]


async def test_a_disk_that_is_full_for_a_moment_only(command: Command) -> None:
    ended = await until_over(*command.arguments, module="tests.whole.failing_roles")
    assert ended.code == 1
    assert "Traceback" not in ended.complaint
    assert [line for line in ended.complaint.splitlines() if line.startswith("here: there is no room left")]

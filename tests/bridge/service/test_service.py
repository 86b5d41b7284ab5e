"""What goes in comes out: from a room to roles, and from roles to the room."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.service.clock import SystemClock
from tests.bridge.service.worlds import ALICE, BOB, TEA, Notebook, World, application, until
from transports.room import EnvelopeSeen, MalformedSeen, PlaintextSeen

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(30)]


async def test_a_role_takes_what_happens_in_its_room(tmp_path: Path) -> None:
    world, notebook = World(tmp_path), Notebook()
    world.room()
    room = world.network.room(TEA)

    async with world.service(notebook):
        for number in range(250):
            room.post_envelope(BOB, application(f"{number}"), transaction=f"t{number}")
        room.post_plaintext(BOB, "in clear")
        await notebook.until(lambda: any(isinstance(event, PlaintextSeen) for event in notebook.events))

    assert notebook.texts == [str(number) for number in range(250)]
    assert max(notebook.steps) <= 100


async def test_what_a_role_posts_is_published_in_order_and_comes_back(tmp_path: Path) -> None:
    world, notebook = World(tmp_path), Notebook()
    world.room()
    texts = [str(number) for number in range(300)]

    async with world.service(notebook) as running:
        for start in range(0, 300, 10):
            await running.say(notebook, *texts[start : start + 10])
        await notebook.until(lambda: len(notebook.texts) == 300)
        async with running.store.transaction() as tx:
            assert await tx.outbox.count(ALICE) == 0

    assert world.texts_in() == notebook.texts == texts
    own = [event for event in notebook.events if isinstance(event, EnvelopeSeen)]
    assert all(event.transaction is not None for event in own)


async def test_a_role_is_woken_when_it_asks_for_it(tmp_path: Path) -> None:
    world, notebook = World(tmp_path), Notebook()
    world.room()
    notebook.wake_at = SystemClock().now() + 100

    async with world.service(notebook):
        await notebook.until(lambda: notebook.wakes == 1)


async def test_a_large_envelope_travels_in_parts_and_arrives_whole(tmp_path: Path) -> None:
    world, notebook = World(tmp_path), Notebook()
    world.room(envelope_bytes=45_000)
    bob = Notebook(account=BOB)

    async with world.service(notebook) as running:
        await running.say(notebook, "large", size=300_000)
        await running.say(notebook, "small")
        await notebook.until(lambda: len(notebook.texts) == 2)
    assert len(notebook.texts[0]) == 300_000
    assert notebook.texts[1] == "small"
    (tmp_path / "bob").mkdir()
    world.folder = tmp_path / "bob"
    async with world.service(bob, account=BOB):
        await bob.until(lambda: len(bob.texts) == 2)

    assert bob.texts == notebook.texts
    assert [event.transaction for event in bob.events if isinstance(event, EnvelopeSeen)] == [None, None]


async def test_after_a_restart_a_role_goes_on_where_it_stopped(tmp_path: Path) -> None:
    world, first, second = World(tmp_path), Notebook(), Notebook()
    world.room()
    room = world.network.room(TEA)

    async with world.service(first):
        room.post_envelope(BOB, application("one"), transaction="t1")
        await first.until(lambda: first.texts == ["one"])
    room.post_envelope(BOB, application("two"), transaction="t2")
    async with world.service(second):
        await second.until(lambda: second.texts == ["two"])


async def test_junk_is_told_as_such(tmp_path: Path) -> None:
    world, notebook = World(tmp_path), Notebook()
    world.room()
    room = world.network.room(TEA)

    async with world.service(notebook):
        room.post_envelope(BOB, b"no envelope", transaction="t1")
        room.post_malformed(BOB, "no base64")
        room.post_envelope(BOB, application("good"), transaction="t2")
        await notebook.until(lambda: notebook.texts == ["good"])

    assert sum(isinstance(event, MalformedSeen) for event in notebook.events) == 2
    await until(lambda: world.metrics.refused.labels(str(TEA), "malformed")._value.get() == 2)


async def test_a_clean_stop_publishes_what_waits(tmp_path: Path) -> None:
    world, notebook = World(tmp_path), Notebook()
    world.room()

    async with world.service(notebook) as running:
        await running.account.joined(TEA)
        await until(lambda: running.account.state.value == "live")
        await running.say(notebook, "last words")
        running.service.stop()

    assert world.texts_in() == ["last words"]

"""Roles that fail, are slow, or are many: no step is lost or half done, and none holds up another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from bridge.service import waiting
from bridge.service.consumer import AfterCommit
from bridge.service.errors import ConsumerFailedError, StateLostError
from bridge.store import StoredEvent, Transaction
from tests.bridge.service.worlds import ALICE, BOB, TEA, Notebook, World, application, post, until
from transports.room import RoomAddress

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 20)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.room()
    return world


async def test_a_role_that_fails_once_skips_nothing(world: World) -> None:
    notebook = Notebook()
    errors = [ValueError("once"), ValueError("twice")]

    def fail(_events: Sequence[StoredEvent]) -> None:
        if errors:
            raise errors.pop()

    notebook.before = fail
    async with world.service(notebook):
        world.network.room(TEA).post_envelope(BOB, application("one"), transaction="t")
        await notebook.until(lambda: notebook.texts == ["one"])


async def test_a_role_that_goes_on_failing_stops_the_service(world: World) -> None:
    notebook, again = Notebook(), Notebook()

    def fail(_events: Sequence[StoredEvent]) -> None:
        raise ValueError("always")

    notebook.before = fail
    async with world.service(notebook) as running:
        running.is_expected_to_fail = True
        world.network.room(TEA).post_envelope(BOB, application("one"), transaction="t")
        with pytest.raises(ConsumerFailedError, match="notebook: the same step has failed 3 times"):
            await running.task
    async with world.service(again):
        await again.until(lambda: again.texts == ["one"])


async def test_state_that_cannot_be_taken_over_stops_the_service(world: World) -> None:
    notebook = Notebook()
    async with world.service(notebook) as running:
        running.is_expected_to_fail = True

        async def action(_tx: Transaction, _now: int) -> AfterCommit:
            def fail() -> None:
                raise ValueError("a fault of ours")

            return fail

        with pytest.raises(StateLostError):
            await running.service.act(notebook, action)
        with pytest.raises(StateLostError):
            await running.task


async def test_a_request_that_fails_changes_nothing(world: World) -> None:
    notebook = Notebook()
    async with world.service(notebook) as running:

        async def action(tx: Transaction, _now: int) -> AfterCommit:
            await post(tx, "never")
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await running.service.act(notebook, action)
        await running.say(notebook, "after")
        await notebook.until(lambda: notebook.texts == ["after"])


async def test_who_gives_up_waiting_does_not_undo_the_step(world: World) -> None:
    notebook, done = Notebook(), list[str]()
    async with world.service(notebook) as running:
        within = asyncio.Event()

        async def action(tx: Transaction, _now: int) -> AfterCommit:
            await post(tx, "said")
            within.set()
            await asyncio.sleep(0.05)
            return lambda: done.append("said")

        asking = asyncio.create_task(running.service.act(notebook, action))
        await within.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await notebook.until(lambda: notebook.texts == ["said"])

    assert done == ["said"]


async def test_a_slow_role_holds_up_no_other(world: World) -> None:
    slow, quick = Notebook("slow"), Notebook("quick")
    slow.pause = 0.2
    async with world.service(slow, quick):
        for number in range(300):
            world.network.room(TEA).post_envelope(BOB, application(str(number)), transaction=f"t{number}")
        await quick.until(lambda: len(quick.texts) == 300)
        await slow.until(lambda: len(slow.texts) == 300)

    assert slow.texts == quick.texts


async def test_many_rooms(tmp_path: Path) -> None:
    world = World(tmp_path)
    notebooks = [Notebook(f"notebook {number}", room=RoomAddress(f"memory:room{number}")) for number in range(50)]
    for notebook in notebooks:
        world.room(notebook.room)
    async with world.service(*notebooks) as running:
        await asyncio.gather(
            *(running.say(notebook, *(f"{notebook.room} {number}" for number in range(5))) for notebook in notebooks)
        )
        await until(lambda: all(len(notebook.texts) == 5 for notebook in notebooks))

    for notebook in notebooks:
        assert notebook.texts == [f"{notebook.room} {number}" for number in range(5)]


async def test_taken_events_are_forgotten_once_all_roles_are_there(world: World) -> None:
    first, second = Notebook("first"), Notebook("second")
    async with world.service(first, second) as running:
        await running.say(first, "one", "two")
        await first.until(lambda: len(first.texts) == 2)
        await second.until(lambda: len(second.texts) == 2)
        for forgets, kept in ((False, 4), (True, 0)):
            running.service.forgets = forgets
            await running.service.prune()
            async with running.store.transaction() as tx:
                assert len((await tx.events.after(ALICE, TEA, 0, 10)).events) == kept


async def test_a_role_is_added_once(world: World) -> None:
    notebook = Notebook()
    async with world.service(notebook) as running:
        with pytest.raises(ValueError, match="already"):
            running.service.add_consumer(notebook, role="test", room_name="tea")

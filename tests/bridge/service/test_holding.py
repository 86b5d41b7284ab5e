"""Rooms that take nothing for a while: what waits for them waits, and no other room waits with them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.service import entering, waiting
from bridge.service import publishing as publishing_module
from bridge.service.publishing import FailedEntry
from tests.bridge.service.test_failures import Faults
from tests.bridge.service.worlds import ALICE, BOB, TEA, Notebook, World, application, failing, until
from transports.errors import (
    ForbiddenError,
    PermanentError,
    RoomEndedError,
    RoomNotFoundError,
    UnsuitableRoomError,
)
from transports.memory import RoomKind
from transports.room import ConnectionState, RoomAddress, RoomEnded

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

COFFEE = RoomAddress("memory:coffee")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 20)
    monkeypatch.setattr(waiting, "LONGEST_PAUSE", 100)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.room(kind=RoomKind.MATRIX)
    world.room(COFFEE)
    return world


@pytest.mark.parametrize(
    "error",
    [
        ForbiddenError("the power level is too low", where="x"),
        RoomNotFoundError("where?", where="x"),
        UnsuitableRoomError("not this one", where="x"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_a_room_refuses_is_kept_and_said_once(world: World, error: PermanentError) -> None:
    faults, notebook, failed = Faults(), Notebook(), list[FailedEntry]()
    async with world.service(notebook, wrap=faults) as running:
        running.service.add_consumer(Notebook("other"), role="test", room_name="tea", on_failed=failed.append)
        await until(lambda: running.account.has_read(TEA))
        refusing = True

        async def refuse() -> None:
            if refusing:
                raise error

        faults.transport.on_publish = refuse
        await running.say(notebook, "one", "two")
        await until(lambda: running.service.readiness().rooms == {TEA: error.what})
        async with running.store.transaction() as tx:
            assert await tx.outbox.count(ALICE) == 2

        refusing = False
        await notebook.until(lambda: notebook.texts == ["one", "two"])
        assert running.service.readiness().rooms == {TEA: None}

    assert world.texts_in() == ["one", "two"]
    assert [(one.reason, one.is_held) for one in failed] == [(error.what, True)]


@pytest.mark.parametrize("kind", RoomKind)
async def test_who_was_kicked_and_may_come_back_comes_back(tmp_path: Path, kind: RoomKind) -> None:
    world, notebook = World(tmp_path), Notebook()
    world.room(kind=kind, is_open=False)
    room = world.network.room(TEA)
    async with world.service(notebook) as running:
        await until(lambda: running.account.has_read(TEA))
        room.ban(ALICE, by=BOB)
        await running.say(notebook, *map(str, range(20)))
        await until(lambda: running.service.readiness().rooms[TEA] is not None)
        assert running.account.state is ConnectionState.LIVE

        room.invite(ALICE, by=BOB)
        await notebook.until(lambda: len(notebook.texts) == 20)

    assert world.texts_in() == notebook.texts == [str(number) for number in range(20)]


@pytest.mark.parametrize("kind", RoomKind)
async def test_who_only_listens_comes_back_as_well_and_misses_nothing_after(tmp_path: Path, kind: RoomKind) -> None:
    world, notebook = World(tmp_path), Notebook()
    world.room(kind=kind, is_open=False)
    room = world.network.room(TEA)
    async with world.service(notebook) as running:
        await until(lambda: running.account.has_read(TEA))
        room.ban(ALICE, by=BOB)
        await until(lambda: running.service.readiness().rooms == {TEA: "the account was put out of the room"})
        room.invite(ALICE, by=BOB)
        await until(lambda: room.is_in(ALICE))
        room.post_envelope(BOB, application("one"), transaction="t")
        await notebook.until(lambda: notebook.texts == ["one"])
        await until(lambda: running.service.readiness().rooms == {TEA: None})


async def test_what_a_room_refused_survives_a_restart(world: World) -> None:
    notebook, again = Notebook(), Notebook()
    room = world.network.room(TEA)
    async with world.service(notebook) as running:
        await until(lambda: running.account.has_read(TEA))
        room.rules = replace(room.rules, power_to_post=50)
        await running.say(notebook, "one")
        await until(lambda: running.service.readiness().rooms[TEA] is not None)
        await running.crash()
    room.set_power(ALICE, 50)
    async with world.service(again):
        await again.until(lambda: again.texts == ["one"])


async def test_one_stuck_room_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing_module, "LANE_ENTRIES", 8)
    stuck, free = Notebook("stuck"), Notebook("free", room=COFFEE)
    room = world.network.room(TEA)
    async with world.service(stuck, free) as running:
        await until(lambda: running.account.has_read(TEA))
        room.rules = replace(room.rules, power_to_post=50)
        await running.say(stuck, *(f"stuck {number}" for number in range(1000)))
        await running.say(free, *(f"free {number}" for number in range(20)))
        await free.until(lambda: len(free.texts) == 20)
        assert running.service.readiness().rooms[COFFEE] is None
        assert sum(len(lane) for lane in running.account.publisher._lanes.values()) <= 16

        room.set_power(ALICE, 50)
        await stuck.until(lambda: len(stuck.texts) == 1000, seconds=40)

    assert world.texts_in() == [f"stuck {number}" for number in range(1000)]


async def test_lanes_hold_few_large_envelopes_and_lose_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing_module, "LANE_BYTES", 100_000)
    monkeypatch.setattr(publishing_module, "ACCOUNT_BYTES", 120_000)
    notebooks = Notebook("tea"), Notebook("coffee", room=COFFEE)
    rooms = [world.network.room(notebook.room) for notebook in notebooks]
    async with world.service(*notebooks) as running:
        await until(lambda: running.account.has_read(TEA))
        for room in rooms:
            room.rules = replace(room.rules, power_to_post=50)
        for notebook in notebooks:
            for number in range(12):
                await running.say(notebook, f"{number}", size=30_000)
                await running.say(notebook, f"{number}")
        await until(lambda: all(running.service.readiness().rooms.values()))
        sizes = [lane.size for lane in running.account.publisher._lanes.values()]
        assert all(sizes)
        assert max(sizes) <= 100_000
        assert sum(sizes) <= 160_000

        for room in rooms:
            room.set_power(ALICE, 50)
        for notebook in notebooks:
            await notebook.until(lambda one=notebook: len(one.texts) == 24)  # type: ignore[misc]

    for notebook in notebooks:
        assert [text.rstrip(".") for text in notebook.texts] == [str(number) for number in range(12) for _ in range(2)]


async def test_a_room_that_is_no_more_is_not_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entering, "ROOM_PATIENCE", 20)
    world.network.room(TEA).end("it was destroyed")
    faults, attempts = Faults(), 0

    async def count() -> None:
        nonlocal attempts
        attempts += 1

    async with world.service(Notebook(), wrap=faults) as running:
        faults.transport.on_join = count
        with pytest.raises(RoomEndedError, match="it was destroyed"):
            await running.account.joined(TEA)
        await asyncio.sleep(0.2)
        with pytest.raises(RoomEndedError):
            await running.account.joined(TEA)

    assert attempts == 1
    assert running.account.room_problems == {str(TEA): "the room is no more: it was destroyed"}


async def test_an_entry_for_a_room_that_is_joined_later_waits_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entering, "ROOM_PATIENCE", 200)
    faults, notebook = Faults(), Notebook()
    async with world.service(notebook, wrap=faults) as running:
        faults.transport.on_join = failing(ForbiddenError("not invited", where="x"))
        await running.say(notebook, "one")
        await notebook.until(lambda: notebook.texts == ["one"])


async def test_a_room_that_ends_is_told_and_left_alone(world: World) -> None:
    notebook, other = Notebook(), Notebook("other", room=COFFEE)
    async with world.service(notebook, other) as running:
        await running.say(notebook, "before")
        await notebook.until(lambda: notebook.texts == ["before"])
        world.network.room(TEA).end("it was upgraded", RoomAddress("memory:next"))
        ended = RoomEnded(TEA, "it was upgraded", RoomAddress("memory:next"))
        await notebook.until(lambda: notebook.events[-1:] == [ended])
        await running.say(notebook, "after")
        await running.say(other, "elsewhere")
        await other.until(lambda: other.texts == ["elsewhere"])

        assert running.service.readiness().rooms == {TEA: "it was upgraded", COFFEE: None}
        assert running.account.has_ended(TEA)
        async with running.store.transaction() as tx:
            assert await tx.outbox.count(ALICE) == 1

    assert world.texts_in() == ["before"]

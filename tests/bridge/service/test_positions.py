"""How far a role has come: stored with what it writes, so that nothing that was stored meets an event twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bridge.service import stepping
from bridge.service.consumer import AfterCommit
from bridge.store import StoredEvent, Transaction
from tests.bridge.service.worlds import BOB, TEA, Notebook, World, application, text_of
from transports.room import EnvelopeSeen

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


class Choosy(Notebook):
    """Writes nothing but what begins with an exclamation mark."""

    async def take(self, tx: Transaction, events: Sequence[StoredEvent], *, now: int) -> AfterCommit:
        def is_wanted(stored: StoredEvent) -> bool:
            return isinstance(stored.event, EnvelopeSeen) and text_of(stored.event).startswith("!")

        after = await super().take(tx, [stored for stored in events if is_wanted(stored)], now=now)

        def after_all() -> None:
            after()
            self.events[:] = [*self.before_step, *(stored.event for stored in events)]

        self.before_step = list(self.events)
        return after_all


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.room()
    return world


def say(world: World, *texts: str) -> None:
    for text in texts:
        world.network.room(TEA).post_envelope(BOB, application(text), transaction=text)


async def taken_again(world: World) -> list[str]:
    """Start anew, and return what a role takes in before what comes now."""
    last = Choosy()
    async with world.service(last):
        say(world, "now")
        await last.until(lambda: "now" in last.texts)
    return last.texts[:-1]


async def test_what_nothing_came_of_is_taken_in_again_after_a_restart(world: World) -> None:
    first = Choosy()
    async with world.service(first):
        say(world, "one", "two")
        await first.until(lambda: first.texts == ["one", "two"])
    assert await taken_again(world) == ["one", "two"]


async def test_a_step_that_writes_stores_how_far_the_role_has_come(world: World) -> None:
    first = Choosy()
    async with world.service(first):
        say(world, "one")
        await first.until(lambda: first.texts == ["one"])
        say(world, "!two")
        await first.until(lambda: first.texts == ["one", "!two"])
        say(world, "three")
        await first.until(lambda: first.texts[-1] == "three")
    assert await taken_again(world) == ["three"]


async def test_what_a_person_asks_for_stores_it_too(world: World) -> None:
    first = Choosy()
    async with world.service(first) as running:
        say(world, "one")
        await first.until(lambda: first.texts == ["one"])
        await running.say(first, "written")
        await first.until(lambda: first.texts == ["one", "written"])
    assert await taken_again(world) == ["written"]


async def test_not_more_than_some_are_taken_in_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepping, "MAX_IDLE", 3)
    first = Choosy()
    async with world.service(first):
        for number in map(str, range(7)):
            say(world, number)
            await first.until(lambda: first.texts[-1:] == [number])  # noqa: B023 - waited for here
    assert len(await taken_again(world)) < 3

"""What is asked of a service that stops."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.service.consumer import AfterCommit
from bridge.service.errors import ServiceError, StateLostError
from bridge.store import Transaction
from tests.bridge.service.worlds import ALICE, Notebook, World

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(30)]


async def test_who_asks_while_the_service_stops_is_refused_and_it_stops_cleanly(tmp_path: Path) -> None:
    world, notebook = World(tmp_path), Notebook()
    world.room()
    with capture_logs() as logs:
        async with world.service(notebook) as running:
            await running.say(notebook, "one")
            running.service.stop()
            for stepper in running.service._steppers.values():
                stepper.stop()
            with pytest.raises(ServiceError, match="not running"):
                await running.say(notebook, "two")
            await running.task  # raises nothing
    assert world.texts_in() == ["one"]
    assert not [line for line in logs if line["log_level"] in {"critical", "error"}]


async def test_who_cannot_wait_for_the_end_finds_everything_closed_all_the_same(tmp_path: Path) -> None:
    world, notebook = World(tmp_path), Notebook()
    world.room()
    with capture_logs() as logs:
        async with world.service(notebook) as running:
            running.is_expected_to_fail = True
            await running.say(notebook, "one")
            world.network.disconnect(ALICE)
            await running.say(notebook, "two")  # which the end would wait for, some seconds
            for _ in range(3):
                running.task.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await running.task
            assert not running.service._tasks
    assert not [line for line in logs if line["log_level"] in {"critical", "error"}]
    async with world.service(Notebook()):  # the database can be opened: it has no owner any more
        pass


async def test_a_state_that_is_lost_to_a_request_stops_the_service(tmp_path: Path) -> None:
    world, notebook = World(tmp_path), Notebook()
    world.room()

    async def action(_tx: Transaction, _now: int) -> AfterCommit:
        def after() -> None:
            raise RuntimeError

        return after

    async with world.service(notebook) as running:
        running.is_expected_to_fail = True
        with pytest.raises(StateLostError):
            await running.service.act(notebook, action)
        with pytest.raises(StateLostError):
            await running.task

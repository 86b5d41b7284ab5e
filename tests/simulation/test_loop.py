"""Virtual time."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.simulation.clock import START, ProgramClock, WorldClock
from tests.simulation.loop import DeadlockError, run_virtually


def test_hours_pass_in_no_time_and_in_order() -> None:
    async def main() -> list[int]:
        clock = WorldClock(asyncio.get_running_loop())
        heard: list[int] = []

        async def sleeper(hours: int) -> None:
            await clock.sleep_until(START + hours * 3_600_000)
            heard.append(hours)

        await asyncio.gather(*(sleeper(hours) for hours in (30, 10, 20)))
        assert clock.now() == START + 30 * 3_600_000
        return heard

    began = time.monotonic()
    assert run_virtually(main()) == [10, 20, 30]
    assert time.monotonic() - began < 10


def test_who_waits_for_nothing_is_told_so() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(DeadlockError):
        run_virtually(main())


def test_what_never_ends_is_ended() -> None:
    async def main() -> None:
        while True:  # noqa: ASYNC110 - it is to end by force
            await asyncio.sleep(1)

    with pytest.raises(DeadlockError):
        run_virtually(main(), step_limit=1000)


def test_a_clock_that_is_set_wakes_its_program_by_the_new_time() -> None:
    async def main() -> int:
        world = WorldClock(asyncio.get_running_loop())
        clock = ProgramClock(world)
        waiting = asyncio.create_task(clock.sleep_until(START + 600_000))
        await asyncio.sleep(1)
        clock.ahead = 600_000
        await waiting
        return world.now() - START

    assert run_virtually(main()) == 60_000

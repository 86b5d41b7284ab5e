"""Waiting for what only a running service can bring about."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, NoReturn

import pytest

from bridge.service.attending import attend
from bridge.service.errors import ServiceError

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(10)]


async def fail_when_cancelled() -> NoReturn:
    """Wait as a transport does that finds its connection gone when it is told to give up."""
    try:
        await asyncio.Event().wait()
    finally:
        raise ConnectionResetError


async def end(error: Exception | None) -> None:
    if error is not None:
        raise error


@pytest.mark.parametrize("error", [ServiceError("the disk is full"), None], ids=["by an error", "as told"])
async def test_what_ended_the_service_is_raised_and_no_other_error_is_left_behind(error: Exception | None) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    with pytest.raises(ServiceError, match="the disk is full" if error else "the service was stopped"):
        await attend(fail_when_cancelled(), asyncio.create_task(end(error)))
    await asyncio.sleep(0.01)
    gc.collect()
    assert complaints == []


async def test_what_was_waited_for_comes_first() -> None:
    running = asyncio.create_task(asyncio.sleep(60))

    async def wanted() -> str:
        await asyncio.sleep(0)
        return "here"

    assert await attend(wanted(), running) == "here"
    running.cancel()

"""Waiting for something that only a running service can bring about."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from bridge.service.errors import ServiceError

__all__ = ["attend"]

Output = TypeVar("Output")


async def attend(wanted: Awaitable[Output], running: asyncio.Task[None]) -> Output:
    """Wait for something, unless the service ends before: then raise what ended it, or `ServiceError`."""
    waiting = asyncio.ensure_future(wanted)
    try:
        await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            await running
            raise ServiceError("the service was stopped")
        return waiting.result()
    finally:
        waiting.add_done_callback(_take_error)
        waiting.cancel()


def _take_error(given_up: asyncio.Future[Output]) -> None:
    """Take what comes of something that nobody waits for any more: asyncio would log it as lost."""
    if not given_up.cancelled():
        given_up.exception()

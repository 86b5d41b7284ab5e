"""A world of its own for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.bridge.relay.world import World


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.close()

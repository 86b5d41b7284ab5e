"""What these tests stand on: each of both servers, and a scene of accounts and rooms on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bridge.servers import XmppServer
from tests.transports.xmpp.scene import Scene


@pytest.fixture(params=["prosody", "ejabberd"])
def server(request: pytest.FixtureRequest) -> XmppServer:
    """Prosody, and then ejabberd."""
    found: XmppServer = request.getfixturevalue(request.param)
    return found


@pytest_asyncio.fixture
async def scene(server: XmppServer) -> AsyncIterator[Scene]:
    """Accounts and rooms of this test alone."""
    async with Scene(server) as opened:
        yield opened

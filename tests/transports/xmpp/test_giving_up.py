"""A connection that is given up before it came about: nobody is left to take its error."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from transports.errors import ConnectionLostError
from transports.xmpp import ClientLogin, XmppTransport
from transports.xmpp.login import Tls
from transports.xmpp.pace import Pace

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(30)]


@pytest.mark.parametrize("is_cancelled", [True, False], ids=["cancelled", "out of time"])
async def test_giving_up_leaves_no_error_behind(*, is_cancelled: bool) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    held: list[asyncio.StreamWriter] = []
    connected = asyncio.Event()

    def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        connected.set()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    login = ClientLogin("alice@example.org", "secret", host="127.0.0.1", port=port, tls=Tls.NONE)
    transport = XmppTransport(login, pace=Pace(connect_within=60 if is_cancelled else 0.3))
    try:
        starting = asyncio.create_task(transport.start())
        await connected.wait()
        if is_cancelled:
            starting.cancel()
        await asyncio.wait({starting})
        assert starting.cancelled() is is_cancelled
        if not is_cancelled:
            assert isinstance(starting.exception(), ConnectionLostError)
        await transport.close()
        del starting, transport  # asyncio complains about an error when nobody can take it any more
        await asyncio.sleep(0.05)
        gc.collect()
    finally:
        for writer in held:
            writer.close()
        server.close()
        await server.wait_closed()
    assert complaints == []

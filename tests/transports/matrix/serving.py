"""A homeserver that is no homeserver, but answers as a test wants."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

__all__ = ["serving"]

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Answer all requests by a handler, on the loopback."""
    server = web.ServerRunner(web.Server(handler))
    await server.setup()
    site = web.TCPSite(server, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        port = server.addresses[0][1]
        yield f"http{'' if tls is None else 's'}://localhost:{port}"
    finally:
        await server.cleanup()

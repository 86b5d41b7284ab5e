"""A TCP proxy in front of a server, through which tests do to a connection what networks do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Self

__all__ = ["Proxy"]


class Proxy:
    """Listens on a port of the loopback and forwards to another one."""

    def __init__(self, target: int, *, host: str = "127.0.0.1") -> None:
        self._host = host
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._pumps: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0
        self._passes = asyncio.Event()
        self._passes.set()
        self.upstream: Callable[[bytes], bytes] = lambda data: data
        """What becomes of what a client sends."""
        self.downstream: Callable[[bytes], bytes] = lambda data: data
        """What becomes of what the server sends."""
        self.cut_after: int | None = None
        """Cut the connection when so many more bytes of the client have passed."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        for pump in self._pumps:
            pump.cancel()
        if self._pumps:
            await asyncio.wait(self._pumps)

    def cut(self) -> None:
        """End all connections at once, in the middle of whatever they are at."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def freeze(self) -> None:
        """Let nothing pass, and tell nobody: a network that is gone."""
        self._passes.clear()

    def thaw(self) -> None:
        """Let everything pass again."""
        self._passes.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            upstream, downstream = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers += [writer, downstream]
        for source, sink, is_up in ((reader, downstream, True), (upstream, writer, False)):
            pump = asyncio.create_task(self._pump(source, sink, is_up=is_up))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await self._passes.wait()
                if is_up and self.cut_after is not None:
                    data, left = data[: self.cut_after], self.cut_after - len(data)
                    self.cut_after = None if left <= 0 else left
                    sink.write(self.upstream(data))
                    if left <= 0:
                        await asyncio.sleep(0.05)  # so that the server has the half stanza
                        self.cut()
                        return
                    continue
                sink.write(self.upstream(data) if is_up else self.downstream(data))
                await sink.drain()
        sink.transport.abort()

"""The socket beside a database, over which its owner's programs ask the process that runs on it (docs/control.md).

A database has one owner, and health over HTTP names nobody. This socket is for the owner's user alone, as the database
is: one JSON line is asked, one is answered, and the connection ends. What comes in is bounded in size and in time.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import structlog

__all__ = ["Control", "ControlError", "Object", "ask", "socket_path"]

log = structlog.get_logger("service")

Object: TypeAlias = dict[str, Any]
"""A JSON object."""

MAX_LINE: Final = 1 << 20
"""Bytes of what is asked: as of a line of `mls-bridge chat --json`."""

MAX_ANSWER: Final = 64 << 20
"""Bytes of what is answered, at most: for whoever asks."""

MAX_CONNECTIONS: Final = 32
"""How many may ask at once. More are for the owner's own programs to get right."""

READING: Final = 10.0
"""Seconds to send the line in."""

ANSWERING: Final = 60.0
"""Seconds to bring about the answer and to take it."""


MAX_ADDRESS: Final = 103
"""Bytes of a path that every system takes for a Unix socket's address."""

DESCRIPTORS: Final = Path("/proc/self/fd")
"""Where Linux shows what a process has open."""


class ControlError(Exception):
    """The process that owns the database does not answer as it should. Says what is wrong."""


def socket_path(database: Path) -> Path:
    """Return where the process that owns a database listens."""
    return database.with_name(f"{database.name}-control")


class Control:
    """Answers from `start` to `stop`. `answer` gets a line, and `None` for one that was too long or never ended."""

    def __init__(self, database: Path, answer: Callable[[bytes | None], Awaitable[Object]]) -> None:
        self._path = socket_path(database)
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Whoever owns the database may replace a socket that a killed process has left."""
        try:
            listening = _listen(self._path)
            self._server = await asyncio.start_unix_server(self._connected, sock=listening, limit=MAX_LINE + 1)
        except OSError as error:  # no such sockets on this file system, or the name is too long for one
            log.warning("cannot be asked while running", reason=error.strerror or str(error))

    def close(self) -> None:
        """Close the socket, and drop whoever has no answer yet. Idempotent."""
        if self._server is not None and self._server.is_serving():
            self._path.unlink(missing_ok=True)
            self._server.close()
            for connection in self._connections:
                connection.cancel()

    async def stop(self) -> None:
        """Close, and wait until that is done."""
        self.close()
        if self._connections:
            await asyncio.wait(self._connections)
        if self._server is not None:
            await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        if connection is None or len(self._connections) >= MAX_CONNECTIONS or not _is_owner(writer):
            writer.transport.abort()
            return
        self._connections.add(connection)
        try:
            with suppress(OSError, TimeoutError, asyncio.CancelledError):  # whoever asked has gone, or we go
                await self._converse(reader, writer)
        finally:
            self._connections.discard(connection)
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await _read_line(reader)
        async with asyncio.timeout(ANSWERING):
            answer = await self._answer(line)
            writer.write(json.dumps(answer, separators=(",", ":")).encode("ascii") + b"\n")
            await writer.drain()
            writer.close()
            await writer.wait_closed()


async def ask(database: Path, question: Object) -> Object | None:
    """Return what the process that owns a database answers; `None` where none runs. Raises `ControlError`."""
    try:
        with _short(socket_path(database)) as path:
            reader, writer = await asyncio.open_unix_connection(path, limit=MAX_ANSWER)
    except OSError:
        return None
    try:
        async with asyncio.timeout(READING + ANSWERING):
            writer.write(json.dumps(question).encode("ascii") + b"\n")
            await writer.drain()
            answer = json.loads(await reader.readuntil(b"\n"))
    except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError) as error:
        msg = "the process that runs on this database gives no answer: is it stopping, or busy? Ask again"
        raise ControlError(msg) from error
    finally:
        writer.transport.abort()
    if not isinstance(answer, dict):
        msg = "the process that runs on this database answers something else than this version understands"
        raise ControlError(msg)
    return answer


def _listen(path: Path) -> socket.socket:
    """Return a socket that no other user can connect to, from its first moment on."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        with _short(path) as short:
            listening.bind(short)
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(mask)
    return listening


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield a path of the same file that fits into a socket's address, where the system offers one.

    There are 107 bytes in it on Linux, and folders may lie deeper. An open folder has a short path there.
    """
    if len(os.fsencode(path)) <= MAX_ADDRESS or not DESCRIPTORS.is_dir():
        yield os.fspath(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield os.fspath(DESCRIPTORS / str(folder) / path.name)
    finally:
        os.close(folder)


def _is_owner(writer: asyncio.StreamWriter) -> bool:
    """Whether this process's user, or root, has connected. Where the system does not say who, the file's mode decides.

    Not every system heeds a socket's mode.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    connected: socket.socket = writer.get_extra_info("socket")
    _, user, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return user in {0, os.geteuid()}


async def _read_line(reader: asyncio.StreamReader) -> bytes | None:
    try:
        async with asyncio.timeout(READING):
            line = await reader.readuntil(b"\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
        return None
    return line

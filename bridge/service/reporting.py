"""How a running service tells the person at its machine how it stands: over a socket beside its database.

A database has one owner, and health over HTTP names nobody. This socket is for the owner's user alone, as the database
is; whoever connects gets one JSON document.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import structlog

__all__ = ["Report", "Reporter", "ask", "socket_path"]

log = structlog.get_logger("service")

Report: TypeAlias = dict[str, Any]
"""A JSON object."""

MAX_REPORT: Final = 16 << 20
PATIENCE: Final = 10.0
"""Seconds to wait for a report."""


def socket_path(database: Path) -> Path:
    """Return where the service that owns a database listens."""
    return database.with_name(f"{database.name}-status")


class Reporter:
    """Answers from `start` to `stop`."""

    def __init__(self, database: Path, report: Callable[[], Awaitable[Report]]) -> None:
        self._path = socket_path(database)
        self._report = report
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Whoever owns the database may replace a socket that a killed process has left."""
        self._path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._answer, self._path)
        except OSError as error:  # no such sockets on this file system, or the path is too long for one
            log.warning("status cannot be asked for while running", reason=error.strerror or str(error))
        finally:
            os.umask(mask)

    async def stop(self) -> None:
        """Close the socket. Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()
            self._path.unlink(missing_ok=True)

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            writer.write(json.dumps(await self._report()).encode())
            await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def ask(database: Path) -> Report | None:
    """Return the report of the service that owns a database; `None` where none answers."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_unix_connection(socket_path(database))
            try:
                data = await reader.read(MAX_REPORT)
                while chunk := await reader.read(MAX_REPORT):
                    data += chunk
            finally:
                writer.close()
        report = json.loads(data)
    except (OSError, TimeoutError, ValueError):
        return None
    return report if isinstance(report, dict) else None

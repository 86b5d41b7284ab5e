"""Lines in and out of the process, whatever the other side does: a file, a pipe, a terminal; slow, huge or gone.

Reading and writing block, so each has a thread. The threads are daemons and use file descriptors alone: a program that
never reads our lines, or never ends its own, does not keep this process from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Final

__all__ = ["MAX_LINE", "LineReader", "LineSplitter", "LineWriter", "TooLong"]

MAX_LINE: Final = 1 << 20
"""In bytes, the line's end not counted."""

CHUNK: Final = 1 << 16
MAX_LINES_AHEAD: Final = 100


class TooLong:
    """Stands for a line of more than `MAX_LINE` bytes, which was passed over."""


class LineSplitter:
    """Cuts a stream of bytes into lines, holding one line at the most."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._is_skipping = False

    def feed(self, data: bytes) -> Iterator[bytes | TooLong]:
        """Yield the lines that end in `data`, without their ends."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            yield self._end(piece)
        self._begin(rest)

    def end(self) -> Iterator[bytes | TooLong]:
        """Yield the last line, where it has no end."""
        if self._begun or self._is_skipping:
            yield self._end(b"")

    def _end(self, piece: bytes) -> bytes | TooLong:
        self._begin(piece)
        line, was_skipping = bytes(self._begun), self._is_skipping
        self._begun.clear()
        self._is_skipping = False
        return TooLong() if was_skipping else line.removesuffix(b"\r")

    def _begin(self, piece: bytes) -> None:
        if len(self._begun) + len(piece) > MAX_LINE:
            self._is_skipping = True
            self._begun.clear()
        if not self._is_skipping:
            self._begun += piece


class LineReader:
    """The lines of a file descriptor. Reads ahead by `MAX_LINES_AHEAD` at the most."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: asyncio.Queue[bytes | TooLong | OSError | None] = asyncio.Queue()
        self._room = threading.Semaphore(MAX_LINES_AHEAD)
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, name="lines in", daemon=True).start()

    async def lines(self) -> AsyncIterator[bytes | TooLong]:
        """Yield the lines, until the other side ends. Raises `OSError`."""
        while (line := await self._lines.get()) is not None:
            self._room.release()
            if isinstance(line, OSError):
                raise line
            yield line

    def _read(self) -> None:
        splitter = LineSplitter()
        try:
            while data := os.read(self._descriptor, CHUNK):
                for line in splitter.feed(data):
                    self._put(line)
            for line in splitter.end():
                self._put(line)
            self._put(None)
        except OSError as error:
            self._put(error)

    def _put(self, line: bytes | TooLong | OSError | None) -> None:
        self._room.acquire()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants the line any more
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)


class LineWriter:
    """Writes lines to a file descriptor, whole and in order."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._lines: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._write_all, name="lines out", daemon=True).start()

    async def write(self, line: bytes) -> None:
        """Write `line` and its end; returns when the system has taken it. Raises `OSError` (`BrokenPipeError`).

        Who writes waits, so that no more lines wait than there are writers.
        """
        written: asyncio.Future[None] = self._loop.create_future()
        self._lines.put((line + b"\n", written))
        await written

    def close(self) -> None:
        """Let the thread end once everything is written."""
        self._lines.put(None)

    def _write_all(self) -> None:
        while (job := self._lines.get()) is not None:
            line, written = job
            error = self._write(line)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(_resolve, written, error)

    def _write(self, line: bytes) -> OSError | None:
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            return error
        return None


def _resolve(written: asyncio.Future[None], error: OSError | None) -> None:
    if written.done():
        return  # cancelled: nobody waits for it
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(error)

"""Starts the program around a front end, leads its conversation, and sees what a person or a program sees of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import queue
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pyte

from bridge.content import Kind, MessageId
from bridge.conversation import Happening, MessageArrived, Request, Told, Verification
from tests.bridge.terminal.channel import Channel, End, Failed

__all__ = ["BOB", "Led", "Terminal", "lines_program", "message", "message_id", "screen_program"]

ROOT: Final = Path(__file__).parents[3]
SECONDS: Final = 20.0
BOB: Final = "matrix:u/bob:example.org"


def message_id(number: int) -> MessageId:
    return MessageId(b"\x01" + number.to_bytes(31))


def message(number: int, text: str, **changed: Any) -> MessageArrived:  # noqa: ANN401 - any of its fields
    fields: dict[str, Any] = {
        "id": message_id(number),
        "sender_account": BOB,
        "sender_name": "Bob",
        "at_ms": 1_795_442_589_120,  # 2026-11-23T14:03:09.120Z
        "text": text,
        "markdown": False,
        "kind": Kind.MESSAGE,
        "reply_to": None,
        "replaces": None,
        "is_own": False,
        "verified": Verification.NETWORK,
        "late": False,
    }
    return MessageArrived(**(fields | changed))


class Led:
    """The conversation, in the test's hands."""

    def __init__(self, channel: Channel, process: subprocess.Popen[bytes]) -> None:
        self._channel = channel
        self.process = process
        self._acknowledged: queue.Queue[int] = queue.Queue()
        self.requests: queue.Queue[Request] = queue.Queue()
        self.failed: Failed | None = None
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def tell(self, what: Happening, position: int | None = None) -> None:
        self._channel.send(Told(what, position))

    def end(self, error: str = "") -> None:
        self._channel.send(End(error))

    def asked(self, answer: object) -> Request:
        """Return the next request, and answer it."""
        request = self.requests.get(timeout=SECONDS)
        self._channel.send(answer)
        return request

    def acknowledged(self) -> int:
        """Return the next position that is acknowledged."""
        return self._acknowledged.get(timeout=SECONDS)

    def wait(self) -> int:
        """Return the exit code, once the front end has ended by itself."""
        self._listener.join(SECONDS)
        return self.process.wait(SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._listener.join()
        self._channel.close()

    def _listen(self) -> None:
        while (item := self._channel.receive()) is not None:
            match item:
                case int():
                    self._acknowledged.put(item)
                case Failed():
                    self.failed = item
                case End():
                    self._channel.close_sending()
                case _:
                    self.requests.put(item)


class _Screen(pyte.Screen):
    """A screen that answers where its cursor is, as terminals do."""

    def __init__(self, columns: int, rows: int, descriptor: int) -> None:
        super().__init__(columns, rows)
        self._descriptor = descriptor

    def write_process_input(self, data: str) -> None:
        os.write(self._descriptor, data.encode())


class Terminal:
    """A terminal with a person before it: what stands on it, and what they type."""

    def __init__(self, descriptor: int, columns: int, rows: int) -> None:
        self._descriptor = descriptor
        self._screen = _Screen(columns, rows, descriptor)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.raw = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def lines(self) -> list[str]:
        with self._lock:
            return [line.rstrip() for line in self._screen.display]

    def text(self) -> str:
        return "\n".join(self.lines())

    def expect(self, *texts: str) -> list[str]:
        """Wait until all of `texts` stand on the screen, and return its lines."""
        deadline = time.monotonic() + SECONDS
        while True:
            shown = self.text()
            if all(text in shown for text in texts):
                return shown.split("\n")
            assert time.monotonic() < deadline, f"{texts} never stood on the screen:\n{shown}"
            time.sleep(0.02)

    def colours(self) -> set[str]:
        with self._lock:
            return {cell.fg for row in self._screen.buffer.values() for cell in row.values()} - {"default"}

    def is_as_it_was(self) -> bool:
        """Whether the cursor shows, what is typed is echoed, line by line, and pasting is nothing special."""
        local = termios.tcgetattr(self._descriptor)[3]
        pasting = self.raw.rpartition(b"\x1b[?2004")[2][:1]
        return (
            not self._screen.cursor.hidden and bool(local & termios.ECHO and local & termios.ICANON) and pasting == b"l"
        )

    def title(self) -> str:
        return str(self._screen.title)

    def join(self) -> None:
        self._reader.join(SECONDS)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # what reading gives once the other side is closed
            while data := os.read(self._descriptor, 1 << 16):
                with self._lock:
                    self.raw += data
                    self._stream.feed(data)


@contextlib.contextmanager
def screen_program(
    *, columns: int = 80, rows: int = 40, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[Led, Terminal]]:
    """Start the program on a terminal of its own."""
    person, program = pty.openpty()
    fcntl.ioctl(program, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    with _started("screen", program, program, program, environment) as led:
        os.close(program)
        terminal = Terminal(person, columns, rows)
        try:
            yield led, terminal
        finally:
            led.close()
            terminal.join()
            os.close(person)


@contextlib.contextmanager
def lines_program(mode: str = "lines") -> Iterator[Led]:
    """Start the program on pipes: `led.process.stdin` and `stdout`."""
    with _started(mode, subprocess.PIPE, subprocess.PIPE, subprocess.PIPE, None) as led:
        try:
            yield led
        finally:
            led.close()
            for stream in (led.process.stdin, led.process.stdout, led.process.stderr):
                assert stream is not None
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@contextlib.contextmanager
def _started(mode: str, stdin: int, stdout: int, stderr: int, environment: Mapping[str, str] | None) -> Iterator[Led]:
    to_program, from_test = os.pipe()
    to_test, from_program = os.pipe()
    quiet = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bridge.terminal.program", mode, str(to_program), str(from_program)],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        pass_fds=(to_program, from_program),
        cwd=ROOT,
        env={**quiet, "TERM": "xterm-256color", "TZ": "UTC", "PYTHONUTF8": "1", **(environment or {})},
        start_new_session=True,
        bufsize=0,
    )
    os.close(to_program)
    os.close(from_program)
    yield Led(Channel(to_test, from_test), process)

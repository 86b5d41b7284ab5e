"""Somebody who talks all the time, whose program may die at any moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.whole.killing.ledger import Ledger
from tests.whole.killing.program import Chat, Gone, Line, Refused

__all__ = ["Lagging", "Talker", "beginning"]

PATIENCE: Final = 90.0
PAUSES: Final = 0.4, 1.4
"""Seconds between two messages of one person, bursts aside."""
ACKNOWLEDGES: Final = 0.2
"""How often what was told is acknowledged: the rest is told again after a kill."""
LARGE: Final = 0.02
"""How often a message is so large that it travels in fragments on Matrix."""
LARGE_SIZE: Final = 50_000


class Lagging(Exception):  # noqa: N818 - it is told as what it is: something did not come about
    """Something did not come about in time."""


def beginning(text: str) -> str:
    """Return what tells a message from all others: who says it, and its number."""
    return text[:40].rstrip(".")


class Talker:
    """A member of the room over all restarts of its program."""

    def __init__(self, name: str, account: str, config: Path, ledger: Ledger, rng: random.Random) -> None:
        self.name = name
        self.account = account
        self.config = config
        self.told: dict[int, Line] = {}
        """What has a position, by position, in the order in which it was told first."""
        self.heard: dict[str, list[int]] = {}
        """The positions of each message of others, by its id."""
        self.sent: set[str] = set()
        """Messages of its own that are told to stand in the room."""
        self.faults: list[str] = []
        self.told_again = 0
        self.is_live = False
        self._program: Chat | None = None
        self._ledger = ledger
        self._rng = rng
        self._number = 0
        self._changed = asyncio.Event()

    # Its program.

    async def start(self, *options: str) -> None:
        self._program = await Chat.open(self.config, self._take, *options)
        self._wake()

    async def kill(self) -> None:
        """SIGKILL."""
        program, self._program, self.is_live = self._program, None, False
        if program is not None:
            await program.kill()

    async def stop(self) -> None:
        program, self._program, self.is_live = self._program, None, False
        if program is not None:
            await program.stop()

    @property
    def is_running(self) -> bool:
        return self._program is not None and self._program.is_running

    # What it does.

    def say(self) -> asyncio.Future[Line]:
        """Say the next message; returns the answer to come."""
        self._number += 1
        text = f"{self.name} {self._number}"
        begins, audience = text, self._ledger.audience
        if self._rng.random() < LARGE:
            text += "." * LARGE_SIZE
        answer = self._post("say", text=text)

        def note(done: asyncio.Future[Line]) -> None:
            error = done.exception()
            if error is None:
                self._ledger.answered(done.result()["id"], self.name, begins, audience)
            elif isinstance(error, Refused):
                self.faults.append(f"{self.name} could not say {begins!r}: {error}")

        answer.add_done_callback(note)
        return answer

    async def say_surely(self) -> str:
        """Say messages until one is answered; returns its id."""
        async with _patience(f"{self.name} could say nothing"):
            while True:
                try:
                    return str((await self.say())["id"])
                except Gone:
                    await asyncio.sleep(0.2)

    async def ask(self, kind: str, **fields: object) -> Line:
        """Ask until there is an answer: again after a kill. Raises `Refused`."""
        async with _patience(f"{self.name}: no answer to {kind}"):
            while True:
                await self.until(lambda: self.is_running, "its program")
                try:
                    return await self._post(kind, **fields)
                except Gone:
                    await asyncio.sleep(0.1)

    async def chat(self, is_open: Callable[[], bool]) -> None:
        """Say something now and then, until cancelled, as long as the room is open and one is in the group."""
        while True:
            await asyncio.sleep(self._rng.uniform(*PAUSES))
            if self.is_live and is_open() and self.name in self._ledger.audience:
                self.say()

    async def until_live(self) -> None:
        """Wait until its program is connected."""
        await self.until(lambda: self.is_live, "a connection")

    async def until_heard(self, message: str) -> None:
        """Wait until it was told a message, by its id."""
        await self.until(lambda: message in self.heard, "a message of somebody else")

    async def until_told(self, kind: str, *, after: int = 0, **fields: object) -> Line:
        """Wait until something was told, at a later position than `after`."""
        wanted = {"type": kind, **fields}

        def find() -> Line | None:
            return next((line for at, line in self.told.items() if at > after and wanted.items() <= line.items()), None)

        await self.until(lambda: find() is not None, f"{kind} {fields}")
        found = find()
        assert found is not None
        return found

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something holds; it is looked at after each line. Raises `Lagging`."""
        async with _patience(f"{self.name} waited in vain for {what}"):
            while not condition():
                if self._program is not None and not self._program.is_running:
                    raise Lagging(f"{self.name}: its program ended by itself; see {self.config.parent}")
                await self._changed.wait()

    @property
    def last(self) -> int:
        """The highest position told so far."""
        return next(reversed(self.told), 0)

    # What it is told.

    def _post(self, kind: str, **fields: object) -> asyncio.Future[Line]:
        if self._program is not None:
            return self._program.post(kind, **fields)
        answer: asyncio.Future[Line] = asyncio.get_running_loop().create_future()
        answer.set_exception(Gone())
        answer.exception()  # nobody need be waiting for it
        return answer

    def _take(self, line: Line) -> None:
        position = line.get("position")
        if position is not None:
            self._take_stored(position, line)
            if self._rng.random() < ACKNOWLEDGES:
                self._post("ack", position=position)
        elif line["type"] == "connection":
            self.is_live = line["state"] == "live"
        elif line["type"] == "alarm":
            self.faults.append(f"{self.name} was told an alarm: {line['what']}")
        self._wake()

    def _take_stored(self, position: int, line: Line) -> None:
        if line["type"] == "message":
            line["text"] = beginning(line["text"])
        known = self.told.get(position)
        if known is not None:
            self.told_again += 1
            if known != line:
                self.faults.append(f"{self.name} was told two things at position {position}: {known}, {line}")
            return
        if position <= self.last:
            self.faults.append(f"{self.name} was told position {position} after {self.last}")
        self.told[position] = line
        match line["type"], line.get("state"):
            case "message", _:
                self.heard.setdefault(line["id"], []).append(position)
            case "delivery", "waiting":
                self._ledger.stored(line["id"], self.name)
            case "delivery", "sent":
                self.sent.add(line["id"])
            case "alarm", _:
                self.faults.append(f"{self.name} was told an alarm: {line['what']}")
            case _:
                pass

    def _wake(self) -> None:
        """Let everybody who waits look again."""
        self._changed.set()
        self._changed.clear()


@asynccontextmanager
async def _patience(what: str) -> AsyncIterator[None]:
    """A time limit that says what it was for."""
    try:
        async with asyncio.timeout(PATIENCE):
            yield
    except TimeoutError:
        raise Lagging(f"{what} ({PATIENCE:.0f} s)") from None

"""People in a room: what each of them was told, over all restarts, and what they do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from bridge.conversation import (
    Asked,
    Confirm,
    Happening,
    Joined,
    MessageArrived,
    NumbersShown,
    RequestRefusedError,
    Verify,
)
from bridge.library import EncryptedRoom
from transports.room import Account

__all__ = ["Diary", "Person", "introduce", "listening", "numbers"]

PATIENCE = 40.0

Kind = TypeVar("Kind", bound=Happening)


@dataclass
class Diary:
    """What one person was told. What is told again after a restart has the same position, and stands here once."""

    heard: list[Happening] = field(default_factory=list)
    last: int = -1
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def write(self, what: Happening, position: int | None) -> None:
        if position is not None and position <= self.last:
            return
        async with self.changed:
            self.heard.append(what)
            self.last = self.last if position is None else position
            self.changed.notify_all()


class Person:
    """A member of a room, as long as its program runs."""

    def __init__(self, name: str, account: Account, room: EncryptedRoom, diary: Diary) -> None:
        self.name = name
        self.account = account
        self.room = room
        self._diary = diary

    @property
    def texts(self) -> list[str]:
        """What others said, in the order in which this person read it."""
        return [item.text for item in self.told(MessageArrived)]

    def told(self, kind: type[Kind]) -> list[Kind]:
        """All of one kind, in order."""
        return [item for item in self._diary.heard if isinstance(item, kind)]

    async def until(self, kind: type[Kind], *, patience: float = PATIENCE, **fields: object) -> Kind:
        """Wait until this was told; returns the first such."""
        wanted = fields.items()

        def find() -> Kind | None:
            return next((item for item in self.told(kind) if all(getattr(item, k) == v for k, v in wanted)), None)

        await self._wait(lambda: find() is not None, f"{kind.__name__} {fields or ''}", patience)
        found = find()
        assert found is not None
        return found

    async def until_read(self, texts: Sequence[str], *, patience: float = PATIENCE) -> None:
        """Wait until all of these are read."""
        await self._wait(lambda: set(texts) <= set(self.texts), f"{len(texts)} messages", patience)

    async def listen(self) -> None:
        """Read, and acknowledge."""
        async for told in self.room.conversation.happenings():
            await self._diary.write(told.what, told.position)
            if told.position is not None:
                await self.room.conversation.acknowledge(told.position)

    async def _wait(self, condition: Callable[[], bool], what: str, patience: float) -> None:
        try:
            async with asyncio.timeout(patience), self._diary.changed:
                await self._diary.changed.wait_for(condition)
        except TimeoutError:
            last = "\n".join(str(item)[:200] for item in self._diary.heard[-12:])
            raise AssertionError(
                f"{self.name} was not told in {patience:.0f} s: {what}. The last was:\n{last}"
            ) from None


@asynccontextmanager
async def listening(person: Person) -> AsyncIterator[Person]:
    """Let a person listen until the end of the block."""
    task = asyncio.create_task(person.listen())
    try:
        yield person
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


async def numbers(person: Person, other: Person) -> str:
    """Return the digits that a person compares with another, once the key of that one has come."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                shown = await person.room.ask(Verify(other.account))
            except RequestRefusedError:
                await asyncio.sleep(0.05)
            else:
                assert isinstance(shown, NumbersShown)
                return shown.digits


async def introduce(insider: Person, newcomer: Person) -> None:
    """Let two people compare numbers, and wait until the newcomer is in."""
    await insider.until(Asked, account=newcomer.account)
    shown, seen = await numbers(insider, newcomer), await numbers(newcomer, insider)
    assert shown == seen
    await insider.room.ask(Confirm(newcomer.account, shown))
    await newcomer.until(Joined)

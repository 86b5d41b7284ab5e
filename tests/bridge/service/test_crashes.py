"""Whatever moment the process dies at: nothing is lost, and nothing is there twice for who takes part."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from bridge.service import account as account_module
from bridge.service.consumer import AfterCommit
from bridge.service.ingest import Ingested, ingest
from bridge.store import StoredEvent, Transaction
from tests.bridge.service.worlds import BOB, TEA, Faulty, Notebook, World, application, post, until
from transports.memory import RoomKind
from transports.room import Account, Batch, EnvelopeSeen, Transport

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]

MESSAGES = 60


class Echo(Notebook):
    """Answers each message of somebody else's, with an envelope that is another one each time it is made."""

    async def take(self, tx: Transaction, events: Sequence[StoredEvent], *, now: int) -> AfterCommit:
        after = await super().take(tx, events, now=now)
        for stored in events:
            match stored.event:
                case EnvelopeSeen(transaction=None) as seen:
                    body = application_text(seen)
                    await post(tx, f"echo {body} {os.urandom(4).hex()}")
                case _:
                    pass
        return after


def application_text(seen: EnvelopeSeen) -> str:
    return seen.envelope.rsplit(b" ", 1)[-1].decode()


class Fate:
    """Lets the process die at one place, at the n-th time that it comes there."""

    def __init__(self, place: str, times: int) -> None:
        self.place, self.left = place, times
        self.has_come = asyncio.Event()

    async def at(self, place: str) -> None:
        if place == self.place and not self.has_come.is_set():
            self.left -= 1
            if self.left <= 0:
                self.has_come.set()
                await asyncio.Event().wait()  # nothing happens any more

    def hook(self, place: str) -> Callable[[], Awaitable[None]]:
        return lambda: self.at(place)

    def wrap(self, inner: Transport) -> Transport:
        transport = Faulty(inner)
        transport.on_publish = self.hook("publish")
        transport.on_published = self.hook("published")
        transport.on_batch = self.hook("received")
        return transport


PLACES = ["received", "ingested", "stepping", "stepped", "publish", "published"]


@pytest.mark.parametrize("kind", RoomKind, ids=lambda kind: kind.value)
@pytest.mark.parametrize("place", PLACES)
async def test_a_process_that_dies_anywhere_loses_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, kind: RoomKind
) -> None:
    world = World(tmp_path)
    world.room(kind=kind)
    rng = random.Random(f"{place} {kind}")
    deaths = 0
    sent = 0
    while sent < MESSAGES:
        fate, echo = Fate(place, rng.randint(1, 4)), Echo("echo")
        take = echo.take

        async def dying_ingest(
            tx: Transaction, account: Account, batch: Batch, *, now: int, fate: Fate = fate
        ) -> Ingested:
            ingested = await ingest(tx, account, batch, now=now)
            await fate.at("ingested")
            return ingested

        async def dying_take(
            tx: Transaction,
            events: Sequence[StoredEvent],
            *,
            now: int,
            fate: Fate = fate,
            take: Callable[..., Awaitable[AfterCommit]] = take,
        ) -> AfterCommit:
            await fate.at("stepping")
            after = await take(tx, events, now=now)
            await fate.at("stepped")
            return after

        monkeypatch.setattr(account_module, "ingest", dying_ingest)
        monkeypatch.setattr(echo, "take", dying_take)
        async with world.service(echo, wrap=fate.wrap) as running:
            for _ in range(rng.randint(1, 8)):
                world.network.room(TEA).post_envelope(BOB, application(f"say {sent}"), transaction=f"t{sent}")
                sent += 1
                await asyncio.sleep(rng.random() / 100)
            try:
                async with asyncio.timeout(0.3):
                    await fate.has_come.wait()
            except TimeoutError:
                continue
            await running.crash()
            deaths += 1
    monkeypatch.setattr(account_module, "ingest", ingest)
    last = Echo("echo")
    async with world.service(last) as running:
        await until(lambda: running.account.has_read(TEA))
        await running.say(last, "end")
        await last.until(lambda: "end" in last.texts)
        async with running.store.transaction() as tx:
            taken = await tx.records.items("notebook echo")
    assert deaths >= 5

    observer = Notebook("observer", account=BOB)
    (tmp_path / "bob").mkdir()
    world.folder = tmp_path / "bob"
    async with world.service(observer, account=BOB):
        await observer.until(lambda: "end" in observer.texts)
    echoes = Counter(text.split()[1] for text in observer.texts if text.startswith("echo"))
    assert echoes == Counter(str(number) for number in range(sent))
    assert len(taken) == len({position for position, _ in taken})
    in_room = [text.split()[1] for text in dict.fromkeys(world.texts_in()) if text.startswith("echo")]
    assert in_room == [str(number) for number in range(sent)]

"""Members, relay and sequencer over real databases; the rooms alone are in memory."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.conversation import (
    Asked,
    Confirm,
    Happening,
    MessageArrived,
    NumbersShown,
    Remove,
    Removed,
    Verify,
)
from bridge.library import EncryptedRoom, open_room
from bridge.member.settings import MemberSettings
from bridge.observing.metrics import Metrics
from bridge.order.sealing import SealingSettings
from bridge.order.sequencer import Sequencer, signing_key
from bridge.protocol.bodies import Hello
from bridge.relay import Relay, RelaySettings, Side
from bridge.service.clock import SystemClock
from bridge.service.entering import WantedRoom
from bridge.service.service import Service
from bridge.store import Store, StoreKey
from transports.memory import LoopClock, MemoryNetwork, RoomKind, RoomRules
from transports.room import Account, RoomAddress

MATRIX = RoomAddress("matrix:roomid/tea:one")
XMPP = RoomAddress("xmpp:tea@muc.two")
RELAYS = {MATRIX: Account("matrix:u/bridge:one"), XMPP: Account("xmpp:bridge@two")}
ACCOUNTS = {
    "alice": Account("matrix:u/alice:one"),
    "bob": Account("matrix:u/bob:one"),
    "carol": Account("xmpp:carol@two"),
}

pytestmark = pytest.mark.timeout(60)


class Ear:
    """Listens to a member, all the time."""

    def __init__(self, room: EncryptedRoom) -> None:
        self.room = room
        self.heard: list[Happening] = []
        self._changed = asyncio.Event()

    async def listen(self) -> None:
        async for happening in self.room.happenings():
            self.heard.append(happening)
            self._changed.set()

    async def until(self, kind: type[Happening], **fields: object) -> Happening:
        async with asyncio.timeout(20):
            while True:
                for happening in self.heard:
                    if isinstance(happening, kind) and all(getattr(happening, k) == v for k, v in fields.items()):
                        return happening
                self._changed.clear()
                await self._changed.wait()

    @property
    def texts(self) -> list[str]:
        return [item.text for item in self.heard if isinstance(item, MessageArrived)]


@dataclass
class World:
    network: MemoryNetwork
    folder: Path

    @asynccontextmanager
    async def member(self, name: str, **settings: object) -> AsyncIterator[Ear]:
        account = ACCOUNTS[name]
        room = XMPP if account.startswith("xmpp") else MATRIX
        transport = self.network.transport(account)
        chosen = MemberSettings(stagger=100, **settings)  # type: ignore[arg-type]
        store = self.folder / f"{name}.db"
        async with open_room(transport, room, store=store, key=bytes(32), settings=chosen) as opened:
            ear = Ear(opened)
            listening = asyncio.create_task(ear.listen())
            try:
                yield ear
            finally:
                listening.cancel()
                await asyncio.wait([listening])

    @asynccontextmanager
    async def bridge(self) -> AsyncIterator[Service]:
        store = await Store.open(self.folder / "bridge.db", StoreKey(bytes(32)), now=0)
        service = Service(store, clock=SystemClock(), random=os.urandom, metrics=Metrics())
        runners = {
            room: service.add_account(room, self.network.transport(RELAYS[room]), [WantedRoom("tea", room, 0)])
            for room in (MATRIX, XMPP)
        }
        running = asyncio.create_task(service.run())
        try:
            for room, runner in runners.items():
                await runner.joined(room)
            async with store.transaction() as tx:
                key = await signing_key(tx, MATRIX, os.urandom)
            rooms = (MATRIX, XMPP)
            hello = Hello(b"mls-bridge", tuple(room.encode() for room in rooms), key.public_key, 1 << 20)
            sequencer = Sequencer(
                RELAYS[MATRIX],
                MATRIX,
                key=key,
                hello=hello,
                settings=SealingSettings(max_event=45_000),
                random=os.urandom,
                on_seal=lambda _count: None,
            )
            service.add_consumer(sequencer, role="sequencer", room_name="tea")
            sides = [Side(RELAYS[room], room) for room in rooms]
            settings = RelaySettings(link="tea", software="mls-bridge", rooms=rooms, sequencer_key=key.public_key)
            for side in sides:
                relay = Relay(
                    side,
                    [other for other in sides if other != side],
                    settings,
                    random=os.urandom,
                    is_live=lambda one: runners[one.room].has_read(one.room),
                    count=lambda _what, _number: None,
                )
                service.add_consumer(relay, role="relay", room_name="tea")
            service.forgets = True
            yield service
        finally:
            service.stop()
            await running


@pytest.fixture
def world(tmp_path: Path) -> World:
    network = MemoryNetwork(clock=LoopClock(), random=random.Random(7))
    matrix = [RELAYS[MATRIX], ACCOUNTS["alice"], ACCOUNTS["bob"]]
    network.create_room(MATRIX, kind=RoomKind.MATRIX, rules=RoomRules(is_open=True), servers=("one",), members=matrix)
    network.create_room(XMPP, kind=RoomKind.MUC, rules=RoomRules(), members=[RELAYS[XMPP], ACCOUNTS["carol"]])
    return World(network, tmp_path)


async def introduce(alice: Ear, carol: Ear) -> None:
    """Let Alice and Carol compare numbers."""
    await alice.until(Asked, account=ACCOUNTS["carol"])
    shown = await alice.room.ask(Verify("carol"))
    assert isinstance(shown, NumbersShown)
    assert await carol.room.ask(Verify("alice")) == NumbersShown(ACCOUNTS["alice"], "alice", shown.digits)
    await alice.room.ask(Confirm("carol", shown.digits))


@pytest.mark.asyncio
async def test_three_people_talk_across_and_one_is_removed(world: World) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(world.bridge())
        alice = await stack.enter_async_context(world.member("alice", create=True))
        bob = await stack.enter_async_context(world.member("bob"))
        carol = await stack.enter_async_context(world.member("carol"))
        await bob.room.until_joined()
        await introduce(alice, carol)
        await carol.room.until_joined()
        await alice.room.say("Tea at four?")
        question = await carol.until(MessageArrived, text="Tea at four?")
        await bob.until(MessageArrived, text="Tea at four?")
        assert isinstance(question, MessageArrived)
        await carol.room.say("Gladly", reply_to=question.id)
        await alice.until(MessageArrived, text="Gladly", reply_to=question.id)
        await alice.room.ask(Remove("bob"))
        await bob.until(Removed)
        await alice.room.say("Without Bob")
        await carol.until(MessageArrived, text="Without Bob")
        assert "Without Bob" not in bob.texts


@pytest.mark.asyncio
async def test_everyone_restarts_and_goes_on(world: World) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(world.bridge())
        alice = await stack.enter_async_context(world.member("alice", create=True))
        carol = await stack.enter_async_context(world.member("carol"))
        await introduce(alice, carol)
        await carol.room.until_joined()
        await alice.room.say("Before")
        await carol.until(MessageArrived, text="Before")
    async with world.bridge(), world.member("alice", create=True) as alice:
        await alice.room.say("While Carol is away")
        async with world.member("carol") as carol:
            await carol.until(MessageArrived, text="While Carol is away")
            await carol.room.say("I am back")
            await alice.until(MessageArrived, text="I am back")
            # What was told and not acknowledged before the end is told again, and nothing else is.
            assert carol.texts in (["While Carol is away"], ["Before", "While Carol is away"])

"""MLS for a bot of one's own: what it is told, what it is told again, and how it learns that it is over."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from bridge.library import (
    EncryptedRoom,
    Kind,
    MemberSettings,
    MessageArrived,
    Remove,
    RequestRefusedError,
    ServiceError,
    open_room,
)
from bridge.observing.handing_on import hand_on
from bridge.protocol.code_points import Mode
from transports.errors import PermanentError
from transports.memory import LoopClock, MemoryNetwork, RoomKind, RoomRules
from transports.room import Account, ConnectionState, RoomAddress

ROOM = RoomAddress("xmpp:tea@muc.one")
ALICE, BOT = Account("xmpp:alice@one"), Account("xmpp:bot@one")

pytestmark = [pytest.mark.timeout(60), pytest.mark.asyncio]


@dataclass
class World:
    network: MemoryNetwork
    folder: Path

    @asynccontextmanager
    async def member(self, account: Account, *, create: bool = False) -> AsyncIterator[EncryptedRoom]:
        settings = MemberSettings(stagger=100, create=create, mode=Mode.ROOM)
        store = self.folder / f"{account.rpartition(':')[2]}.db"
        async with open_room(
            self.network.transport(account), ROOM, store=store, key=bytes(32), settings=settings
        ) as room:
            yield room

    @asynccontextmanager
    async def both(self) -> AsyncIterator[tuple[EncryptedRoom, EncryptedRoom]]:
        """Alice, who founds the group, and the bot, once it is in."""
        async with self.member(ALICE, create=True) as alice, self.member(BOT) as bot:
            await bot.until_joined()
            yield alice, bot


@pytest.fixture
def world(tmp_path: Path) -> World:
    network = MemoryNetwork(clock=LoopClock(), random=random.Random(7))
    network.create_room(ROOM, kind=RoomKind.MUC, rules=RoomRules(), members=[ALICE, BOT])
    return World(network, tmp_path)


async def next_message(room: EncryptedRoom) -> MessageArrived:
    """The first message that is not acknowledged; it stays so."""
    async with asyncio.timeout(20), aclosing(room.messages()) as messages:
        return await anext(messages)


async def test_message_is_told_again_until_the_next_is_asked_for(world: World) -> None:
    async with world.both() as (alice, bot):
        await alice.say("one")
        await alice.say("two")
        assert (await next_message(bot)).text == "one"
    async with world.member(BOT) as bot, asyncio.timeout(20), aclosing(bot.messages()) as messages:
        assert [(await anext(messages)).text for _ in range(2)] == ["one", "two"]
    async with world.member(BOT) as bot:
        assert (await next_message(bot)).text == "two"


async def test_what_is_replied_to_is_told_no_more(world: World) -> None:
    async with world.both() as (alice, bot):
        await alice.say("one")
        await alice.say("two")
        async with asyncio.timeout(20), aclosing(bot.messages()) as messages:
            question = await anext(messages)
            await bot.reply(question, "first")
            # It ends here, without having asked for the next one.
        answer = await next_message(alice)
        assert (answer.text, answer.reply_to, answer.kind) == ("first", question.id, Kind.MESSAGE)
    async with world.member(BOT) as bot:
        assert (await next_message(bot)).text == "two"


async def test_reply_to_an_earlier_message_acknowledges_nothing(world: World) -> None:
    async with world.both() as (alice, bot):
        await alice.say("one")
        await alice.say("two")
        async with asyncio.timeout(20), aclosing(bot.messages()) as messages:
            earlier = await anext(messages)
            await anext(messages)
            await bot.reply(earlier, "late")
    async with world.member(BOT) as bot:
        assert (await next_message(bot)).text == "two"


async def test_reply_that_is_refused_acknowledges_nothing(world: World) -> None:
    async with world.both() as (alice, bot):
        await alice.say("one")
        async with asyncio.timeout(20), aclosing(bot.messages()) as messages:
            question = await anext(messages)
            await alice.ask(Remove(BOT))
            while bot.role.session.is_active:  # noqa: ASYNC110 - it is told after the message that is being read
                await asyncio.sleep(0.02)
            with pytest.raises(RequestRefusedError, match="you were removed"):
                await bot.reply(question, "too late")
    async with world.member(BOT) as bot:
        assert (await next_message(bot)).text == "one"


async def test_bot_whose_account_is_refused_is_told_so(world: World) -> None:
    async with world.both() as (_, bot):
        reading = asyncio.create_task(next_message(bot))
        await asyncio.sleep(0.2)
        world.network.revoke(BOT)
        with pytest.raises(ServiceError, match="the account member has stopped"):
            await reading


async def test_bot_whose_account_is_refused_while_there_is_no_connection_is_told_so(world: World) -> None:
    async with world.both() as (_, bot):
        reading = asyncio.create_task(next_message(bot))
        world.network.disconnect(BOT)
        async with asyncio.timeout(10):
            while bot._health._account.state is not ConnectionState.LOST:  # noqa: ASYNC110 - nothing rings
                await asyncio.sleep(0.01)
        world.network.revoke(BOT)
        with pytest.raises(ServiceError, match="the account member has stopped"):
            await reading


async def test_room_that_is_not_there_is_an_error(world: World) -> None:
    with pytest.raises(PermanentError):
        async with open_room(
            world.network.transport(BOT), "xmpp:coffee@muc.one", store=world.folder / "x.db", key=bytes(32)
        ):
            pytest.fail("it is not there")


async def test_logs_go_where_the_bot_has_its_own(world: World, caplog: pytest.LogCaptureFixture) -> None:
    structlog.reset_defaults()
    try:
        with caplog.at_level(logging.INFO, logger="mls_bridge"):
            async with world.both() as (alice, bot):
                await alice.say("a secret word")
                await next_message(bot)
    finally:
        structlog.reset_defaults()
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("mls_bridge")]
    assert any(line.startswith("joined account='member' room='room'") for line in lines), lines
    assert not any("secret" in line or "bot@one" in line for line in lines)


async def test_logs_tell_of_an_error_without_what_it_quotes(caplog: pytest.LogCaptureFixture) -> None:
    structlog.reset_defaults()
    try:
        hand_on(bytes)
        try:
            raise ValueError("a secret word")  # noqa: TRY301 - to be logged
        except ValueError:
            structlog.get_logger("service").exception("it failed", room="!tea:example.org", rate="100%s")
    finally:
        structlog.reset_defaults()
    [record] = caplog.records
    assert (record.name, record.levelname, record.exc_info) == ("mls_bridge.service", "ERROR", None)
    assert record.getMessage().startswith("it failed room='~")
    assert "ValueError" in record.getMessage()
    assert "rate='100%s'" in record.getMessage()
    assert "secret" not in record.getMessage()


async def test_structlog_of_the_bot_stays_as_it_is(world: World) -> None:
    structlog.reset_defaults()
    with structlog.testing.capture_logs() as seen:
        before = structlog.get_config()
        async with world.member(ALICE, create=True):
            pass
        assert structlog.get_config() == before
    structlog.reset_defaults()
    assert seen

"""MLS for a bot of one's own: one member in one room, over any transport, in a few lines.

    transport = XmppTransport(ClientLogin("bot@example.org", password))
    async with open_room(transport, "tea@muc.example.org", store="bot.db", key=key) as room:
        async for message in room.messages():
            await room.say(f"You said: {message.text}", reply_to=message.id)

The bot keeps its own client for all else: the transport is a session of its own with the same account. What is told is
told again after a crash until it is acknowledged; `messages` acknowledges each when the next one is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.content import MessageId
from bridge.member.conversation import MemberConversation
from bridge.member.role import MemberRole
from bridge.member.settings import MemberSettings
from bridge.observing.metrics import Metrics
from bridge.protocol.errors import ProtocolError
from bridge.service.account import WantedRoom
from bridge.service.attending import attend
from bridge.service.clock import Clock, SystemClock
from bridge.service.service import Service
from bridge.store import StoreKey
from bridge.store.member import MemberStore
from bridge.terminal.conversation import (
    Answer,
    Happening,
    Joined,
    MessageArrived,
    Request,
    Said,
    Say,
)
from mls.crypto.random import Random, system_random
from transports.room import ConnectionState, Transport

__all__ = ["EncryptedRoom", "open_room"]

_HISTORY = 30 * 24 * 3600 * 1000
"""How far back a room is read that the account was never in: milliseconds."""


class EncryptedRoom:
    """One member's room: what happens, and what to do."""

    def __init__(self, conversation: MemberConversation, role: MemberRole) -> None:
        self.conversation = conversation
        """All of it: everything that happens, and everything that can be asked for."""
        self.role = role

    async def happenings(self) -> AsyncIterator[Happening]:
        """Yield what happens, without end. Each is acknowledged when the next one is asked for."""
        async for told in self.conversation.happenings():
            yield told.what
            if told.position is not None:
                await self.conversation.acknowledge(told.position)

    async def messages(self) -> AsyncIterator[MessageArrived]:
        """Yield the messages of others."""
        async for happening in self.happenings():
            if isinstance(happening, MessageArrived):
                yield happening

    async def until_joined(self) -> None:
        """Wait until this member is in the group."""
        if self.role.session.is_active:
            return
        async for happening in self.happenings():
            if isinstance(happening, Joined):
                return

    async def say(self, text: str, *, markdown: bool = False, reply_to: MessageId | None = None) -> MessageId:
        """Send a message; returns its id once it is stored. Raises `RequestRefusedError`."""
        answer = await self.ask(Say(text, markdown, reply_to))
        if not isinstance(answer, Said):
            msg = f"a message was answered by {answer}"
            raise ProtocolError(msg)
        return answer.id

    async def ask(self, request: Request) -> Answer:
        """Do anything that a person can ask for. Raises `RequestRefusedError`."""
        return await self.conversation.do(request)


@asynccontextmanager
async def open_room(
    transport: Transport,
    room: str,
    *,
    store: Path | str,
    key: bytes,
    settings: MemberSettings | None = None,
    clock: Clock | None = None,
    random: Random = system_random,
) -> AsyncIterator[EncryptedRoom]:
    """Be a member of a room's group: ask to be let in, or found it where `settings.create` says so.

    `store` is the path of the member's database, `key` the 32 bytes that encrypt what is secret in it: keep them apart.
    Raises `StoreError`, `TransportError`, `ServiceError`. Leaving the block stops cleanly: what waits is sent first.
    """
    time = SystemClock() if clock is None else clock
    database = await MemberStore.open(Path(store), StoreKey(key), now=time.now())
    service = Service(database, clock=time, random=random, metrics=Metrics())
    account = service.add_account("member", transport, [WantedRoom("room", room, time.now() - _HISTORY)])
    running = asyncio.create_task(service.run())
    try:
        joined = await attend(account.joined(room), running)
        chosen = MemberSettings() if settings is None else settings
        role = MemberRole(f"member {account.account} {joined.address}", account.account, joined.address, chosen, random)
        conversation = MemberConversation(service, database, role, room_name=joined.name)
        service.add_consumer(role, role="member", room_name="room", on_failed=conversation.publishing_failed)
        service.forgets = True
        conversation.connection_changed(account.network, ConnectionState.LIVE)
        await attend(role.started(), running)
        try:
            yield EncryptedRoom(conversation, role)
        finally:
            conversation.close()
    finally:
        service.stop()
        await running

"""MLS for a bot of one's own: one member in one room, over any transport, in a few lines. See docs/bots.md.

    transport = XmppTransport(ClientLogin("bot@example.org", password))
    async with open_room(transport, "tea@muc.example.org", store="bot.db", key=key) as room:
        async for message in room.messages():
            await room.reply(message, f"You said: {message.text}")

The bot keeps its own client for all else: the transport is a session of its own with the same account. What is told is
told again after a crash until it is acknowledged: each happening is when the next one is asked for, and a message that
`reply` answers is in the same step as the answer, which so is sent once, whatever crashes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.content import Kind, MessageId
from bridge.conversation import (
    Add,
    Answer,
    Asked,
    Confirm,
    Happening,
    Joined,
    Leave,
    Members,
    MessageArrived,
    Remove,
    Removed,
    Request,
    RequestRefusedError,
    Said,
    Say,
    Status,
    Verify,
)
from bridge.member.conversation import MemberConversation
from bridge.member.role import MemberRole
from bridge.member.settings import AddPolicy, MemberSettings
from bridge.observing.handing_on import hand_on
from bridge.observing.metrics import Metrics
from bridge.protocol.errors import ProtocolError
from bridge.service.account import AccountRunner
from bridge.service.attending import attend
from bridge.service.clock import Clock, SystemClock
from bridge.service.entering import WantedRoom
from bridge.service.errors import AccountStoppedError, ServiceError
from bridge.service.publishing import FailedEntry
from bridge.service.service import Service
from bridge.store import StoreError, StoreKey
from bridge.store.member import MemberStore, MemberTransaction
from mls.crypto.random import Random, system_random
from transports.errors import TransportError
from transports.room import Transport

if TYPE_CHECKING:
    from bridge.service.consumer import AfterCommit
    from bridge.store import Transaction

# What a bot needs comes from here, wherever it lives.
__all__ = [
    "Add",
    "AddPolicy",
    "Answer",
    "Asked",
    "Confirm",
    "EncryptedRoom",
    "Happening",
    "Joined",
    "Kind",
    "Leave",
    "MemberSettings",
    "Members",
    "MessageArrived",
    "MessageId",
    "Remove",
    "Removed",
    "Request",
    "RequestRefusedError",
    "ServiceError",
    "Status",
    "StoreError",
    "TransportError",
    "Verify",
    "open_room",
]

_ACKNOWLEDGED_AT_ONCE: Final = 50

_HISTORY: Final = 30 * 24 * 3600 * 1000
"""How far back a room is read that the account was never in: milliseconds."""


class EncryptedRoom:
    """One member's room: what happens, and what to do. One reader at a time."""

    def __init__(self, conversation: MemberConversation, role: MemberRole, service: Service, health: _Health) -> None:
        self.conversation = conversation
        """All of it: everything that happens, with its position, and everything that can be asked for."""
        self.role = role
        self._service = service
        self._health = health
        self._at_hand: tuple[Happening, int] | None = None
        """What the reader was told last and has not done with, and its position."""

    async def happenings(self) -> AsyncGenerator[Happening, None]:
        """Yield what happens, without end. Each is acknowledged when the next one is asked for.

        Where many wait they are acknowledged some at a time: after a crash a few more may be told again.
        Raises `StoreError` or `ServiceError` where the membership cannot go on: the disk is full, or the server does
        not know the account any more.
        """
        done = 0
        try:
            async for told in self.conversation.happenings():
                self._at_hand = None if told.position is None else (told.what, told.position)
                yield told.what
                done = told.position or done
                if done and self.conversation.at_hand % _ACKNOWLEDGED_AT_ONCE == 0:
                    await self.conversation.acknowledge(done)
                    done = 0
        finally:
            if done:
                with suppress(StoreError):  # they are told again then
                    await self.conversation.acknowledge(done)
        self._health.require()

    async def messages(self) -> AsyncGenerator[MessageArrived, None]:
        """Yield what others say: messages, and where `kind` says so edits, deletions and reactions. As `happenings`."""
        async with aclosing(self.happenings()) as happenings:
            async for happening in happenings:
                if isinstance(happening, MessageArrived):
                    yield happening

    async def until_joined(self) -> None:
        """Wait until this member is in the group. Raises as `happenings` does."""
        if self.role.session.is_active:
            return
        async with aclosing(self.happenings()) as happenings:
            async for happening in happenings:
                if isinstance(happening, Joined):
                    return

    async def say(self, text: str, *, markdown: bool = False, reply_to: MessageId | None = None) -> MessageId:
        """Send a message; returns its id once it is stored. Raises `RequestRefusedError`."""
        return _id_of(await self.ask(Say(text, markdown, reply_to)))

    async def reply(self, message: MessageArrived, text: str, *, markdown: bool = False) -> MessageId:
        """Answer the message that was told last, and acknowledge it, in one step: either both are done, or neither.

        To a message told earlier it is `say` with `reply_to`. Raises `RequestRefusedError`.
        """
        request = Say(text, markdown, message.id)
        match self._at_hand:
            case (told, position) if told is message:
                return _id_of(await self._ask_and_acknowledge(request, position))
            case _:
                return _id_of(await self.ask(request))

    async def ask(self, request: Request) -> Answer:
        """Do anything that a person can ask for. Raises `RequestRefusedError`."""
        return await self.conversation.do(request)

    async def _ask_and_acknowledge(self, request: Request, position: int) -> Answer:
        answers: list[Answer] = []

        async def step(tx: Transaction, now: int) -> AfterCommit:
            answer, after = await self.role.request(tx, request, (), now=now)
            if isinstance(tx, MemberTransaction):  # always so: the store is a member's
                await tx.inbox.acknowledge(self.role.inbox, position)
            answers.append(answer)
            return after

        try:
            await self._service.act(self.role, step)
        except ServiceError as error:
            raise RequestRefusedError(f"This cannot be done now: {error}") from error
        return answers[0]


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
    Each room has a transport and a database of its own. Raises `StoreError`, `TransportError`, `ServiceError`. Leaving
    the block stops cleanly: what waits is sent first, for some seconds; the rest after the next start.
    """
    hand_on(random)
    time = SystemClock() if clock is None else clock
    database = await MemberStore.open(Path(store), StoreKey(key), now=time.now())
    try:
        async with _running(database, transport, room, settings or MemberSettings(), time, random) as opened:
            yield opened
    finally:
        await database.close()


@asynccontextmanager
async def _running(
    database: MemberStore, transport: Transport, room: str, settings: MemberSettings, clock: Clock, random: Random
) -> AsyncIterator[EncryptedRoom]:
    service = Service(database, clock=clock, random=random, metrics=Metrics())
    account = service.add_account("member", transport, [WantedRoom("room", room, clock.now() - _HISTORY)])
    running = asyncio.create_task(service.run())
    try:
        joined = await attend(account.joined(room), running)
        name = f"member {account.account} {joined.address}"
        role = MemberRole(name, account.account, joined.address, settings, random)
        conversation = MemberConversation(service, database, role, room_name=joined.name)

        def on_failed(failed: FailedEntry) -> None:
            role.publishing_failed(failed)
            conversation.publishing_failed(failed)

        service.add_consumer(role, role="member", room_name="room", on_failed=on_failed)
        service.forgets = True
        health = _Health(account, running, conversation)
        await attend(role.started(), running)
        try:
            yield EncryptedRoom(conversation, role, service, health)
        finally:
            conversation.close()
    finally:
        service.stop()
        await running


class _Health:
    """Ends a conversation that nothing more will come to, and knows why."""

    def __init__(self, account: AccountRunner, running: asyncio.Task[None], conversation: MemberConversation) -> None:
        self._account = account
        self._running = running
        account.on_state = partial(conversation.connection_changed, account.network)
        account.on_state(account.state)
        account.on_stopped = lambda _: conversation.close()
        if account.problem is not None:  # since it was joined
            conversation.close()
        running.add_done_callback(lambda _: conversation.close())

    def require(self) -> None:
        """Raise what ended the conversation, unless it was asked to end."""
        if self._account.problem is not None:
            raise AccountStoppedError(self._account.name, self._account.problem)
        if self._running.done() and not self._running.cancelled():
            self._running.result()


def _id_of(answer: Answer) -> MessageId:
    if not isinstance(answer, Said):
        raise ProtocolError(f"a message was answered by {answer}")
    return answer.id

"""A member as its front end sees it: `bridge.terminal.conversation.Conversation` over the service."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from bridge.member import people
from bridge.member.happenings import decode_happening
from bridge.service.errors import ServiceError
from bridge.terminal.conversation import (
    Alarm,
    Answer,
    ConnectionShown,
    LinkState,
    Request,
    RequestRefusedError,
    RoomShown,
    Told,
)
from transports.room import ConnectionState

if TYPE_CHECKING:
    from bridge.member.role import MemberRole
    from bridge.service.consumer import AfterCommit
    from bridge.service.publishing import FailedEntry
    from bridge.service.service import Service
    from bridge.store import Transaction
    from bridge.store.member import MemberStore

__all__ = ["MemberConversation"]

_PAGE = 200


class MemberConversation:
    """One member's conversation. One front end at a time; it ends when `close` is called."""

    def __init__(self, service: Service, store: MemberStore, role: MemberRole, *, room_name: str) -> None:
        self._service = service
        self._store = store
        self._role = role
        self._room_name = room_name
        self._rings = asyncio.Event()
        self._passing: deque[Told] = deque()
        self._states: dict[str, ConnectionShown] = {}
        self._is_closed = False
        role.on_told = self._rings.set

    @property
    def shown(self) -> RoomShown:
        own = self._role.account
        return RoomShown(self._role.room, self._room_name, own, people.name_of(own))

    async def happenings(self) -> AsyncIterator[Told]:
        told = 0
        while True:
            self._rings.clear()
            while self._passing:
                yield self._passing.popleft()
            async with self._store.transaction() as tx:
                unread = await tx.inbox.unread(self._role.inbox, _PAGE, after=told)
            for position, _, message in unread:
                told = position
                yield Told(decode_happening(message), position)
            if unread:
                continue
            if self._is_closed:
                return
            await self._rings.wait()

    async def acknowledge(self, position: int) -> None:
        async with self._store.transaction() as tx:
            await tx.inbox.acknowledge(self._role.inbox, position)

    async def do(self, request: Request) -> Answer:
        answers: list[Answer] = []

        async def step(tx: Transaction, now: int) -> AfterCommit:
            answer, after = await self._role.request(tx, request, tuple(self._states.values()), now=now)
            answers.append(answer)
            return after

        try:
            await self._service.act(self._role, step)
        except ServiceError as error:
            raise RequestRefusedError(f"This cannot be done now: {error}") from error
        return answers[0]

    def close(self) -> None:
        """Let `happenings` end, once everything stored is told."""
        self._is_closed = True
        self._rings.set()

    def connection_changed(self, network: str, state: ConnectionState) -> None:
        """Tell the front end how a connection stands."""
        shown = ConnectionShown(network, LinkState(state.value.replace(" ", "-")))
        self._states[network] = shown
        self._pass(Told(shown, None))

    def publishing_failed(self, failed: FailedEntry) -> None:
        """Tell the front end what could not be posted."""
        what = f"The room's server does not take something ({failed.entry.purpose}): {failed.reason}"
        self._pass(Told(Alarm(what, "Ask who runs the room; `mls-bridge check` tells what an account may do."), None))

    def _pass(self, told: Told) -> None:
        self._passing.append(told)
        self._rings.set()

"""A service that does not run, asked through its database: what it would say, and what it is to do once it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from bridge.config import Config
from bridge.config.secrets import read_key
from bridge.conversation import Answer, Members, Request, RequestRefusedError, Status, Verify
from bridge.member.role import MemberRole
from bridge.service.answering import Asked, answer, as_line, require_member
from bridge.service.clock import Clock, SystemClock
from bridge.service.composing import open_store
from bridge.service.control import Object
from bridge.service.members import forget_history, history_of, make_member
from bridge.service.status import describe, sides_of
from bridge.store import Store, Transaction
from mls.crypto.random import system_random

__all__ = ["ask_stopped"]


async def ask_stopped(config: Config, question: Object) -> Object:
    """Open the database, and return the answer that it gives. Raises `SecretError`, `StoreError`."""
    clock = SystemClock()
    store = await open_store(config, read_key(config.store.key), clock)
    try:
        return await answer(_Stopped(config, store, clock), as_line(question))
    finally:
        await store.close()


class _Stopped(Asked):
    """Answers from an open store, which nothing else uses meanwhile."""

    def __init__(self, config: Config, store: Store, clock: Clock) -> None:
        self._config = config
        self._store = store
        self._clock = clock

    async def report(self) -> Object:
        async with self._reading() as tx:
            members = {}
            for name, room in self._config.rooms.items():
                if room.member is not None and room.member.account in await sides_of(tx, name):
                    members[name] = await self._member(tx, name)
            return await describe(tx, self._config, None, {}, members, {})

    async def do(self, room: str, request: Request) -> Answer:
        only_reads = isinstance(request, Members | Status | Verify)
        async with self._reading() if only_reads else self._store.transaction() as tx:
            role = await self._member(tx, room)
            answer, after = await role.request(tx, request, (), now=self._clock.now())
        after()
        return answer

    async def history(self, room: str, limit: int, before: int) -> list[Object]:
        async with self._reading() as tx:
            return await history_of(tx, await self._member(tx, room), limit, before)

    async def forget(self, room: str) -> None:
        async with self._store.transaction() as tx:
            await forget_history(tx, await self._member(tx, room), now=self._clock.now())

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Transaction]:
        """Open a transaction of which nothing is kept: a member's start, which comes before every answer, writes."""
        with suppress(_Discard):
            async with self._store.transaction() as tx:
                yield tx
                raise _Discard

    async def _member(self, tx: Transaction, name: str) -> MemberRole:
        """Return a room's member as it is stored. Raises `RequestRefusedError`."""
        account = require_member(self._config, name)
        room = self._config.rooms[name]
        side = (await sides_of(tx, name)).get(account)
        if side is None:
            raise RequestRefusedError(
                f"This program has never been in the room {name}.", next_step="Start it: `mls-bridge run`, or `chat`."
            )
        role = make_member(room, side, system_random, history=self._config.store.history)
        (await role.start(tx, now=self._clock.now()))()
        return role


class _Discard(Exception):  # noqa: N818 - not an error
    """Ends a transaction without a commit."""

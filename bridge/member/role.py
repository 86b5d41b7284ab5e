"""The member as a role of the service: steps of the session, each in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import mls
from bridge.member import joining, receiving, requests, storing
from bridge.member.committing import next_due
from bridge.member.happenings import encode_happening
from bridge.member.step import Step
from bridge.member.storing import Names, owner_of
from bridge.store.member import MemberTransaction

if TYPE_CHECKING:
    from bridge.member.settings import MemberSettings
    from bridge.member.state import Session
    from bridge.service.consumer import AfterCommit
    from bridge.store import StoredEvent, Transaction
    from bridge.terminal.conversation import Answer, ConnectionShown, Request
    from mls.crypto.random import Random
    from transports.room import Account, RoomAddress

__all__ = ["MemberRole"]


class MemberRole:
    """One account's membership in one room's group. A `bridge.service.consumer.Consumer`."""

    def __init__(
        self, name: str, account: Account, room: RoomAddress, settings: MemberSettings, random: Random
    ) -> None:
        self.name = name
        self.account = account
        self.room = room
        self.on_told: Callable[[], None] = lambda: None
        """Called after a step that told something."""
        self._settings = settings
        self._random = random
        self._names = Names(name)
        self._session: Session | None = None
        self._has_started = asyncio.Event()

    @property
    def session(self) -> Session:
        """The session as it was last stored. Known once `start` is through."""
        if self._session is None:
            msg = f"{self.name} has not started"
            raise mls.UsageError(msg)
        return self._session

    @property
    def inbox(self) -> str:
        """Under what this member's happenings are stored."""
        return owner_of(self.account, self.room)

    async def started(self) -> None:
        """Wait until `start` is through."""
        await self._has_started.wait()

    async def start(self, tx: Transaction, *, now: int) -> AfterCommit:
        session = await storing.load(_of_member(tx), self._names, self.account, self.room, self._settings, self._random)
        step = Step(session, now, self._random)
        if session.group is None and not self._settings.create and not session.memory.flags.asked_at:
            joining.ask(step)
        receiving.do_what_is_due(step)
        return await self._finish(tx, session, step)

    async def take(self, tx: Transaction, events: Sequence[StoredEvent], *, now: int) -> AfterCommit:
        step = Step(self.session, now, self._random)
        for stored in events:
            receiving.take_event(step, stored.event)
        receiving.do_what_is_due(step)
        return await self._finish(tx, self.session, step)

    def next_wake(self) -> int | None:
        return next_due(self.session)

    async def wake(self, tx: Transaction, *, now: int) -> AfterCommit:
        step = Step(self.session, now, self._random)
        receiving.do_what_is_due(step)
        return await self._finish(tx, self.session, step)

    async def request(
        self, tx: Transaction, request: Request, connections: tuple[ConnectionShown, ...], *, now: int
    ) -> tuple[Answer, AfterCommit]:
        """Do what a person asks. Raises `RequestRefusedError`, and then nothing has happened."""
        step = Step(self.session, now, self._random)
        given = requests.answer(step, request, connections)
        return given, await self._finish(tx, self.session, step)

    async def _finish(self, tx: Transaction, before: Session, step: Step) -> AfterCommit:
        own = _of_member(tx)
        await storing.save(own, self._names, before, step)
        for happening in step.told:
            await own.inbox.add(self.inbox, b"", encode_happening(happening), step.now)

        def take_over() -> None:
            self._session = step.session
            self._has_started.set()
            mls.wipe(step.spent)
            if step.told:
                self.on_told()

        return take_over


def _of_member(tx: Transaction) -> MemberTransaction:
    """Return the transaction as one of a member's store: the service hands on what the store gave it."""
    if not isinstance(tx, MemberTransaction):
        msg = "a member needs a store that can hold a member's state"
        raise mls.UsageError(msg)
    return tx

"""The member as a role of the service: steps of the session, each in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import mls
from bridge.conversation import Alarm, MessageArrived, Said, Say, Told
from bridge.member import (
    answering,
    committing,
    failing,
    fetching,
    history,
    housekeeping,
    joining,
    losing,
    receiving,
    requests,
    returning,
    storing,
    supplying,
    verdicts,
)
from bridge.member.happenings import encode_happening
from bridge.member.step import Step
from bridge.member.storing import Names, owner_of
from bridge.order.answers import prune
from bridge.store.member import MemberTransaction

if TYPE_CHECKING:
    from bridge.conversation import Answer, ConnectionShown, Request
    from bridge.member.settings import MemberSettings
    from bridge.member.state import Session
    from bridge.service.consumer import AfterCommit
    from bridge.service.publishing import FailedEntry
    from bridge.store import StoredEvent, Transaction
    from mls.crypto.random import Random
    from transports.room import Account, RoomAddress

__all__ = ["MemberRole", "of_member"]


class MemberRole:
    """One account's membership in one room's group. A `bridge.service.consumer.Consumer`."""

    def __init__(
        self, name: str, account: Account, room: RoomAddress, settings: MemberSettings, random: Random
    ) -> None:
        self.name = name
        self.account = account
        self.room = room
        self.on_told: Callable[[Sequence[Told]], None] = lambda _: None
        """Called after a step with what it told."""
        self._settings = settings
        self._random = random
        self._names = Names(name)
        self._session: Session | None = None
        self._failures: list[FailedEntry] = []
        self._started = asyncio.Event()

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

    @property
    def has_started(self) -> bool:
        """Whether `start` is through."""
        return self._session is not None

    async def started(self) -> None:
        """Wait until `start` is through."""
        await self._started.wait()

    async def start(self, tx: Transaction, *, now: int) -> AfterCommit:
        await prune(of_member(tx), self._names.member, now=now)
        session = await storing.load(of_member(tx), self._names, self.account, self.room, self._settings, self._random)
        step = Step(replace(session, is_reading=True), now, self._random)
        if session.group is None and not session.settings.create and not session.memory.flags.asked_at:
            joining.ask(step)
        if session.is_elsewhere:
            step.tell(Alarm(f"Nothing is sent: {session.obstacle}.", "Correct `group`; or ask to be let in: /join"))
        receiving.do_what_is_due(step)
        return await self._finish(tx, session, step)

    async def take(self, tx: Transaction, events: Sequence[StoredEvent], *, now: int) -> AfterCommit:
        step = Step(self.session, now, self._random)
        for stored in events:
            receiving.take_event(step, stored.event)
        receiving.do_what_is_due(step)
        return await self._finish(tx, self.session, step)

    async def caught_up(self, tx: Transaction, *, now: int) -> AfterCommit:
        step = Step(replace(self.session, is_reading=False), now, self._random)
        fetching.look_for_the_newest(step)
        receiving.do_what_is_due(step)
        return await self._finish(tx, self.session, step)

    def publishing_failed(self, failed: FailedEntry) -> None:
        """Take note that something cannot be posted; what is only held back is posted later."""
        if not failed.is_held:
            self._failures.append(failed)

    def next_wake(self) -> int | None:
        if self._failures:
            return 0
        concerns = (committing, housekeeping, verdicts, losing, returning, answering, fetching, supplying)
        times = (concern.next_due(self.session) for concern in concerns)
        return min((time for time in times if time is not None), default=None)

    async def wake(self, tx: Transaction, *, now: int) -> AfterCommit:
        step = Step(self.session, now, self._random)
        failures = tuple(self._failures)
        for failed in failures:
            failing.take_failure(step, failed.entry.envelope, failed.reason)
        receiving.do_what_is_due(step)
        after = await self._finish(tx, self.session, step)

        def take_over() -> None:
            after()
            del self._failures[: len(failures)]

        return take_over

    async def request(
        self, tx: Transaction, request: Request, connections: tuple[ConnectionShown, ...], *, now: int
    ) -> tuple[Answer, AfterCommit]:
        """Do what a person asks. Raises `RequestRefusedError`, and then nothing has happened."""
        step = Step(self.session, now, self._random)
        given = requests.answer(step, request, connections)
        if self._settings.history and isinstance(request, Say) and isinstance(given, Said):
            own = history.own_message(self.account, request, given, now=now)
            await history.keep(of_member(tx), self.inbox, own, now=now)
        return given, await self._finish(tx, self.session, step)

    async def _finish(self, tx: Transaction, before: Session, step: Step) -> AfterCommit:
        own = of_member(tx)
        await storing.save(own, self._names, before, step)
        positions = await own.inbox.add_all(self.inbox, b"", [encode_happening(each) for each in step.told], step.now)
        told = [Told(happening, position) for happening, position in zip(step.told, positions, strict=True)]
        for happening in step.told:
            if self._settings.history and isinstance(happening, MessageArrived):
                await history.keep(own, self.inbox, happening, now=step.now)

        def take_over() -> None:
            self._session = step.session
            self._started.set()
            mls.wipe(step.spent)
            if told:
                self.on_told(told)

        return take_over


def of_member(tx: Transaction) -> MemberTransaction:
    """Return the transaction as one of a member's store: the service hands on what the store gave it."""
    if not isinstance(tx, MemberTransaction):
        msg = "a member needs a store that can hold a member's state"
        raise mls.UsageError(msg)
    return tx

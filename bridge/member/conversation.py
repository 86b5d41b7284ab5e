"""A member as its front end sees it: `bridge.conversation.Conversation` over the service."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from bridge.conversation import (
    Alarm,
    Answer,
    ConnectionShown,
    Notice,
    Request,
    RoomShown,
    Told,
)
from bridge.member import people
from bridge.member.happenings import decode_happening
from bridge.service.members import do, link
from transports.room import ConnectionState

if TYPE_CHECKING:
    from bridge.member.role import MemberRole
    from bridge.service.publishing import FailedEntry
    from bridge.service.service import Service
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
        self._fresh: deque[Told] = deque()
        """What was told last. It is in the store, and need not be read there by who keeps up."""
        self._older_through: int | None = None
        """The position before those of `_fresh`; `None` before anything was told."""
        self._states: dict[str, ConnectionShown] = {}
        self._is_closed = False
        self.at_hand = 0
        """How many happenings `happenings` has in hand, behind the one that it told last."""
        role.on_told = self._take

    @property
    def shown(self) -> RoomShown:
        own = self._role.account
        return RoomShown(self._role.room, self._room_name, own, people.name_of(own))

    async def begun(self) -> None:
        """Wait until the member has started. One that is in no group is told what it waits for."""
        await self._role.started()
        async with self._store.transaction() as tx:
            unread = await tx.inbox.unread(self._role.inbox, 1)
        waits_for = self._waits_for()
        if waits_for and not unread:  # what is unread says how it came to this
            self._pass(Told(Notice(waits_for), None))

    async def happenings(self) -> AsyncIterator[Told]:
        last = 0
        while True:
            self._rings.clear()
            while self._passing:
                yield self._passing.popleft()
            told, last = await self._after(last)
            for number, each in enumerate(told, 1):
                self.at_hand = len(told) - number
                yield each
            if told:
                continue
            if self._is_closed:
                return
            await self._rings.wait()

    async def acknowledge(self, position: int) -> None:
        async with self._store.transaction() as tx:
            await tx.inbox.acknowledge(self._role.inbox, position)

    async def do(self, request: Request) -> Answer:
        return await do(self._service, self._role, request, tuple(self._states.values()))

    def close(self) -> None:
        """Let `happenings` end, once everything stored is told."""
        self._is_closed = True
        self._rings.set()

    def connection_changed(self, network: str, state: ConnectionState) -> None:
        """Tell the front end how a connection stands."""
        shown = self._states[network] = link(network, state)
        self._pass(Told(shown, None))

    def account_stopped(self, name: str, problem: str) -> None:
        """Tell the front end that an account, by its name in the configuration, does not run any more."""
        self._pass(Told(Alarm(f"The account {name} has stopped: {problem}.", "Mend that, and start again."), None))

    def publishing_failed(self, failed: FailedEntry) -> None:
        """Tell the front end what could not be posted."""
        what = f"The room's server does not take something ({failed.entry.purpose}): {failed.reason}"
        again = "It is tried again. " if failed.is_held else ""
        advice = f"{again}Ask who runs the room; `mls-bridge check` tells what an account may do."
        self._pass(Told(Alarm(what, advice), None))

    def _waits_for(self) -> str:
        session = self._role.session
        if session.is_active:
            return ""
        if session.group is not None:
            return "You are not in the group any more. To be let in again: /join"
        if session.settings.create:
            return "There is no group here yet. It is founded once the bridge's sequencer has said hello in this room."
        return "You wait to be let into the group: a member has to agree, or their program does."

    async def _after(self, last: int) -> tuple[list[Told], int]:
        """Return what comes behind a position, and the position that one is at then."""
        older = self._older_through
        if older is not None and last >= older:
            fresh = [told for told in self._fresh if told.position is not None and told.position > last]
            return fresh, max([last, *(told.position or 0 for told in fresh)])
        async with self._store.transaction() as tx:
            unread = await tx.inbox.unread(self._role.inbox, _PAGE, after=last)
        last = max([last, *(position for position, *_ in unread)])
        if len(unread) < _PAGE:
            last = max(last, older or 0)
        return [Told(decode_happening(message), position) for position, _, message in unread], last

    def _take(self, told: Sequence[Told]) -> None:
        if self._older_through is None:
            self._older_through = (told[0].position or 0) - 1
        self._fresh.extend(told)
        while len(self._fresh) > _PAGE:
            self._older_through = self._fresh.popleft().position
        self._rings.set()

    def _pass(self, told: Told) -> None:
        self._passing.append(told)
        self._rings.set()

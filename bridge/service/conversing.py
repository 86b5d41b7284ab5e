"""A room's roles with a person, or a script, before the member."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bridge.config import Config
from bridge.config.models import LogFormat
from bridge.config.rooms import Room
from bridge.member.conversation import MemberConversation
from bridge.member.role import MemberRole
from bridge.observing.logs import set_up
from bridge.observing.metrics import Metrics
from bridge.observing.withholding import Shortener
from bridge.service.account import AccountRunner
from bridge.service.answering import answer
from bridge.service.attending import attend
from bridge.service.clock import SystemClock
from bridge.service.composing import Composition, open_store
from bridge.service.control import Control
from bridge.service.errors import AccountStoppedError
from bridge.service.process import stopping_on_signals
from bridge.service.publishing import FailedEntry
from bridge.service.service import Service
from bridge.store.member import MemberStore
from bridge.terminal.lines import run_lines
from bridge.terminal.screen import run_screen
from mls.crypto.random import system_random
from transports.room import ConnectionState, JoinedRoom

__all__ = ["converse"]


async def converse(config: Config, name: str, key: bytes, *, json: bool, create: bool, log: Path | None) -> None:
    """Run one room's roles until the person or the script ends it, or a signal does.

    Raises `SecretError`, `StoreError`, `ServiceError`, `TransportError`, and what ends the front end.
    """
    only = _only(config, name, create=create)
    with ExitStack() as files:
        # The terminal is the person's: logs would tear it, so they go to a file, or nowhere.
        stream = files.enter_context((Path(os.devnull) if log is None else log).open("a", encoding="utf-8"))
        form = LogFormat.JSON if only.log.format is LogFormat.AUTO else only.log.format
        set_up(only.log.model_copy(update={"format": form}), Shortener(system_random(32)), stream=stream)
        store = await open_store(only, key, SystemClock())
        try:
            if isinstance(store, MemberStore):  # always so, where there is a member
                await _Chat(only, name, store).run(json=json)
        finally:
            await store.close()


class _Chat:
    """One room's service, and the conversation with its member once the room is joined."""

    def __init__(self, config: Config, name: str, store: MemberStore) -> None:
        clock, metrics = SystemClock(), Metrics()
        self._name = name
        self._room = config.rooms[name]
        self._store = store
        self._service = Service(store, clock=clock, random=system_random, metrics=metrics)
        self._composition = Composition(
            config, self._service, store, clock=clock, random=system_random, metrics=metrics
        )
        self._composition.on_member = self._introduce
        self._control = Control(store.path, partial(answer, self._composition))
        self._ready: asyncio.Future[MemberConversation] = asyncio.get_running_loop().create_future()
        self._stopped = asyncio.Event()

    async def run(self, *, json: bool) -> None:
        await self._composition.add_accounts()
        for account in self._composition.accounts.values():
            account.on_state = partial(_say_state, account)
            _say_state(account, account.state)
        await self._control.start()
        running = asyncio.create_task(self._service.run())
        talking = asyncio.create_task(self._talk(running, json=json))
        stopped = asyncio.create_task(self._stopped.wait())
        with stopping_on_signals(self._stopped.set):
            try:
                await asyncio.wait({talking, stopped}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                # The front end ends first: what is asked of a service that ends is not done any more.
                self._control.close()
                stopped.cancel()
                talking.cancel()
                await asyncio.wait({talking})
                self._service.stop()
                await asyncio.wait({running})
                await self._control.stop()
        # Both are looked at: an error that nobody takes is logged when it is too late for logs.
        for outcome in await asyncio.gather(talking, running, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    async def _talk(self, running: asyncio.Task[None], *, json: bool) -> None:
        """Wait for the room, then run the front end until it ends, or the service does."""
        # What keeps an account out is raised: somebody waits at the terminal to know.
        for side in self._room.sides:
            await attend(self._composition.accounts[side.account].joined(side.room), running)
        roles = asyncio.create_task(self._composition.add_roles())
        try:
            await attend(roles, running)
            conversation = await attend(self._ready, running)
            await attend(conversation.begun(), running)
            running.add_done_callback(lambda _: conversation.close())
            await (run_lines(conversation) if json else run_screen(conversation))
            self._require_account()
        finally:
            roles.cancel()
            await asyncio.wait({roles})

    def _introduce(self, role: MemberRole, account: AccountRunner, joined: JoinedRoom) -> Callable[[FailedEntry], None]:
        conversation = MemberConversation(self._service, self._store, role, room_name=joined.name or self._name)
        for each in self._composition.accounts.values():
            each.on_state = lambda _: None
            each.on_stopped = partial(self._stopped_for_good, conversation, each)
            if each.problem is not None:
                self._stopped_for_good(conversation, each, each.problem)

        account.on_state = partial(conversation.connection_changed, account.network)
        account.on_state(account.state)
        self._ready.set_result(conversation)
        return conversation.publishing_failed

    def _stopped_for_good(self, conversation: MemberConversation, account: AccountRunner, problem: str) -> None:
        """Say that an account has stopped. Without the member's own there is nothing to talk over."""
        conversation.account_stopped(account.name, problem)
        if account is self._own_account:
            conversation.close()

    def _require_account(self) -> None:
        """Raise what has taken the conversation its account."""
        account = self._own_account
        if account.problem is not None:
            raise AccountStoppedError(account.name, account.problem)

    @property
    def _own_account(self) -> AccountRunner:
        if self._room.member is None:
            raise ValueError("there is no member in this room")
        return self._composition.accounts[self._room.member.account]


def _say_state(account: AccountRunner, state: ConnectionState) -> None:
    """Say how a connection stands while there is nothing else to see: standard output may be a script's."""
    sys.stderr.write(f"{account.network}: {state.value}\n")
    sys.stderr.flush()


def _only(config: Config, name: str, *, create: bool) -> Config:
    """Return the configuration of one room alone, whose group is founded where that is asked for."""
    room: Room = config.rooms[name]
    if create and room.member is not None:
        room = room.model_copy(update={"member": room.member.model_copy(update={"create": True})})
    return config.model_copy(update={"rooms": {name: room}})

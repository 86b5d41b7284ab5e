"""A room's roles with a person, or a script, before the member."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import ExitStack
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
from bridge.service.attending import attend
from bridge.service.clock import SystemClock
from bridge.service.composing import Composition, open_store
from bridge.service.process import stopping_on_signals
from bridge.service.publishing import FailedEntry
from bridge.service.service import Service
from bridge.store.member import MemberStore
from bridge.terminal.lines import run_lines
from bridge.terminal.screen import run_screen
from mls.crypto.random import system_random
from transports.room import JoinedRoom

__all__ = ["converse"]


async def converse(config: Config, name: str, key: bytes, *, json: bool, create: bool, log: Path | None) -> None:
    """Run one room's roles until the person or the script ends it.

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
                await _run(only, name, store, json=json)
        finally:
            await store.close()


async def _run(config: Config, name: str, store: MemberStore, *, json: bool) -> None:
    clock, metrics = SystemClock(), Metrics()
    service = Service(store, clock=clock, random=system_random, metrics=metrics)
    composition = Composition(config, service, store, clock=clock, random=system_random, metrics=metrics)
    ready: asyncio.Future[MemberConversation] = asyncio.get_running_loop().create_future()

    def introduce(role: MemberRole, account: AccountRunner, joined: JoinedRoom) -> Callable[[FailedEntry], None]:
        conversation = MemberConversation(service, store, role, room_name=joined.name or name)
        account.on_state = lambda state: conversation.connection_changed(account.network, state)
        account.on_state(account.state)
        ready.set_result(conversation)
        return conversation.publishing_failed

    composition.on_member = introduce
    await composition.add_accounts()
    running = asyncio.create_task(service.run())
    roles = asyncio.create_task(_add_roles(composition, config.rooms[name]))
    try:
        with stopping_on_signals(service.stop):
            await attend(roles, running)
            await _talk(await attend(ready, running), running, json=json)
    finally:
        roles.cancel()
        service.stop()
        await asyncio.wait([running, roles])
    await running


async def _add_roles(composition: Composition, room: Room) -> None:
    """Add the room's roles. Raises what keeps an account out: somebody waits at the terminal to know."""
    for side in room.sides:
        await composition.accounts[side.account].joined(side.room)
    await composition.add_roles()


async def _talk(conversation: MemberConversation, running: asyncio.Task[None], *, json: bool) -> None:
    """Run the front end until it ends, or the service does."""
    front = asyncio.create_task(run_lines(conversation) if json else run_screen(conversation))
    await asyncio.wait({front, running}, return_when=asyncio.FIRST_COMPLETED)
    conversation.close()
    if not front.done():
        front.cancel()
        await asyncio.wait({front})
    if not front.cancelled():
        front.result()


def _only(config: Config, name: str, *, create: bool) -> Config:
    """Return the configuration of one room alone, whose group is founded where that is asked for."""
    room: Room = config.rooms[name]
    if create and room.member is not None:
        room = room.model_copy(update={"member": room.member.model_copy(update={"create": True})})
    return config.model_copy(update={"rooms": {name: room}})

"""Programs of the simulated world: started, stopped and killed, each life on the files that the last one left."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bridge.config import Config
from bridge.config.accounts import Account as AccountSettings
from bridge.conversation import Answer, Request
from bridge.library import EncryptedRoom, open_room
from bridge.member.settings import MemberSettings
from bridge.observing.metrics import Metrics
from bridge.service.attending import attend
from bridge.service.composing import Composition, open_store
from bridge.service.service import Service
from bridge.store import StoreError
from bridge.store.errors import DiskFullError
from tests.simulation.clock import ProgramClock
from tests.simulation.inline import Disk
from tests.simulation.life import LIFE, Life
from tests.simulation.seeding import bytes_of
from transports.memory import MemoryTransport
from transports.room import Account, RoomAddress

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["BridgeProgram", "MemberProgram", "Program", "open_simulated_transport"]

Output = TypeVar("Output")


class Program:
    """One program on one machine."""

    def __init__(self, world: World, name: str, accounts: list[Account]) -> None:
        self.world = world
        self.name = name
        self.accounts = accounts
        self.folder = Path(world.folder, name)
        self.folder.mkdir()
        self.clock = ProgramClock(world.clock)
        self.life: Life | None = None
        self.lives = 0
        self.kills_itself_in: int | None = None
        self.has_full_disk = False
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started, and has not ended."""
        return self.life is not None and not self.life.is_over

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.is_running:
            return
        self.lives += 1
        disk = Disk(self.folder)
        self.life = life = Life(self.name, self.lives, disk)
        disk.on_death = lambda: self._bury(life)
        if self.has_full_disk:
            disk.fill()
        context = copy_context()
        context.run(LIFE.set, life)
        self._task = asyncio.get_running_loop().create_task(self._guarded(life), context=context)

    async def stop(self) -> None:
        """End it cleanly: as on a signal."""
        if self._task is not None and self.is_running:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def end_of(self, life: Life) -> None:
        """Wait until this run of it is over."""
        if self._task is not None and self.life is life:
            await asyncio.wait([self._task])

    def kill(self) -> None:
        """Let it die at once."""
        if self.life is not None and self.is_running:
            self.life.disk.die()

    def dies_at(self, calls: int) -> None:
        """Let it die at a database call to come."""
        if self.life is not None and self.is_running:
            self.life.disk.dies_in = calls

    def fill_disk(self) -> None:
        """Leave no room on its disk."""
        self.has_full_disk = True
        if self.life is not None and self.is_running:
            self.life.disk.fill()

    def clear_disk(self) -> None:
        """Make room again."""
        self.has_full_disk = False
        if self.life is not None and self.is_running:
            self.life.disk.clear()

    def within(self, work: Coroutine[Any, Any, Output]) -> asyncio.Task[Output]:
        """Do something as a part of this program, which ends when it does."""
        context = copy_context()
        if self.life is not None:
            context.run(LIFE.set, self.life)
        return asyncio.get_running_loop().create_task(work, context=context)

    async def _run(self, life: Life) -> None:
        raise NotImplementedError

    async def _guarded(self, life: Life) -> None:
        try:
            await self._run(life)
        except DiskFullError:
            self.world.watch.count("ended", "disk full")
        except Exception as error:  # noqa: BLE001 - whatever ended it, the run's verdict says so
            if not life.disk.is_dead:
                self.world.watch.program_failed(self.name, error)
        finally:
            life.is_over = True
            self._task = None if self.life is life else self._task
            for transport in life.transports:
                transport.abandon()

    def _bury(self, life: Life) -> None:
        life.is_over = True
        for transport in life.transports:
            transport.abandon()
        self.world.died(self, life)


class MemberProgram(Program):
    """A person's program: the library, with somebody who reads."""

    def __init__(self, world: World, name: str, account: Account, room: RoomAddress, settings: MemberSettings) -> None:
        super().__init__(world, name, [account])
        self.account = account
        self.address = room
        self.settings = settings
        self.room: EncryptedRoom | None = None

    @property
    def database(self) -> Path:
        """Where its store is."""
        return self.folder / "member.db"

    async def ask(self, request: Request) -> Answer | None:
        """Ask for something, as its person; `None` where it does not run. Raises `RequestRefusedError`."""
        room = self.room
        if room is None or not self.is_running or not room.role.has_started:
            return None
        asking = self.within(room.ask(request))
        await asyncio.wait([asking])
        if asking.cancelled():
            return None
        with suppress(StoreError):
            return asking.result()
        return None

    async def _run(self, life: Life) -> None:
        transport = open_transport(self.world, self.account)
        random = bytes_of(self.world.story.seed, self.name, life.number)
        try:
            async with open_room(
                transport,
                self.address,
                store=self.database,
                key=bytes(32),
                settings=self.settings,
                clock=self.clock,
                random=random,
            ) as opened:
                self.room = opened
                self.world.watch.opened(self, opened.role)
                async for told in opened.conversation.happenings():
                    self.world.told(self, told)
                    if told.position is not None and opened.conversation.at_hand == 0:
                        await opened.conversation.acknowledge(told.position)
        finally:
            if self.life is life:
                self.room = None


class BridgeProgram(Program):
    """`mls-bridge run`: relay and sequencer, as a configuration composes them."""

    def __init__(self, world: World, name: str, config: Config, accounts: list[Account]) -> None:
        super().__init__(world, name, accounts)
        self._config = config.model_copy(
            update={"store": config.store.model_copy(update={"path": self.folder / "bridge.db"})}
        )

    async def _run(self, life: Life) -> None:
        random = bytes_of(self.world.story.seed, self.name, life.number)
        metrics = Metrics()
        store = await open_store(self._config, bytes(32), self.clock)
        try:
            service = Service(store, clock=self.clock, random=random, metrics=metrics)
            composition = Composition(self._config, service, store, clock=self.clock, random=random, metrics=metrics)
            await composition.add_accounts()
            running = asyncio.create_task(service.run())
            try:
                await attend(composition.add_roles(), running)
                await asyncio.wait([running])
            finally:
                service.stop()
                await running
        finally:
            await store.close()


def open_transport(world: World, account: Account) -> MemoryTransport:
    """Return a transport that ends with the life of the program that runs."""
    transport = world.network.transport(account)
    LIFE.get().transports.append(transport)
    return transport


def open_simulated_transport(world: World, settings: AccountSettings, **_: object) -> MemoryTransport:
    """Stand where the bridge opens a transport by its configuration."""
    return open_transport(world, world.account_of(settings))

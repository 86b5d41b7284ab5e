"""A table whose members have databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bridge.member import storing
from bridge.member.state import Session
from bridge.member.step import Step
from bridge.member.storing import Names
from bridge.store import StoreKey
from bridge.store.member import MemberStore
from tests.bridge.member.table import Seat, Table


class StoredTable(Table):
    """A table at which everybody has a database; and, if they are to, falls asleep after each step."""

    def __init__(self, folder: Path, runner: asyncio.Runner, *, forgets: bool = True) -> None:
        """`forgets`: whether they remember what is in the database alone, after each step."""
        super().__init__()
        self._forgets = forgets
        self._folder = folder
        self._runner = runner
        self._stores: dict[str, MemberStore] = {}

    def finish(self, seat: Seat, step: Step) -> None:
        self._runner.run(self._write(seat, step))
        super().finish(seat, step)
        if self._forgets:
            seat.session = self._runner.run(self._read(seat.session))

    async def close(self) -> None:
        for store in self._stores.values():
            await store.close()

    async def _write(self, seat: Seat, step: Step) -> None:
        session = seat.session
        if session.account not in self._stores:
            path = self._folder / f"{len(self._stores)}.db"
            self._stores[session.account] = await MemberStore.open(path, StoreKey(bytes(32)), now=self.now)
            async with self._stores[session.account].transaction() as tx:
                await storing.save_client(tx, session.identity, session.client)
        async with self._stores[session.account].transaction() as tx:
            await storing.save(tx, Names(session.account), session, step)

    async def _read(self, session: Session) -> Session:
        names = Names(session.account)
        async with self._stores[session.account].transaction() as tx:
            return await storing.load(tx, names, session.account, session.room, session.settings, self.random)

"""The bridge and the people of a campaign: three who talk all the time, and one who comes and goes."""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from bridge.servers import SynapseServer, XmppServer
from tests.whole.killing.ledger import Ledger
from tests.whole.killing.program import Program
from tests.whole.killing.talker import Talker
from tests.whole.scene import Scene, linked_rooms

__all__ = ["DATABASE", "VISITOR", "Stage", "set_stage"]

DATABASE: Final = "mls-bridge.db"
VISITOR: Final = "dave"
UPDATE_MESSAGES: Final = 20
"""After how many messages a member refreshes its keys: there is a Commit every few seconds."""


class Stage:
    """Everything that runs, and can be killed."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.ledger = Ledger()
        self.talkers = {name: self._talker(scene, name, seed) for name in ("alice", "bob", "carol", VISITOR)}
        self._bridge_config = scene.bridge_config()
        self._bridge: Program | None = None

    @property
    def present(self) -> list[Talker]:
        """Who is in the group."""
        return [talker for talker in self.talkers.values() if talker.name in self.ledger.audience]

    @property
    def databases(self) -> dict[str, Path]:
        """Where everybody's state is."""
        configs = {"bridge": self._bridge_config, **{talker.name: talker.config for talker in self.talkers.values()}}
        return {name: config.parent / DATABASE for name, config in configs.items()}

    async def kill(self, victim: str) -> None:
        """SIGKILL."""
        if victim != "bridge":
            await self.talkers[victim].kill()
        elif self._bridge is not None:
            await self._bridge.kill()

    async def start(self, victim: str) -> None:
        """Start what was killed, or never ran."""
        if victim == "bridge":
            self._bridge = await Program.start(self._bridge_config)
        else:
            await self.talkers[victim].start()

    async def stop(self) -> None:
        """End everything, cleanly."""
        for talker in self.talkers.values():
            await talker.stop()
        if self._bridge is not None:
            await self._bridge.stop()

    async def begin(self) -> None:
        """Let Alice found the group, and bring in Bob and Carol."""
        alice, bob, carol = (self.talkers[name] for name in ("alice", "bob", "carol"))
        await self.start("bridge")
        await alice.start("--create")
        await bob.start()
        await carol.start()
        asked = await alice.until_told("asked", account=carol.account)
        await alice.ask("confirm", account=carol.account, digits=asked["digits"])
        for talker in (alice, bob, carol):
            await talker.until_told("epoch", members=3)
        self.ledger.audience = frozenset({"alice", "bob", "carol"})

    def _talker(self, scene: Scene, name: str, seed: int) -> Talker:
        rooms = _with_updates(scene, name)
        config = scene.person_config(name, rooms=rooms)
        return Talker(name, scene.account(name), config, self.ledger, random.Random(f"{seed} {name}"))


def _with_updates(scene: Scene, name: str) -> dict[str, Any]:
    room = scene.matrix.room_id if name in scene.matrix.ids else scene.muc
    member = {"account": "me", "updates": {"messages": UPDATE_MESSAGES}}
    return {"tea": {"sides": [{"account": "me", "room": room}], "member": member}}


@asynccontextmanager
async def set_stage(folder: Path, synapse: SynapseServer, prosody: XmppServer, seed: int) -> AsyncIterator[Stage]:
    """Make accounts, the two rooms and the group. Stops everything at the end."""
    shutil.rmtree(folder / "scratch", ignore_errors=True)
    async with linked_rooms(folder, synapse, prosody, matrix=("alice", "bob", VISITOR), muc=("carol",)) as scene:
        stage = Stage(scene, seed)
        try:
            await stage.begin()
            yield stage
        finally:
            await stage.stop()

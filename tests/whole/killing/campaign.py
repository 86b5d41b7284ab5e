"""A campaign: people talk, processes die, and at the end everybody's account of it is compared.

Moments are drawn from a seed. Which of them hit something half-done is seen from the dead process's database; where
fewer do than shall, the next kill comes right behind a burst of messages. Between some kills somebody is let in and
removed again, and the kill falls into that; nobody talks meanwhile, so that it is clear who is to be told what.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from tests.whole.killing.evidence import gather
from tests.whole.killing.judging import deliveries, faults_of, missing
from tests.whole.killing.program import Refused
from tests.whole.killing.stage import VISITOR, Stage
from tests.whole.killing.talker import PATIENCE, Lagging, Talker
from tests.whole.killing.tracing import trace
from tests.whole.scene import KEY

__all__ = ["Campaign", "Figures", "Target"]

ENOUGH: Final = 0.6
"""The share of kills that shall hit something half-done, at least: a little more than is asked for."""
CHANGES_EVERY: Final = 5
"""Each so many kills one falls into a change of the group."""
BURST: Final = 3
CALM: Final = 3
"""How often in a row all must be found arrived."""
MAX_TRACED: Final = 5


class Target(Enum):
    """What is killed."""

    BRIDGE = "bridge"
    MEMBER = "member"


@dataclass
class Figures:
    """What a campaign was."""

    kills: int = 0
    half_done: int = 0
    changes: int = 0
    """Somebody let in, or removed."""
    epochs: int = 0
    messages: int = 0
    unanswered: int = 0
    """Messages that were stored although their sender died before it answered."""
    deliveries: int = 0
    told_again: int = 0
    seconds: float = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.half_done} of them with an unsettled row of the outbox or a half-done step; "
            f"{self.changes} changes of members, {self.epochs} epochs; {self.messages} messages "
            f"({self.unanswered} of them stored by a program that died before it said so), "
            f"{self.deliveries} deliveries ({self.told_again} told again under the same position); "
            f"{self.seconds:.0f} s; {len(self.faults)} faults"
        )


class Campaign:
    """Kills one kind of process again and again."""

    def __init__(
        self, stage: Stage, target: Target, *, kills: int, seed: int, scratch: Path, say: Callable[[str], None]
    ) -> None:
        self._stage = stage
        self._target = target
        self._kills = kills
        self._scratch = scratch
        self._say = say
        self._rng = random.Random(f"{seed} kills")
        self._figures = Figures()
        self._is_open = True
        """Whether people talk."""

    async def run(self) -> Figures:
        """Run it to the end. What went wrong stands in the figures."""
        began = time.monotonic()
        talkers = self._stage.talkers.values()
        chats = [asyncio.create_task(talker.chat(lambda: self._is_open)) for talker in talkers]
        try:
            for number in range(self._kills):
                await (self._change() if number % CHANGES_EVERY == CHANGES_EVERY - 1 else self._kill_while_talking())
                if self._rng.random() < 0.8:  # else the next kill comes while it starts
                    await self._cross()
            await self._quiet()
            await self._compare()
        except Lagging as error:
            self._figures.faults.append(str(error))
        finally:
            for chat in chats:
                chat.cancel()
            await asyncio.wait(chats)
        await self._judge()
        self._figures.seconds = time.monotonic() - began
        return self._figures

    # Kills.

    async def _kill_while_talking(self) -> None:
        victim = self._victim()
        if self._needs_hits or self._rng.random() < 0.5:
            await self._burst(victim)
        else:
            await asyncio.sleep(self._rng.uniform(0.1, 1.5))
        await self._kill(victim)

    async def _burst(self, victim: str) -> None:
        """Let there be much to do, and wait until a part of it may be done."""
        if victim == "bridge":
            for talker in self._stage.present:
                if talker.is_live:
                    for _ in range(BURST):
                        talker.say()
            await asyncio.sleep(self._rng.uniform(0.05, 0.4))
            return
        talker = self._stage.talkers[victim]
        answers = [talker.say() for _ in range(BURST)]
        # Until a random one of them is stored: the one behind it may be half-done.
        await asyncio.wait([answers[self._rng.randrange(BURST)]], timeout=PATIENCE)
        await asyncio.sleep(self._rng.choice([0, self._rng.uniform(0, 0.05)]))

    async def _kill(self, victim: str) -> None:
        await self._stage.kill(victim)
        evidence = await gather(self._stage.databases[victim], KEY, self._scratch)
        figures = self._figures
        figures.kills += 1
        figures.half_done += evidence.is_half_done
        self._say(f"kill {figures.kills} of {self._kills}, {victim}: {evidence}")
        await asyncio.sleep(self._rng.choice([0, 0, self._rng.uniform(0, 2)]))
        await self._stage.start(victim)

    def _victim(self) -> str:
        if self._target is Target.BRIDGE:
            return "bridge"
        return self._rng.choice([talker.name for talker in self._stage.present])

    @property
    def _needs_hits(self) -> bool:
        return self._figures.half_done < ENOUGH * (self._figures.kills + 1)

    # Changes of the group.

    async def _change(self) -> None:
        """Let the visitor in, or remove them, with a kill in the middle."""
        await self._quiet()
        await (self._remove() if self._is_in(VISITOR) else self._let_in())
        self._figures.changes += 1
        self._is_open = True

    async def _let_in(self) -> None:
        alice, visitor, insiders = self._stage.talkers["alice"], self._stage.talkers[VISITOR], self._stage.present
        marks = {name: talker.last for name, talker in self._stage.talkers.items()}
        victim = self._rng.choice([self._victim(), VISITOR]) if self._target is Target.MEMBER else "bridge"
        await visitor.start()
        coming = asyncio.create_task(_come(alice, visitor, marks) if visitor.last else visitor.until_told("joined"))
        await asyncio.sleep(self._rng.uniform(0.5, 3.0))
        await self._kill(victim)
        await coming
        await visitor.until_told("joined", after=marks[VISITOR])
        for talker in insiders:
            await talker.until_told("member_came", after=marks[talker.name], account=visitor.account)
        self._stage.ledger.audience |= {VISITOR}

    async def _remove(self) -> None:
        alice, visitor = self._stage.talkers["alice"], self._stage.talkers[VISITOR]
        others = [talker for talker in self._stage.present if talker is not visitor]
        marks = {talker.name: talker.last for talker in self._stage.present}
        victim = self._victim()
        asking = asyncio.create_task(_remove_by(alice, visitor.account))
        await asyncio.sleep(self._rng.uniform(0, 0.3))
        await self._kill(victim)
        await asking
        for talker in others:
            await talker.until_told("member_went", after=marks[talker.name], account=visitor.account)
        await visitor.until_told("removed", after=marks[VISITOR])
        self._stage.ledger.audience -= {VISITOR}
        await visitor.stop()

    def _is_in(self, name: str) -> bool:
        return name in self._stage.ledger.audience

    # What must come about.

    async def _cross(self) -> None:
        """Wait until somebody on the other network has been told something new: all is at work again."""
        for speaker, listener in (("alice", "carol"), ("carol", "bob")):
            said = await self._stage.talkers[speaker].say_surely()
            await self._stage.talkers[listener].until_heard(said)

    async def _quiet(self) -> None:
        """Let nobody talk, and wait until everything has arrived."""
        self._is_open = False
        present = self._stage.present
        for talker in present:
            await talker.until_live()
        limit = time.monotonic() + PATIENCE
        calm = 0
        while calm < CALM:  # what is told again after a kill may name messages that nobody has heard of
            waiting = [talker for talker in present if (await talker.ask("status"))["waiting"]]
            lost = missing(self._stage.ledger, present)
            calm = 0 if lost or waiting else calm + 1
            if time.monotonic() > limit:
                names = [f"{message.text or message.id} for {talker.name}" for message, talker in lost[:MAX_TRACED]]
                raise Lagging(f"not everything arrived: {names}; still to send: {[each.name for each in waiting]}")
            await asyncio.sleep(0.1)

    async def _compare(self) -> None:
        """Hold everybody's group against everybody else's, once all Commits are through."""
        limit = time.monotonic() + PATIENCE
        while True:
            shown = [(talker.name, await talker.ask("status")) for talker in self._stage.present]
            standings = {(status["epoch"], status["digits"], status["held"]) for _, status in shown}
            epoch, _, held = min(standings)
            if len(standings) == 1 and not held:
                self._figures.epochs = epoch
                return
            if time.monotonic() > limit:
                raise Lagging(f"the group has come apart, or is held: {[(n, s['epoch'], s['held']) for n, s in shown]}")
            await asyncio.sleep(0.2)

    async def _judge(self) -> None:
        figures, stage = self._figures, self._stage
        talkers = list(stage.talkers.values())
        await stage.stop()
        figures.messages = len(stage.ledger.messages)
        figures.unanswered = sum(message.text is None for message in stage.ledger.messages.values())
        figures.deliveries = deliveries(talkers)
        figures.told_again = sum(talker.told_again for talker in talkers)
        figures.faults += faults_of(stage.ledger, talkers)
        lost = {message.id: message for message, _ in missing(stage.ledger, talkers)}
        for message in list(lost.values())[:MAX_TRACED]:
            number = self._place(message.id, stage.talkers[message.sender])
            others = {name: path for name, path in stage.databases.items() if path.exists()}
            own = others.pop(message.sender)
            found = trace(number, own, others, self._scratch)
            figures.faults += [f"  {message.text or message.id}: {line}" for line in found]

    def _place(self, identifier: str, sender: Talker) -> int:
        """Return which of its sender's messages this is, in the order in which they were stored."""
        stored = [
            line["id"] for line in sender.told.values() if line["type"] == "delivery" and line["state"] == "waiting"
        ]
        return stored.index(identifier) if identifier in stored else len(stored)


async def _come(alice: Talker, visitor: Talker, marks: dict[str, int]) -> None:
    """Ask to be let in again. Who was removed comes back by a person's decision alone."""
    with contextlib.suppress(Refused):  # asked again after a kill, they may be in already
        await visitor.ask("join")
    await alice.until_told("asked", after=marks[alice.name], account=visitor.account)
    with contextlib.suppress(Refused):
        await alice.ask("add", account=visitor.account)


async def _remove_by(alice: Talker, account: str) -> None:
    with contextlib.suppress(Refused):  # asked again after a kill, it may be done already
        await alice.ask("remove", account=account)

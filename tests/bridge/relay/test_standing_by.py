"""The way of copies, whatever it waits for: other relays come and go, rooms are read late, processes end.

What one sender posts is handed over in its order, and all of it. The way is driven by itself, over records in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.order.lanes import ByteQuota
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import identity_of, open_envelope
from bridge.relay.decisions import Copy
from bridge.relay.pending import Pending
from bridge.relay.settings import Side
from bridge.relay.turns import LEFT_OUT, STAND_BY, Turns
from bridge.relay.way import Way, WayStep
from bridge.store import OutboxEntry, Transaction
from tests.bridge.relay.world import message
from transports.room import Account, RelayNote, RoomAddress

pytestmark = pytest.mark.asyncio

A, B = RoomAddress("memory:a"), RoomAddress("memory:b")
ALICE, US = Account("memory:alice"), Account("memory:us")
HERE, THERE = Turns(A, US), Side(US, B)

OTHERS: Final = [
    other
    for other in (Account(f"memory:relay{number}") for number in range(20))
    if HERE.meet(other, frozenset({A, B})).wait(B, 0)
][:2]
"""Other relays, whose turn is before ours."""


@dataclass
class Records:
    """A store's, as far as a way needs it."""

    kept: dict[tuple[str, bytes], bytes] = field(default_factory=dict)

    async def get(self, space: str, key: bytes) -> bytes | None:
        return self.kept.get((space, key))

    async def put(self, space: str, key: bytes, value: bytes) -> None:
        self.kept[space, key] = value

    async def delete(self, space: str, key: bytes) -> None:
        self.kept.pop((space, key), None)


@dataclass
class Seen:
    """What stands in the other room."""

    identities: set[bytes] = field(default_factory=set)

    async def contains(self, _scope: str, identity: bytes) -> bool:
        return identity in self.identities


@dataclass
class Outbox:
    """What was handed over, in its order."""

    entries: list[OutboxEntry] = field(default_factory=list)

    async def add(self, entry: OutboxEntry) -> None:
        self.entries.append(entry)

    async def contains(self, account: Account, transaction: str) -> bool:
        return await self.get(account, transaction) is not None

    async def get(self, _account: Account, transaction: str) -> OutboxEntry | None:
        return next((entry for entry in self.entries if entry.transaction == transaction), None)


@dataclass
class Database:
    """What outlives a process."""

    records: Records = field(default_factory=Records)
    seen: Seen = field(default_factory=Seen)
    outbox: Outbox = field(default_factory=Outbox)


class OneWay:
    """The way from one room to the other, as a relay drives it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000
        self.is_live = True
        self.posted: list[bytes] = []
        self.turns = HERE
        self._database = Database()
        self._way = self._new()

    async def post(self) -> None:
        """Let Alice say something."""
        data = message(EnvelopeKind.APPLICATION, b"%d" % len(self.posted))
        self.posted.append(data)
        copy = Copy(data, RelayNote(A, ALICE, "event", 0), ALICE, (THERE,))
        step = self._step()
        await step.send(Pending.of(copy), wait=self.turns.wait(B, self.now))
        await self._finish(step)

    async def wait(self, milliseconds: int) -> None:
        """Let time pass, and do what is due then."""
        self.now += milliseconds
        await self._finish(self._step())

    async def read(self, *, is_live: bool) -> None:
        """Let the other room be read, or not yet."""
        self.is_live = is_live

    async def meet(self, other: Account) -> None:
        """Let another relay say that it links the rooms."""
        self.turns = self.turns.meet(other, frozenset({A, B}))

    async def copied(self, number: int) -> None:
        """Let another relay have copied one of the envelopes; it is waited for again then."""
        if self.posted:
            self._database.seen.identities.add(identity_of(self.posted[number % len(self.posted)]))
            self.turns = self.turns.returned(B)

    async def restart(self) -> None:
        """End the process, and start it: what it has learned of others' silence is gone."""
        self.turns = Turns(A, US, self.turns.relays)
        self._way = self._new()
        await self._way.load(cast("Transaction", self._database))
        await self._finish(self._step())

    async def settle(self) -> None:
        """Let all come that is due, however late."""
        self.is_live = True
        for _ in range(20):
            await self.wait(2 * len(OTHERS) * STAND_BY)

    @property
    def handed_over(self) -> list[bytes]:
        """What was handed over, in its order."""
        return [entry.envelope for entry in self._database.outbox.entries]

    @property
    def missing(self) -> list[bytes]:
        """What is on neither side's way."""
        known = self._database.seen.identities | {identity_of(data) for data in self.handed_over}
        return [data for data in self.posted if identity_of(data) not in known]

    def _new(self) -> Way:
        return Way("relay", THERE, ByteQuota(per_minute=1 << 30), lambda _: self.is_live, lambda _: False)

    def _step(self) -> WayStep:
        return self._way.step(cast("Transaction", self._database), self.now)

    async def _finish(self, step: WayStep) -> None:
        self.turns = await step.finish(self.turns)
        step.after_commit()


Action: TypeAlias = tuple[str, int]

POST, READ, UNREAD, MEET, RESTART = ("post", 0), ("read", 1), ("read", 0), ("meet", 0), ("restart", 0)


async def act(way: OneWay, action: Action) -> None:
    match action:
        case "post", _:
            await way.post()
        case "wait", milliseconds:
            await way.wait(milliseconds)
        case "read", is_live:
            await way.read(is_live=bool(is_live))
        case "meet", number:
            await way.meet(OTHERS[number])
        case "copied", number:
            await way.copied(number)
        case _:
            await way.restart()


actions = st.one_of(
    st.just(POST),
    st.tuples(st.just("wait"), st.sampled_from([1, STAND_BY - 1, STAND_BY, 2 * STAND_BY, LEFT_OUT])),
    st.tuples(st.just("read"), st.integers(0, 1)),
    st.tuples(st.just("meet"), st.integers(0, len(OTHERS) - 1)),
    st.tuples(st.just("copied"), st.integers(0, 9)),
    st.just(RESTART),
)


@given(st.lists(actions, max_size=30))
@example([UNREAD, POST, MEET, POST, ("wait", STAND_BY)]).via("the room is read once the second one has stood by")
@example([MEET, POST, ("wait", STAND_BY), UNREAD, POST, RESTART, POST, ("wait", STAND_BY), READ]).via(
    "the end of the process takes what was learned of the other relay's silence"
)
@example([UNREAD, POST, MEET, POST, ("wait", STAND_BY - 1), READ]).via("the second one has not quite stood by")
async def test_envelopes_of_one_sender_keep_their_order_on_the_way(run: list[Action]) -> None:
    way = OneWay()
    for action in run:
        await act(way, action)
    await way.settle()

    numbers = [int(open_envelope(data).body) for data in way.handed_over]
    assert numbers == sorted(set(numbers))
    assert way.missing == []


async def test_what_was_held_before_another_relay_was_known_stands_by_too() -> None:
    way = OneWay()
    await way.read(is_live=False)
    await way.post()
    await way.meet(OTHERS[0])
    await way.read(is_live=True)
    await way.wait(1)
    assert way.handed_over == []
    await way.wait(STAND_BY - 1)
    assert way.handed_over == []
    await way.wait(1)

    assert way.handed_over == way.posted

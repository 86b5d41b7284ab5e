"""The judge of a campaign sees what goes wrong: nothing passes because nobody looked."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.whole.killing.judging import deliveries, faults_of, missing
from tests.whole.killing.ledger import Ledger
from tests.whole.killing.talker import Talker

pytestmark = pytest.mark.asyncio

ALL = frozenset({"alice", "bob", "carol"})


def told(ledger: Ledger, name: str, *lines: dict[str, object]) -> Talker:
    talker = Talker(name, f"xmpp:{name}@localhost", Path(), ledger, random.Random(1))
    for line in lines:
        talker._take(dict(line))
    return talker


def message(position: int, text: str, identifier: str | None = None) -> dict[str, object]:
    return {"type": "message", "id": identifier or text, "text": text, "position": position}


def delivery(position: int, identifier: str, state: str) -> dict[str, object]:
    return {"type": "delivery", "id": identifier, "state": state, "position": position}


def said(ledger: Ledger, *texts: str) -> Talker:
    """Alice, who said these; the last stored by a program that died before it answered."""
    for text in texts[:-1]:
        ledger.answered(text, "alice", text, ALL)
    lines = [delivery(2 * at + n, text, state) for at, text in enumerate(texts) for n, state in _STATES]
    return told(ledger, "alice", *lines)


_STATES = ((1, "waiting"), (2, "sent"))


@pytest.mark.parametrize(
    "lines,expected",
    [
        ([message(1, "alice 1"), message(2, "alice 2")], []),
        ([message(1, "alice 1"), message(2, "alice 2"), message(2, "alice 2")], []),
        ([message(1, "alice 1")], ["lost: alice 2"]),
        ([message(1, "alice 1"), message(2, "alice 2"), message(3, "alice 2")], ["doubled", "at positions [2, 3]"]),
        ([message(1, "alice 1"), message(2, "alice 2"), message(3, "alice 2", "x")], ["nobody has stored", "2 ids"]),
        ([message(1, "alice 2"), message(2, "alice 1")], ["out of order"]),
        ([message(1, "alice 1"), message(1, "alice 2")], ["two things at position 1", "lost: alice 2"]),
        ([message(2, "alice 1"), message(1, "alice 2")], ["position 1 after 2"]),
        ([message(1, "alice 1"), message(2, "alice 3", "alice 2")], []),
        ([message(1, "alice 3", "alice 1"), message(4, "alice 2")], ["where alice said 'alice 1'", "out of order"]),
    ],
)
async def test_what_one_is_told_is_held_against_what_was_said(
    lines: Sequence[dict[str, object]], expected: Sequence[str]
) -> None:
    ledger = Ledger(ALL)
    alice = said(ledger, "alice 1", "alice 2")
    carol = told(ledger, "carol", message(1, "alice 1"), message(2, "alice 2"))
    bob = told(ledger, "bob", *lines)
    faults = list(faults_of(ledger, [alice, bob, carol]))
    assert bool(faults) == bool(expected), faults
    for part in expected:
        assert any(part in fault for fault in faults), faults


async def test_who_is_not_in_the_audience_is_not_missed_and_may_not_be_told() -> None:
    ledger = Ledger(frozenset({"alice", "bob"}))
    alice = told(ledger, "alice", delivery(1, "alice 1", "waiting"), delivery(2, "alice 1", "sent"))
    bob, carol = told(ledger, "bob", message(1, "alice 1")), told(ledger, "carol")
    assert missing(ledger, [alice, bob, carol]) == []
    assert deliveries([alice, bob, carol]) == 1
    assert list(faults_of(ledger, [alice, bob, carol])) == []
    eve = told(ledger, "carol", message(1, "alice 1"))
    assert list(faults_of(ledger, [alice, bob, eve])) == ["carol was told 'alice 1', which was not for them"]


async def test_a_message_that_its_sender_never_sees_in_the_room_is_a_fault() -> None:
    ledger = Ledger(frozenset({"alice"}))
    alice = told(ledger, "alice", delivery(1, "alice 1", "waiting"))
    assert list(faults_of(ledger, [alice])) == ["alice was not told that alice 1 stands in the room"]


async def test_an_alarm_is_a_fault() -> None:
    alice = told(Ledger(), "alice", {"type": "alarm", "what": "Stopped", "next_step": "", "position": 1})
    assert alice.faults == ["alice was told an alarm: Stopped"]

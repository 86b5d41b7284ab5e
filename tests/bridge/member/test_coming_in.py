"""Coming into a room where much has been said already."""

from __future__ import annotations

import pytest

from bridge.conversation import Joined, Notice, Say
from bridge.member import talking
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import open_envelope
from tests.bridge.member.table import Table
from tests.bridge.member.test_groups import texts, three
from transports.room import EnvelopeSeen, RoomEvent


def come_in(table: Table, *, told_late: bool) -> None:
    """Let Dave ask; with `told_late`, Alice says something when he is in and has not had the Welcome yet."""
    dave = table.seats["dave"]
    dave.deaf = told_late
    table.ask("dave")
    table.pass_time(4_000)
    if told_late:
        table.do("alice", Say("Welcome!"))
        welcomes = [event for event in dave.missed if _kind(event) == EnvelopeKind.WELCOME]
        dave.missed = [event for event in dave.missed if event not in welcomes] + welcomes
        table.listen("dave")
    assert dave.heard(Joined)


def test_what_was_said_before_is_passed_over_in_silence() -> None:
    table = three()
    dave = table.sit_down("dave")
    for number in range(5):
        table.do("alice", Say(str(number)))
    come_in(table, told_late=False)
    assert not any(isinstance(item, Notice) and "cannot be opened" in item.text for item in dave.told)
    assert not any(held.kind == EnvelopeKind.APPLICATION for held in dave.session.held.values())


def test_what_is_said_before_the_welcome_comes_is_read_however_much_was_said_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(talking, "_MAX_EARLY", 4)
    table = three()
    table.sit_down("dave")
    for number in range(9):
        table.do("alice", Say(str(number)))
    come_in(table, told_late=True)
    assert texts(table, "dave") == ["Welcome!"]


def _kind(event: RoomEvent) -> int | None:
    return open_envelope(event.envelope).kind if isinstance(event, EnvelopeSeen) else None

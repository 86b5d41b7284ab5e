"""Where the room is the order: coming back works the same, and what the room has lost nobody can know for certain."""

from __future__ import annotations

from bridge.conversation import Resync, Say
from bridge.protocol.code_points import Mode
from tests.bridge.member.table import MATRIX, Table
from tests.bridge.member.test_returning import alarms, bring_back, lose
from tests.bridge.member.test_settling import everybody_talks, update


def in_mode_room() -> Table:
    table = Table(rooms=(MATRIX,))
    table.is_sealing = False
    table.sit_down("alice", create=True, mode=Mode.ROOM)
    for name in ("bob", "carol"):
        table.sit_down(name)
    table.hello()
    table.pass_time(0)
    for name in ("bob", "carol"):
        table.ask(name)
        table.pass_time(10_000)
    return table


def test_in_mode_room_the_same() -> None:
    table = in_mode_room()
    lose(table, "carol")
    bring_back(table)
    assert table.seats["carol"].session.is_active
    everybody_talks(table, "alice", "bob", "carol")


def test_in_mode_room_people_are_told_that_a_commit_may_be_lost_and_can_mend_it() -> None:
    table = in_mode_room()
    carol = table.seats["carol"]
    carol.deaf = True
    update(table, "alice")
    carol.missed.clear()
    carol.deaf = False
    table.do("bob", Say("Tea?"))
    table.pass_time(1_000)
    assert not alarms(table, "carol")
    for _ in range(20):
        table.pass_time(10_000)
    assert ["an epoch that this program does not know" in alarm for alarm in alarms(table, "carol")] == [True]
    table.do("carol", Resync())
    bring_back(table)
    everybody_talks(table, "alice", "bob", "carol")
    table.pass_time(2 * 3_600_000)
    assert len(alarms(table, "carol")) == 1

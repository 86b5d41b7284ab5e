"""A member that is read back from its database after every single step behaves as one that never stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.conversation import Add, Join, Leave, Remove, Say
from tests.bridge.member.stored_table import StoredTable
from tests.bridge.member.table import XMPP
from tests.bridge.member.test_groups import introduce, texts
from tests.bridge.member.test_settling import update
from tests.mls.spoiling import spoiling


@pytest.fixture
def table(tmp_path: Path) -> Iterator[StoredTable]:
    with asyncio.Runner() as runner:
        made = StoredTable(tmp_path, runner)
        try:
            yield made
        finally:
            runner.run(made.close())


def sit_down(table: StoredTable) -> None:
    table.sit_down("alice", create=True)
    table.sit_down("bob")
    table.sit_down("carol", XMPP)
    introduce(table)


def test_a_whole_life_from_the_database(table: StoredTable) -> None:
    sit_down(table)
    table.do("alice", Say("Tea?"))
    table.do("carol", Say("Yes."))
    assert texts(table, "carol") == ["Tea?"]
    assert texts(table, "bob") == ["Tea?", "Yes."]
    table.seats["carol"].deaf = True
    for number in range(5):
        table.do("bob", Say(f"{number}"))
    table.do("alice", Remove("bob"))
    table.do("alice", Say("The end."))
    table.listen("carol")
    assert texts(table, "carol") == ["Tea?", *(f"{number}" for number in range(5)), "The end."]
    assert len(table.epochs()) == 1
    table.do("carol", Leave())
    table.pass_time(10_000)
    assert [name for name, seat in table.seats.items() if seat.session.is_active] == ["alice"]


def test_who_was_removed_comes_back_into_a_new_state(table: StoredTable) -> None:
    sit_down(table)
    table.do("alice", Remove("bob"))
    table.do("bob", Join())
    table.do("alice", Add("bob"))
    table.do("alice", Say("Again."))
    assert texts(table, "bob")[-1] == "Again."
    table.do("bob", Say("Thanks."))
    assert texts(table, "carol")[-1] == "Thanks."


def test_trust_outlives_everything(table: StoredTable) -> None:
    sit_down(table)
    alice = table.seats["alice"].session
    levels = {str(account): level.value for (account, _), level in alice.trust.items()}
    assert levels["matrix:u/bob:one"] == "first-use"
    assert levels["xmpp:carol@two"] == "compared"


def test_the_way_back_outlives_every_restart(table: StoredTable) -> None:
    sit_down(table)
    before = table.epochs()
    with spoiling(0, 1):
        update(table, "alice")
    table.do("alice", Say("Into the void."))
    assert len(table.epochs()) == 2
    table.pass_time(2_000)
    assert table.epochs() == before
    assert texts(table, "bob") == texts(table, "carol") == ["Into the void."]
    table.pass_time(62_000)
    assert len(table.epochs()) == 1
    assert table.epochs() != before
    assert all(seat.session.left is None for seat in table.seats.values())


def test_the_way_back_into_the_group_outlives_every_restart(table: StoredTable) -> None:
    sit_down(table)
    with spoiling(1):
        update(table, "alice")
    table.pass_time(2_000)
    table.do("carol", Say("I was away."))
    for _ in range(5):
        table.pass_time(3_000)
    assert texts(table, "alice") == texts(table, "bob") == ["I was away."]
    assert len(table.epochs()) == 1
    assert all(seat.session.is_active and seat.session.coming is None for seat in table.seats.values())

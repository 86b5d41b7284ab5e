"""What time brings: fresh keys, forgotten keys, another try."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.conversation import EpochChanged, Join, Joined, MessageArrived, Notice, Remove, Say
from bridge.member import housekeeping
from bridge.member.settings import MemberSettings
from bridge.protocol.code_points import EnvelopeKind
from mls import UsageError
from tests.bridge.member.table import Table
from tests.bridge.member.test_groups import texts, three

DAY = 24 * 3600 * 1000


def epoch(table: Table) -> int:
    ((number, _),) = table.epochs()
    return number


def test_each_member_refreshes_its_keys_after_a_week() -> None:
    table = three()
    before = epoch(table)
    for _ in range(9):
        table.pass_time(DAY)
    assert epoch(table) == before + 3
    assert {seat.session.memory.flags.updated_at > table.now - 5 * DAY for seat in table.seats.values()} == {True}


def test_a_member_who_says_much_refreshes_its_keys_earlier() -> None:
    table = three()
    alice = table.seats["alice"]
    alice.session = replace(alice.session, settings=replace(alice.session.settings, update_messages=5))
    before = epoch(table)
    for number in range(5):
        table.do("alice", Say(f"{number}"))
    table.pass_time(1_000)
    assert epoch(table) == before + 1
    assert alice.session.memory.flags.sent_since == 0


def test_keys_of_past_epochs_are_forgotten_without_anybody_saying_anything() -> None:
    table = three()
    table.drop = lambda _room, sealed: sealed.kind == EnvelopeKind.APPLICATION
    table.do("alice", Say("Too late."))
    late = list(table.envelopes(EnvelopeKind.APPLICATION))[-1]
    table.drop = lambda _room, _sealed: False
    table.do("alice", Remove("bob"))
    carol = table.seats["carol"]
    assert carol.session.group is not None
    secrets = [secret for past in carol.session.group.past for secret in past.secrets()]
    assert secrets
    due = housekeeping.next_due(carol.session)
    assert due is not None
    assert due <= table.now + DAY + 2_000
    table.pass_time(due - table.now)
    assert carol.session.group.past == ()
    for secret in secrets:
        with pytest.raises(UsageError, match="was wiped"):
            _ = secret.value
    table.post("xmpp:tea@muc.two", "xmpp:bridge@two", late)  # type: ignore[arg-type]
    table.run()
    assert texts(table, "carol") == []
    assert any("cannot be opened any more" in item.text for item in carol.told if isinstance(item, Notice))


def test_who_is_not_let_in_asks_again_after_a_month() -> None:
    table = Table()
    bob = table.sit_down("bob")
    table.ask("bob")
    table.pass_time(29 * DAY)
    assert len(list(table.envelopes(EnvelopeKind.KEY_PACKAGE))) == 1
    table.pass_time(2 * DAY)
    assert len(list(table.envelopes(EnvelopeKind.KEY_PACKAGE))) == 2
    for _ in range(4):
        table.pass_time(31 * DAY)
    days = MemberSettings().key_package_days
    expiries = [bundle.key_package.leaf_node.leaf_node_source for bundle in bob.session.bundles]
    assert len(expiries) <= 1 + days // 30  # those that ran out are gone, with their private keys


def test_who_was_removed_can_ask_again() -> None:
    table = three()
    table.do("alice", Remove("bob"))
    table.do("bob", Join())
    table.do("alice", Say("Not yet."))
    assert "Not yet." not in texts(table, "bob")
    assert len(table.seats["bob"].heard(Joined)) == 1


def test_epochs_are_told_in_order_over_weeks() -> None:
    table = three()
    for _ in range(20):
        table.pass_time(DAY)
        table.do("carol", Say("Good morning."))
    for seat in table.seats.values():
        shown = [item.epoch for item in seat.told if isinstance(item, EpochChanged)]
        assert shown == sorted(set(shown))
    assert len([item for item in table.seats["alice"].told if isinstance(item, MessageArrived)]) == 20

"""Commits that are good for some and bad for others: everybody comes to the same end, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.conversation import (
    Alarm,
    DeliveryChanged,
    DeliveryState,
    Joined,
    Notice,
    Remove,
    Removed,
    Say,
)
from bridge.member import answering, committing, settling
from bridge.member import verdicts as verdicts_of_members
from bridge.member.memory import InFlight, IntentKind
from bridge.protocol.code_points import EnvelopeKind, Mode
from tests.bridge.member.table import MATRIX, Table
from tests.bridge.member.test_groups import texts, three
from tests.mls.spoiling import spoiling

FOR_BOB, FOR_CAROL = 0, 1
"""Which path secret of a Commit of Alice's is whose, in a group of three."""
MINUTE = 62_000


def update(table: Table, name: str) -> None:
    with table.step(table.seats[name]) as step:
        committing.want(step, IntentKind.UPDATE, at_once=True)
        committing.commit_what_is_due(step)
    table.run()


def let_in_with_fresh_keys(table: Table, name: str) -> None:
    """Let Alice add somebody by a Commit that refreshes her keys as well, and so has a path."""
    with table.step(table.seats["alice"]) as step:
        committing.want(step, IntentKind.UPDATE, at_once=True)
        step.remember(in_flight=InFlight(bytes(32), table.now, 0))  # not before the other has asked
    table.ask(name)
    with table.step(table.seats["alice"]) as step:
        step.remember(in_flight=None)
        step.remember(intents=tuple(item.replace(due=0) for item in step.session.memory.intents))
        committing.commit_what_is_due(step)
    table.run()


def verdicts(table: Table) -> list[str]:
    kinds = (EnvelopeKind.ACK, EnvelopeKind.NACK, EnvelopeKind.CLOSE)
    return [EnvelopeKind(sealed.kind).name for _, _, sealed in table.posted if sealed.kind in kinds]


def epoch_of(table: Table, name: str) -> int:
    group = table.seats[name].session.group
    assert group is not None
    return group.epoch


def everybody_talks(table: Table, *names: str) -> None:
    assert len(table.epochs()) == 1
    for name in names:
        table.do(name, Say(f"{name} is here"))
        for other in names:
            if other != name:
                assert texts(table, other)[-1] == f"{name} is here"


def test_a_commit_is_final_once_one_other_has_applied_it() -> None:
    table = three()
    before = len(verdicts(table))
    update(table, "alice")
    assert verdicts(table)[before:] == ["ACK"]
    for seat in table.seats.values():
        assert seat.session.standing.unsettled is None
        assert seat.session.left is None


def test_what_nobody_else_can_follow_is_void_and_all_are_where_they_were() -> None:
    table = three()
    number, before = len(verdicts(table)), table.epochs()
    with spoiling(FOR_BOB, FOR_CAROL):
        update(table, "alice")
    assert sorted(epoch - min(table.epochs())[0] for epoch, _ in table.epochs()) == [0, 1]
    assert verdicts(table)[number:].count("ACK") == 0
    table.pass_time(2_000)
    assert verdicts(table)[number:] == ["NACK", "NACK"]  # all who could have followed it: nothing is left to wait for
    assert table.epochs() == before
    table.pass_time(MINUTE)  # what was wanted is tried again, and works
    assert {epoch for epoch, _ in table.epochs()} == {min(before)[0] + 1}
    everybody_talks(table, "alice", "bob", "carol")


def test_where_one_can_follow_it_is_final_and_who_cannot_has_lost_the_thread() -> None:
    table = three()
    with spoiling(FOR_CAROL), pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "take_request", lambda *_: None)  # they come back: see test_returning.py
        update(table, "alice")
        table.pass_time(2_000)
    assert epoch_of(table, "alice") == epoch_of(table, "bob")
    carol = table.seats["carol"]
    assert not carol.session.is_active
    assert any("cannot be followed" in item.text for item in carol.heard(Notice) if isinstance(item, Notice))
    assert not table.seats["alice"].heard(Alarm)


def test_who_waits_keeps_what_is_said_and_sends_it_when_the_others_are_back() -> None:
    table = three()
    with spoiling(FOR_BOB, FOR_CAROL):
        update(table, "alice")
    table.do("bob", Say("Do you hear me?"))
    table.do("carol", Say("Nobody hears me."))
    assert texts(table, "alice") == []
    table.pass_time(MINUTE)
    assert sorted(texts(table, "alice")) == ["Do you hear me?", "Nobody hears me."]
    assert texts(table, "bob") == ["Nobody hears me."]


def test_what_was_said_in_a_void_epoch_is_said_again_and_shown_once() -> None:
    table = three()
    with spoiling(FOR_BOB, FOR_CAROL):
        update(table, "alice")
    table.do("alice", Say("Into the void."))
    assert [
        item.state for item in table.seats["alice"].heard(DeliveryChanged) if isinstance(item, DeliveryChanged)
    ] == [
        DeliveryState.WAITING,
        DeliveryState.SENT,
    ]
    assert texts(table, "bob") == []
    table.pass_time(MINUTE)
    assert texts(table, "bob") == texts(table, "carol") == ["Into the void."]
    table.pass_time(MINUTE)
    table.do("alice", Say("And out of it."))
    assert texts(table, "bob") == texts(table, "carol") == ["Into the void.", "And out of it."]


def test_nobody_is_told_twice_who_read_it_in_the_void_epoch() -> None:
    table = three()
    with spoiling(FOR_CAROL):
        table.is_sealing = False
        update(table, "alice")
    table.is_sealing = True
    newest = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-1]
    with pytest.MonkeyPatch.context() as patch:  # Bob's program can follow, and does not say so
        judges = verdicts_of_members._has_to_judge
        patch.setattr(verdicts_of_members, "_has_to_judge", lambda it: bool(it.voices) and judges(it))
        table.seal(newest)
        table.run()
        table.do("alice", Say("Once."))
        assert texts(table, "bob") == ["Once."]
        table.pass_time(2_000)
        table.pass_time(MINUTE)
        assert len(table.epochs()) == 1
        assert texts(table, "bob") == texts(table, "carol") == ["Once."]


def test_who_was_removed_by_a_void_commit_is_in_again() -> None:
    table = three()
    before = table.epochs()
    with spoiling(0), pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts_of_members, "speak", lambda _: None)
        table.do("alice", Remove("bob"))
        assert table.seats["bob"].heard(Removed)
        assert not table.seats["bob"].session.is_active
        table.do("alice", Say("Bob is out."))
        told = len(table.seats["alice"].told)
    table.pass_time(2_000)
    assert table.epochs() == before
    everybody = table.seats.values()
    assert all(seat.session.is_active for seat in everybody)
    failed = [item for item in table.seats["alice"].told[told:] if isinstance(item, DeliveryChanged)]
    assert [item.state for item in failed] == [DeliveryState.FAILED]
    assert "before somebody was removed" in failed[0].reason
    assert "Bob is out." not in texts(table, "bob")
    table.pass_time(MINUTE)
    assert not table.seats["bob"].session.is_active
    everybody_talks(table, "alice", "carol")


def test_a_welcome_waits_until_its_commit_is_final() -> None:
    table = three()
    dave = table.sit_down("dave")
    for name in ("bob", "carol"):
        table.seats[name].deaf = True
    let_in_with_fresh_keys(table, "dave")
    table.pass_time(5_000)
    assert not dave.heard(Joined)
    table.pass_time(MINUTE)
    assert dave.heard(Joined)
    for name in ("bob", "carol"):
        table.listen(name)
    everybody_talks(table, "alice", "bob", "carol", "dave")


def test_who_only_lets_in_waits_for_nobody() -> None:
    """There is no secret in such a Commit that could be good for some and bad for others."""
    table = three()
    dave = table.sit_down("dave")
    for name in ("bob", "carol"):
        table.seats[name].deaf = True
    number = len(verdicts(table))
    table.ask("dave")
    table.pass_time(5_000)
    assert dave.heard(Joined)
    assert verdicts(table)[number:] == []
    assert table.seats["alice"].session.left is None
    for name in ("bob", "carol"):
        table.listen(name)
    everybody_talks(table, "alice", "bob", "carol", "dave")


def test_a_commit_without_a_path_that_is_wrong_is_skipped_by_all() -> None:
    table = three()
    table.is_sealing = False
    table.sit_down("dave")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mls.group.epoch.joiner_secret", lambda suite, *_: bytes(suite.Nh))
        table.ask("dave")
        table.pass_time(5_000)
    before = table.epochs()
    for seat in table.seats.values():  # whoever made it holds it for good
        if seat.session.group is not None:
            seat.session = replace(seat.session, group=seat.session.group.step(pending=()))
    wrong = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-1]
    table.is_sealing = True
    table.seal(wrong)
    table.run()
    assert table.epochs() == before
    assert all(seat.session.standing.unsettled is None for seat in table.seats.values())


def test_whom_a_void_commit_had_added_is_let_in_by_the_next() -> None:
    table = three()
    dave = table.sit_down("dave")
    with spoiling(FOR_BOB, FOR_CAROL), pytest.MonkeyPatch.context() as patch:
        patch.setattr(committing, "_stagger", lambda session, _: 0 if "alice" in session.account else 100_000)
        let_in_with_fresh_keys(table, "dave")
    assert not dave.heard(Joined)
    table.pass_time(MINUTE)
    assert not dave.heard(Joined)
    table.pass_time(MINUTE)
    assert dave.heard(Joined)
    everybody_talks(table, "alice", "bob", "carol", "dave")


def test_a_commit_in_flight_from_before_counts_where_the_order_names_it_later() -> None:
    """Bob's Commit of the epoch that all come back to gets its place only then."""
    table = three()
    bob = table.seats["bob"]
    bob.session = replace(bob.session, settings=replace(bob.session.settings, unsealed_alarm=10 * MINUTE))
    table.is_sealing = False
    update(table, "bob")
    with spoiling(FOR_BOB, FOR_CAROL):
        update(table, "alice")
    of_bob, of_alice = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-2:]
    table.is_sealing = True
    table.seal(of_alice)
    table.run()
    table.pass_time(MINUTE)
    assert len(table.epochs()) == 1
    before = epoch_of(table, "bob")
    table.seal(of_bob)
    table.run()
    assert epoch_of(table, "bob") == before + 1
    everybody_talks(table, "alice", "bob", "carol")


def test_a_void_commit_that_the_order_names_again_is_skipped() -> None:
    table = three()
    with spoiling(FOR_BOB, FOR_CAROL):
        update(table, "alice")
    void = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-1]
    table.pass_time(MINUTE)
    before = table.epochs()
    table.seal(void)
    table.run()
    assert table.epochs() == before
    assert all(seat.session.standing.unsettled is None for seat in table.seats.values())


def test_who_waits_and_sees_the_others_go_on_knows_that_it_is_left_behind() -> None:
    table = three()
    with spoiling(FOR_CAROL), pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts_of_members, "speak", lambda _: None)
        update(table, "alice")
        assert table.seats["carol"].session.is_waiting
        update(table, "bob")
    assert not table.seats["carol"].session.is_active
    everybody_talks(table, "alice", "bob")


def test_in_mode_room_the_same() -> None:
    table = Table(rooms=(MATRIX,))
    table.is_sealing = False
    table.sit_down("alice", create=True, mode=Mode.ROOM)
    table.sit_down("bob")
    table.sit_down("carol")
    table.hello()
    with table.step(table.seats["alice"]) as step:
        settling.finish(step)
    table.pass_time(0)
    for name in ("bob", "carol"):
        table.ask(name)
        table.pass_time(10_000)
    everybody_talks(table, "alice", "bob", "carol")
    before = table.epochs()
    with spoiling(FOR_BOB, FOR_CAROL):
        update(table, "alice")
    assert len(table.epochs()) == 2
    table.pass_time(MINUTE)
    table.pass_time(5_000)
    assert table.epochs() == before
    table.pass_time(MINUTE)
    everybody_talks(table, "alice", "bob", "carol")

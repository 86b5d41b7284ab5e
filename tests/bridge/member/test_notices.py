"""Who is to be removed does not outrun it, and nobody can hold up the others for long."""

from __future__ import annotations

import pytest

from bridge.conversation import Remove
from bridge.member import notices, verdicts
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import Envelope, envelope
from bridge.protocol.verdicts import MAX_SUBJECTS, RemoveNotice, notice_envelope
from tests.bridge.member.table import MATRIX, RELAYS, Table
from tests.bridge.member.test_groups import three
from tests.bridge.member.test_settling import epoch_of, update

ALICE, BOB, CAROL = 0, 1, 2


def notice(table: Table, name: str, *subjects: int, attempt: int = 0, epoch: int | None = None) -> Envelope:
    group = table.seats[name].session.group
    assert group is not None
    return notice_envelope(
        group.suite,
        group.signature_key,
        group_id=group.group_id,
        epoch=group.epoch if epoch is None else epoch,
        leaf=group.own_leaf,
        subjects=subjects,
        attempt=attempt,
    )


def give(table: Table, sealed: Envelope) -> None:
    table.post(MATRIX, RELAYS[MATRIX], sealed)
    table.run()


def held_up(table: Table, name: str) -> set[int]:
    standing = table.seats[name].session.standing
    return {leaf for leaf in (ALICE, BOB, CAROL) if standing.has_notice_of(leaf, table.now)}


def test_a_removal_that_lost_its_race_wins_the_next() -> None:
    """Bob's program commits again and again, each time before the one that removes him."""
    table = three()
    table.is_sealing = False
    update(table, "bob")
    table.do("alice", Remove("bob"))
    of_bob, _ = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-2:]
    table.seal(of_bob)
    table.run()
    given = list(table.envelopes(EnvelopeKind.REMOVE_NOTICE))
    assert len(given) == 1
    for ack in list(table.envelopes(EnvelopeKind.ACK))[-1:]:
        table.seal(ack)
    table.seal(given[0])
    table.run()
    assert held_up(table, "alice") == held_up(table, "bob") == held_up(table, "carol") == {BOB}
    before = epoch_of(table, "alice")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notices, "held_up_until", lambda _: 0)  # his program does not care
        update(table, "bob")
    again = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-1]
    removal = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-2]
    table.is_sealing = True
    table.seal(again)
    table.run()
    assert epoch_of(table, "alice") == epoch_of(table, "bob") == before
    table.seal(removal)
    table.run()
    assert not table.seats["bob"].session.is_active
    assert len(table.epochs()) == 1
    assert held_up(table, "alice") == set()


def test_a_member_of_whom_notice_is_given_commits_nothing_until_it_is_over() -> None:
    table = three()
    give(table, notice(table, "alice", BOB))
    number = len(list(table.envelopes(EnvelopeKind.HANDSHAKE)))
    update(table, "bob")
    assert len(list(table.envelopes(EnvelopeKind.HANDSHAKE))) == number
    before = epoch_of(table, "carol")
    table.pass_time(61_000)
    assert epoch_of(table, "carol") == before + 1
    assert held_up(table, "carol") == set()


def test_notice_can_be_taken_back_and_does_not_count_for_longer_by_being_repeated() -> None:
    table = three()
    give(table, notice(table, "alice", BOB))
    give(table, notice(table, "alice"))
    assert held_up(table, "carol") == set()
    give(table, notice(table, "alice", BOB, attempt=1))
    assert held_up(table, "carol") == {BOB}
    table.pass_time(61_000)
    give(table, notice(table, "alice", BOB, attempt=2))
    assert held_up(table, "carol") == set()


def test_of_two_who_give_notice_of_each_other_the_first_counts() -> None:
    table = three()
    give(table, notice(table, "alice", BOB))
    give(table, notice(table, "bob", ALICE))
    assert held_up(table, "carol") == held_up(table, "bob") == {BOB}


@pytest.mark.parametrize(
    "by, subjects",
    [("bob", (CAROL,)), ("carol", (ALICE,)), ("alice", (ALICE,)), ("alice", (17,)), ("alice", (BOB, 17))],
    ids=["no right", "no right either", "oneself", "nobody", "somebody and nobody"],
)
def test_notices_that_do_not_count(by: str, subjects: tuple[int, ...]) -> None:
    table = three()
    give(table, notice(table, by, *subjects))
    assert all(held_up(table, name) == set() for name in table.seats)


def test_bad_notices_are_skipped() -> None:
    table = three()
    group = table.seats["alice"].session.group
    assert group is not None
    forged = RemoveNotice(group.epoch, ALICE, 0, (BOB,), bytes(64))
    crowd = RemoveNotice(group.epoch, ALICE, 0, tuple(range(MAX_SUBJECTS + 1)), bytes(64))
    give(table, envelope(EnvelopeKind.REMOVE_NOTICE, group.group_id, forged))
    give(table, envelope(EnvelopeKind.REMOVE_NOTICE, group.group_id, crowd))
    give(table, envelope(EnvelopeKind.REMOVE_NOTICE, group.group_id, b"nonsense"))
    give(table, notice(table, "alice", BOB, epoch=group.epoch + 1))
    give(table, notice(table, "alice", BOB, epoch=group.epoch - 1))
    assert all(held_up(table, name) == set() for name in table.seats)
    update(table, "bob")
    assert len(table.epochs()) == 1


def test_what_is_void_brings_the_notices_back() -> None:
    table = three()
    give(table, notice(table, "alice", BOB))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts, "speak", lambda _: None)
        update(table, "carol")
        assert held_up(table, "alice") == set()
        with table.step(table.seats["alice"]) as step:
            assert step.session.standing.unsettled is not None
            assert [item.subjects for item in step.session.standing.unsettled.before.notices] == [(BOB,)]

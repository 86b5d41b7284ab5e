"""A group's life among members: founding, letting in, talking, removing, leaving."""

from __future__ import annotations

import pytest

from bridge.conversation import (
    Add,
    Asked,
    Confirm,
    DeliveryChanged,
    DeliveryState,
    EpochChanged,
    Joined,
    Leave,
    MemberCame,
    Members,
    MembersListed,
    MemberWent,
    MessageArrived,
    Notice,
    NumbersShown,
    Remove,
    Removed,
    RequestRefusedError,
    Say,
    Verify,
)
from bridge.member import committing
from bridge.member.memory import IntentKind
from bridge.protocol.code_points import EnvelopeKind
from tests.bridge.member.table import XMPP, Table


def three() -> Table:
    """Alice and Bob on Matrix, Carol on XMPP, all in one group, by the book."""
    table = Table()
    table.sit_down("alice", create=True)
    table.sit_down("bob")
    table.sit_down("carol", XMPP)
    introduce(table)
    return table


def introduce(table: Table) -> None:
    """Let Alice found the group and let in Bob, and Carol after comparing numbers."""
    table.hello()
    table.ask("bob")
    table.ask("carol")
    numbers = table.do("alice", Verify("carol"))
    assert isinstance(numbers, NumbersShown)
    assert table.do("carol", Verify("alice")) == NumbersShown("matrix:u/alice:one", "alice", numbers.digits)
    table.do("alice", Confirm("carol", numbers.digits))


def texts(table: Table, name: str) -> list[str]:
    return [item.text for item in table.seats[name].told if isinstance(item, MessageArrived)]


def test_a_member_founds_a_group_and_its_first_commit_is_sealed() -> None:
    table = Table()
    alice = table.sit_down("alice", create=True)
    assert not alice.told
    table.hello()
    assert [epoch for epoch, _ in table.epochs()] == [1]
    assert len(alice.heard(Joined)) == 1
    assert len(list(table.envelopes(EnvelopeKind.SEAL))) == 1


def test_who_asks_on_the_own_network_is_let_in() -> None:
    table = Table()
    table.sit_down("alice", create=True)
    bob = table.sit_down("bob")
    table.hello()
    table.ask("bob")
    assert len(table.epochs()) == 1
    assert bob.session.is_active
    assert [item.by for item in bob.told if isinstance(item, Joined)] == ["matrix:u/alice:one"]
    assert bob.session.bundles == ()


def test_who_asks_from_the_far_network_waits_for_compared_numbers() -> None:
    table = Table()
    alice = table.sit_down("alice", create=True)
    carol = table.sit_down("carol", XMPP)
    table.hello()
    table.ask("carol")
    (asked,) = [item for item in alice.told if isinstance(item, Asked)]
    assert asked.by_relay
    assert asked.digits is not None
    assert len(asked.digits) == 60
    assert not carol.session.is_active
    with pytest.raises(RequestRefusedError, match="Only the bridge says"):
        table.do("alice", Add("carol"))
    table.do("alice", Confirm("carol", asked.digits))
    assert carol.heard(Joined)
    assert len(table.epochs()) == 1


def test_other_digits_confirm_nothing() -> None:
    table = Table()
    table.sit_down("alice", create=True)
    carol = table.sit_down("carol", XMPP)
    table.hello()
    table.ask("carol")
    with pytest.raises(RequestRefusedError, match="has changed"):
        table.do("alice", Confirm("carol", "0" * 60))
    assert not carol.session.is_active


def test_three_talk_across_both_networks() -> None:
    table = three()
    table.do("alice", Say("Tea at four?"))
    table.do("carol", Say("I bring the cake."))
    assert texts(table, "bob") == ["Tea at four?", "I bring the cake."]
    assert texts(table, "carol") == ["Tea at four?"]
    assert texts(table, "alice") == ["I bring the cake."]
    states = [item.state for item in table.seats["alice"].told if isinstance(item, DeliveryChanged)]
    assert states == [DeliveryState.WAITING, DeliveryState.SENT]


def test_a_reply_names_what_it_answers() -> None:
    table = three()
    table.do("alice", Say("Tea at four?"))
    (question,) = [item for item in table.seats["carol"].told if isinstance(item, MessageArrived)]
    table.do("carol", Say("*Gladly*", markdown=True, reply_to=question.id))
    (reply,) = [item for item in table.seats["alice"].told if isinstance(item, MessageArrived)]
    assert reply.reply_to == question.id
    assert reply.markdown


def test_a_removed_member_gets_every_later_ciphertext_and_reads_none() -> None:
    table = three()
    table.do("alice", Remove("bob"))
    bob = table.seats["bob"]
    assert len(bob.heard(Removed)) == 1
    seen = len(texts(table, "bob"))
    table.do("alice", Say("Without Bob."))
    assert texts(table, "carol")[-1] == "Without Bob."
    assert len(texts(table, "bob")) == seen
    assert len(table.epochs()) == 1
    with pytest.raises(RequestRefusedError, match="removed"):
        table.do("bob", Say("Hello?"))


def test_who_leaves_is_taken_out_by_another() -> None:
    table = three()
    table.do("carol", Leave())
    table.pass_time(5_000)
    assert not table.seats["carol"].session.is_active
    assert [item.account for item in table.seats["bob"].told if isinstance(item, MemberWent)] == ["xmpp:carol@two"]
    table.do("bob", Say("Gone."))
    assert texts(table, "carol") == []
    assert len(table.epochs()) == 1


def test_members_and_epochs_are_shown() -> None:
    table = three()
    listed = table.do("bob", Members())
    assert isinstance(listed, MembersListed)
    assert [item.name for item in listed.members] == ["alice", "bob", "carol"]
    assert [item.is_self for item in listed.members] == [False, True, False]
    digits = [
        [item for item in seat.told if isinstance(item, EpochChanged)][-1].digits for seat in table.seats.values()
    ]
    assert len(set(digits)) == 1
    assert [item.by for item in table.seats["bob"].told if isinstance(item, MemberCame)] == ["matrix:u/alice:one"]


def test_two_commits_at_once_lead_to_one_group() -> None:
    table = three()
    table.is_sealing = False
    for name in ("alice", "bob"):
        seat = table.seats[name]
        with table.step(seat) as step:
            step.now += 1
            committing.want(step, IntentKind.UPDATE, at_once=True)
            committing.commit_what_is_due(step)
    table.run()
    waiting = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-2:]
    table.is_sealing = True
    table.seal(*waiting)
    table.run()
    table.pass_time(5_000)
    assert len(table.epochs()) == 1
    updated = {name: seat.session.memory.intents for name, seat in table.seats.items()}
    assert updated == {"alice": (), "bob": (), "carol": ()}


def test_who_was_away_catches_up() -> None:
    table = three()
    table.seats["carol"].deaf = True
    for number in range(20):
        table.do("alice", Say(f"Message {number}"))
        if number % 7 == 0:
            table.do("bob", Say("Aside"))
    table.do("alice", Remove("bob"))
    table.do("alice", Say("The end."))
    table.listen("carol")
    heard = texts(table, "carol")
    assert [text for text in heard if text.startswith("Message")] == [f"Message {number}" for number in range(20)]
    assert heard[-1] == "The end."
    assert len(table.epochs()) == 1


def test_nothing_is_said_before_one_is_in_the_group() -> None:
    table = Table()
    table.sit_down("alice")
    with pytest.raises(RequestRefusedError, match="not in the group"):
        table.do("alice", Say("Hello?"))


def test_a_leaver_is_told_when_alone() -> None:
    table = Table()
    table.sit_down("alice", create=True)
    table.hello()
    with pytest.raises(RequestRefusedError, match="alone"):
        table.do("alice", Leave())
    assert table.seats["alice"].heard(Notice)


def test_who_was_removed_comes_back_by_a_persons_decision_alone() -> None:
    table = three()
    table.do("alice", Remove("bob"))
    table.pass_time(10_000)
    assert not table.seats["bob"].session.is_active
    asked_before = len(table.seats["alice"].heard(Asked))
    table.ask("bob")
    table.pass_time(10_000)
    assert not table.seats["bob"].session.is_active
    (asked,) = table.seats["alice"].heard(Asked)[asked_before:]
    assert isinstance(asked, Asked)
    assert not asked.by_relay
    table.do("alice", Add("bob"))
    table.do("alice", Say("Welcome back."))
    assert texts(table, "bob")[-1] == "Welcome back."
    assert len(table.epochs()) == 1


def test_who_left_is_let_in_again_when_they_ask() -> None:
    table = three()
    table.do("bob", Leave())
    table.pass_time(5_000)
    assert not table.seats["bob"].session.is_active
    table.ask("bob")
    table.pass_time(5_000)
    table.do("alice", Say("You again."))
    assert texts(table, "bob")[-1] == "You again."


def test_what_is_too_long_to_be_said_is_refused() -> None:
    table = three()
    with pytest.raises(RequestRefusedError, match="cannot be said"):
        table.do("alice", Say("x" * (1 << 20)))
    table.do("alice", Say("Shorter."))
    assert texts(table, "carol") == ["Shorter."]


def test_a_member_is_seen_by_who_came_after_the_room_had_forgotten_its_key() -> None:
    table = three()
    before = len(list(table.envelopes(EnvelopeKind.KEY_PACKAGE)))
    table.pass_time(100_000)
    dora = table.sit_down("dora", XMPP)  # who sees nothing of what was before
    table.ask("dora")
    alice = table.seats["alice"].session.account
    assert isinstance(table.do("dora", Verify(alice)), NumbersShown)
    assert [person.account for person in dora.session.people] == [alice]
    table.ask("dora")
    assert len(list(table.envelopes(EnvelopeKind.KEY_PACKAGE))) == before + 3  # twice Dora's, and once Alice's

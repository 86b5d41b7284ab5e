"""Old databases that somebody puts back: no key is used twice, and nothing that is over is done again."""

from __future__ import annotations

from dataclasses import replace

from bridge.conversation import Remove, Removed, Say
from bridge.member.memory import Intent, IntentKind
from bridge.protocol.code_points import EnvelopeKind
from mls.wire.message import wrap
from tests.bridge.member.table import MATRIX
from tests.bridge.member.test_groups import three
from tests.bridge.member.test_returning import bring_back, lose, yesterday
from tests.bridge.member.test_settling import everybody_talks, update
from transports.room import EnvelopeSeen


def test_an_old_state_comes_back_and_the_copy_that_ran_on_is_told() -> None:
    """A database of yesterday is put back, while the program of today still runs."""
    table = three()
    old = yesterday(table.seats["bob"].session)
    begins = len(table.posted)
    table.do("bob", Say("one"))
    update(table, "bob")
    today = table.seats["bob today"] = table.seats.pop("bob")
    table.sit_down("bob")
    table.seats["bob"].session = old
    for room, sender, sealed in list(table.posted[begins:]):  # it reads the room, and finds what it has not written
        if room == MATRIX or sealed.kind == EnvelopeKind.SEAL:
            table.take(
                table.seats["bob"], EnvelopeSeen(table.origin(MATRIX, sender), sealed.encode(), transaction=None)
            )
    table.run()
    bring_back(table)
    assert table.seats["bob"].session.is_active
    assert not today.session.is_active
    assert any("another copy" in item.why for item in today.told if isinstance(item, Removed))
    del table.seats["bob today"]
    everybody_talks(table, "alice", "bob", "carol")


def test_an_old_state_does_not_let_in_again_who_was_removed_since() -> None:
    """What it wanted then was done, and undone, in epochs that it has missed."""
    table = three()
    old = yesterday(table.seats["bob"].session)
    dave = table.sit_down("dave").session.identity
    begins = len(table.posted)
    table.ask("dave")
    table.pass_time(4_000)
    person = table.seats["bob"].session.people[dave]
    table.do("alice", Remove("dave"))
    wish = Intent(IntentKind.ADD, dave.encode(), wrap(person.key_package).encode(), table.now)
    memory = old.memory.replace(intents=(wish,))
    table.seats["bob"].session = replace(old, memory=memory, people={**old.people, dave: replace(person, asks=True)})
    lose(table, "bob")
    for _, sender, sealed in list(table.posted[begins:]):
        seen = EnvelopeSeen(table.origin(MATRIX, sender), sealed.encode(), transaction=None)
        table.take(table.seats["bob"], seen)
    table.run()
    for _ in range(10):
        table.pass_time(3_000)
    assert table.seats["bob"].session.obstacle == ""
    assert table.seats["bob"].session.memory.intents == ()
    assert not any(who == dave for _, who, _ in table.seats["alice"].session.members())


def test_an_old_state_knows_its_commit_before_that_has_its_place() -> None:
    """Its own next one would use the same key: it must not wait for the order to find that out."""
    table = three()
    old = yesterday(table.seats["bob"].session)
    table.is_sealing = False
    update(table, "bob")
    (commit,) = list(table.envelopes(EnvelopeKind.HANDSHAKE))[-1:]
    table.is_sealing = True
    table.seats["bob"].session = old
    table.take(table.seats["bob"], EnvelopeSeen(table.origin(MATRIX, old.account), commit.encode(), transaction=None))
    assert table.seats["bob"].session.is_returning
    bring_back(table)
    everybody_talks(table, "alice", "bob", "carol")

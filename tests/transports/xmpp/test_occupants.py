"""What presence in a room means."""

from __future__ import annotations

import pytest

from transports.room import Account, RoomAddress
from transports.xmpp.elements import CLIENT, MUC_USER, STANZAS, Element, element
from transports.xmpp.occupants import (
    AffiliationTold,
    Destroyed,
    Entered,
    EntryRefused,
    Kicked,
    Left,
    Occupants,
    Told,
)

ALICE, BOB = Account("xmpp:alice@example.org"), Account("xmpp:bob@example.org")


def presence(
    nickname: str, *codes: str, affiliation: str = "member", kind: str | None = None, extra: Element | None = None
) -> Element:
    actor = element(MUC_USER, "actor", jid="owner@example.org")
    item = element(MUC_USER, "item", actor, jid=f"{nickname}@example.org/home", affiliation=affiliation, nick="bobby")
    x = element(MUC_USER, "x", item, *(element(MUC_USER, "status", code=code) for code in codes), extra)
    return element(CLIENT, "presence", x, **{"from": f"tea@muc.example.org/{nickname}", "type": kind})


def inside() -> Occupants:
    occupants = Occupants("alice")
    occupants.on_presence(presence("bob"))
    occupants.on_presence(presence("alice", "110"))
    assert occupants.is_inside
    return occupants


def told_by(occupants: Occupants, stanza: Element) -> list[Told]:
    return [each for each in occupants.on_presence(stanza) if not isinstance(each, AffiliationTold)]


def test_those_before_us_come_first_and_then_we() -> None:
    occupants = Occupants("alice")
    assert told_by(occupants, presence("bob")) == []
    assert told_by(occupants, presence("alice", "110")) == [Entered("alice", "member", created=False)]
    assert (occupants.account("bob"), occupants.account("alice"), occupants.account("carol")) == (BOB, ALICE, None)
    assert (occupants.nickname(BOB), occupants.nickname(Account("xmpp:c@x"))) == ("bob", "")


def test_a_server_can_give_us_another_nickname() -> None:
    occupants = Occupants("Alice!")
    assert told_by(occupants, presence("alice", "110", "210", "201")) == [Entered("alice", "member", created=True)]
    assert occupants.own_nickname == "alice"


def test_a_refusal_names_its_condition() -> None:
    error = element(CLIENT, "error", element(STANZAS, "conflict"), element(STANZAS, "text", "taken"))
    refused = element(CLIENT, "presence", error, type="error")
    assert Occupants("alice").on_presence(refused) == [EntryRefused("conflict", "taken")]
    assert inside().on_presence(refused) == []


def test_who_is_renamed_stays_who_they_are() -> None:
    occupants = inside()
    assert told_by(occupants, presence("bob", "303", kind="unavailable")) == []
    assert (occupants.account("bobby"), occupants.account("bob")) == (BOB, None)
    occupants.on_presence(presence("alice", "303", "110", kind="unavailable"))
    assert (occupants.own_nickname, occupants.is_inside) == ("bobby", True)


def test_a_kick_is_told_and_a_lost_connection_is_not() -> None:
    owner = Account("xmpp:owner@example.org")
    assert told_by(inside(), presence("bob", "307", kind="unavailable")) == [Kicked(BOB, owner)]
    assert told_by(inside(), presence("bob", "307", "333", kind="unavailable")) == []
    assert told_by(inside(), presence("bob", kind="unavailable")) == []


@pytest.mark.parametrize(
    "code, reason",
    [("301", "banned"), ("321", "no longer a member"), ("332", "shuts down"), ("333", "lost us"), ("999", "out of")],
)
def test_why_we_are_out(code: str, reason: str) -> None:
    occupants = inside()
    [left] = told_by(occupants, presence("alice", "110", code, kind="unavailable"))
    assert isinstance(left, Left)
    assert reason in left.reason
    assert not occupants.is_inside
    assert occupants.account("bob") is None
    # What comes behind that is an echo.
    assert told_by(occupants, presence("alice", "110", code, kind="unavailable")) == []


def test_a_room_that_is_destroyed_says_so() -> None:
    destroyed = presence("alice", "110", kind="unavailable", extra=element(MUC_USER, "destroy"))
    assert told_by(inside(), destroyed) == [Destroyed()]
    moved = presence("alice", "110", kind="unavailable", extra=element(MUC_USER, "destroy", jid="cake@muc.example.org"))
    assert told_by(inside(), moved) == [Destroyed(RoomAddress("xmpp:cake@muc.example.org"))]


def test_affiliations_of_those_who_are_not_there_come_in_messages() -> None:
    item = element(MUC_USER, "item", jid="carol@example.org", affiliation="member")
    message = element(CLIENT, "message", element(MUC_USER, "x", item))
    carol = Account("xmpp:carol@example.org")
    assert inside().on_affiliation(message) == [AffiliationTold(carol, "member")]
    item.set("affiliation", "emperor")
    assert inside().on_affiliation(message) == []


def test_a_nickname_without_an_address_is_nobody() -> None:
    occupants = inside()
    hidden = element(CLIENT, "presence", **{"from": "tea@muc.example.org/bob"})
    assert occupants.on_presence(hidden) == []
    assert occupants.account("bob") is None

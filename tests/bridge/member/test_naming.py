"""Whom a person means: by a name, or by an account in any of the forms that people write."""

from __future__ import annotations

import pytest

from bridge.conversation import NumbersShown, Remove, RequestRefusedError, Verify
from tests.bridge.member.table import XMPP, Table


@pytest.fixture
def table() -> Table:
    """Alice has founded a group; Carol, from the far network, asks to be let in, and has said nothing yet."""
    table = Table()
    table.sit_down("alice", create=True)
    table.sit_down("carol", XMPP)
    table.hello()
    table.ask("carol")
    return table


@pytest.mark.parametrize("typed", ["carol", " Carol ", "carol@two", "xmpp:carol@two"])
def test_a_newcomer_is_found_by_the_key_package_that_was_posted(table: Table, typed: str) -> None:
    shown = table.do("alice", Verify(typed))
    assert isinstance(shown, NumbersShown)
    assert (shown.account, shown.name) == ("xmpp:carol@two", "carol")


@pytest.mark.parametrize("typed", ["alice", "@alice:one", "matrix:u/alice:one"])
def test_a_newcomer_finds_who_is_there(table: Table, typed: str) -> None:
    shown = table.do("carol", Verify(typed))
    assert isinstance(shown, NumbersShown)
    assert shown.account == "matrix:u/alice:one"


def test_a_name_that_nobody_has_is_refused_with_how_to_name_an_account(table: Table) -> None:
    with pytest.raises(RequestRefusedError, match="Nobody is known here as dave") as refused:
        table.do("alice", Verify("dave"))
    advice = refused.value.next_step
    assert "@alice:example.org or alice@example.org" in advice
    assert "in the room" in advice
    assert "key package" in advice
    assert advice.endswith("/members")


def test_an_account_without_a_key_is_refused_with_what_it_must_do(table: Table) -> None:
    with pytest.raises(RequestRefusedError, match="No key of matrix:u/dave:one has been seen here") as refused:
        table.do("alice", Verify("@dave:one"))
    assert "must be in the room" in refused.value.next_step
    assert "/members" not in refused.value.next_step


def test_a_name_that_two_have_is_nobodys(table: Table) -> None:
    table.sit_down("carol")  # on Matrix
    table.ask("carol")
    with pytest.raises(RequestRefusedError, match="matrix:u/carol:one or xmpp:carol@two"):
        table.do("alice", Remove("carol"))


def test_a_front_end_writes_commands_its_own_way() -> None:
    refused = RequestRefusedError("No.", next_step="Look first", command="status")
    assert refused.next_step == "Look first: /status"
    assert refused.advice(lambda command: f"mls-bridge {command}") == "Look first: mls-bridge status"
    assert RequestRefusedError("No.", next_step="Ask Bob.").advice(str.upper) == "Ask Bob."

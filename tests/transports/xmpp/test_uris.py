"""Accounts and rooms as URIs."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.errors import PermanentError
from transports.xmpp.uris import account_of, address_of_room, bare_jid, jid_of, room_given


@pytest.mark.parametrize(
    "jid, uri",
    [
        ("alice@example.org", "xmpp:alice@example.org"),
        ("Alice@EXAMPLE.org/Home Sweet", "xmpp:alice@example.org"),
        ("bridge.example.org", "xmpp:bridge.example.org"),
        ("ülla@bücher.example", "xmpp:%C3%BClla@b%C3%BCcher.example"),
        ("a%b#c@example.org", "xmpp:a%25b%23c@example.org"),
    ],
)
def test_an_account_is_normalised_and_comes_back(jid: str, uri: str) -> None:
    account = account_of(jid)
    assert account == uri
    assert account_of(jid_of(account)) == account


@pytest.mark.parametrize(
    "text", ["", "@", "@example.org", "alice@", "a b@c", "a@b@c", "\x00@x", "\ud800@x", "x" * 4000, "/resource"]
)
def test_what_is_no_jid_is_refused(text: str) -> None:
    assert account_of(text) is None
    with pytest.raises(PermanentError):
        bare_jid(text)


@pytest.mark.parametrize(
    "uri", ["", "matrix:u/alice:example.org", "alice@example.org", "xmpp:", "xmpp:%ff@x", "xmpp://x"]
)
def test_what_is_no_uri_of_ours_is_refused(uri: str) -> None:
    with pytest.raises(PermanentError):
        jid_of(uri)


@pytest.mark.parametrize("text", ["Tea@muc.example.org", " xmpp:tea@muc.example.org?join ", "xmpp:tea@muc.example.org"])
def test_people_write_rooms_in_several_ways(text: str) -> None:
    assert address_of_room(room_given(text)) == "xmpp:tea@muc.example.org"


def test_a_service_is_not_a_room() -> None:
    with pytest.raises(PermanentError, match="room@service"):
        room_given("muc.example.org")


@given(st.text(max_size=60) | st.text("ab@/.%:?#\\ é\u202e", max_size=20))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    account = account_of(text)
    if account is None:
        with pytest.raises(PermanentError):
            bare_jid(text)
    else:
        assert account_of(jid_of(account)) == account
    for function in (jid_of, room_given):
        with contextlib.suppress(PermanentError):
            function(text)

"""Matrix identifiers as URIs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.matrix.uris import (
    BadIdentifierError,
    RoomReference,
    account_uri,
    read_room,
    room_id_of,
    room_uri,
    server_of,
    user_id_of,
)

SERVERS = st.sampled_from(["example.org", "localhost:8448", "10.0.0.1", "[2001:db8::1]:8448", "Example.ORG"])
LOCALPARTS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=40)


@pytest.mark.parametrize(
    "identifier,uri",
    [
        ("@alice:example.org", "matrix:u/alice:example.org"),
        ("@alice/phone:example.org", "matrix:u/alice%2Fphone:example.org"),
        ("@a%b?c#d:example.org", "matrix:u/a%25b%3Fc%23d:example.org"),
        ("@zoë:example.org", "matrix:u/zo%C3%AB:example.org"),
        ("@Alice:example.org:8448", "matrix:u/Alice:example.org:8448"),
        ("@a:[::1]:8448", "matrix:u/a:%5B::1%5D:8448"),
    ],
)
def test_a_user_id_has_one_uri(identifier: str, uri: str) -> None:
    assert account_uri(identifier) == uri
    assert user_id_of(uri) == identifier


@pytest.mark.parametrize(
    "identifier,uri",
    [
        ("!abc:example.org", "matrix:roomid/abc:example.org"),
        ("!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", "matrix:roomid/31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM"),
        ("!a/b", "matrix:roomid/a%2Fb"),
    ],
)
def test_a_room_id_has_one_uri_with_or_without_a_server(identifier: str, uri: str) -> None:
    assert room_uri(identifier) == uri
    assert room_id_of(uri) == identifier


@given(LOCALPARTS, SERVERS)
def test_every_user_id_comes_back(localpart: str, server: str) -> None:
    user_id = f"@{localpart.replace(':', '') or 'x'}:{server}"
    uri = account_uri(user_id) if len(user_id.encode()) <= 255 else None
    assert uri is None or user_id_of(uri) == user_id
    assert uri is None or uri.isascii()


@given(LOCALPARTS, st.none() | SERVERS)
def test_every_room_id_comes_back(name: str, server: str | None) -> None:
    room_id = f"!{name}" if server is None else f"!{name}:{server}"
    assert len(room_id.encode()) > 255 or room_id_of(room_uri(room_id)) == room_id


@pytest.mark.parametrize(
    "text,reference",
    [
        ("#tea:example.org", RoomReference("#tea:example.org", ())),
        (" !abc ", RoomReference("!abc", ())),
        ("matrix:r/tea:example.org", RoomReference("#tea:example.org", ())),
        ("MATRIX:roomid/abc", RoomReference("!abc", ())),
        ("matrix:roomid/abc?via=a.org&via=b.org:8448", RoomReference("!abc", ("a.org", "b.org:8448"))),
        ("matrix:roomid/abc?via=a.org&action=join&via=a.org", RoomReference("!abc", ("a.org",))),
        ("!a?via=a.org", RoomReference("!a?via=a.org", ())),  # an id may hold a question mark
        ("matrix:roomid/abc?via=%20&via=a/b", RoomReference("!abc", ())),
    ],
)
def test_a_room_is_read_as_people_write_it(text: str, reference: RoomReference) -> None:
    assert read_room(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tea",
        "@alice:example.org",
        "#tea",
        "#tea:",
        "!",
        "!a b:example.org",
        "!a\n:example.org",
        "!" + 255 * "a",
        "matrix:u/alice:example.org",
        "matrix:roomid/",
        "matrix:roomid/a/b",
        "matrix:roomid/%FF",
        "matrix:roomid/%00",
        "matrix:r/tea",
        "xmpp:tea@example.org",
        "matrix:roomid/" + 5000 * "a",
        "!a\ud800",
        "matrix:roomid/a?" + 30 * "via=a.org&",
    ],
)
def test_what_names_no_room_is_refused(text: str) -> None:
    with pytest.raises(BadIdentifierError):
        read_room(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (account_uri, user_id_of, room_uri, room_id_of, read_room, server_of):
        try:
            read(text)
        except BadIdentifierError as error:
            assert str(error)  # noqa: PT017 - most texts are refused, and some are not

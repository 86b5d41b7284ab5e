"""The cursor: what it keeps, and what is refused."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.matrix.cursor import BadCursorError, Cursor, Place, digest_of

PLACES = st.builds(
    Place,
    floor=st.integers(0, 2**53),
    is_whole=st.booleans(),
    told_until=st.none() | st.text(max_size=10),
    looks_left=st.integers(0, 2),
    known=st.lists(st.builds(digest_of, st.text(st.characters(codec="utf-8"), max_size=5)), max_size=5).map(tuple),
    via=st.lists(st.text(max_size=9), max_size=3).map(tuple),
)


@given(st.builds(Cursor, st.text(), st.none() | st.text(), st.dictionaries(st.text(max_size=9), PLACES, max_size=3)))
def test_a_cursor_comes_back(cursor: Cursor) -> None:
    assert Cursor.decode(cursor.encode(), cursor.user_id) == cursor


def test_a_stored_cursor_of_version_1_is_read() -> None:
    stored = Path(__file__).with_name("cursor_v1.json").read_bytes()
    cursor = Cursor.decode(stored, "@alice:example.org")
    known = tuple(map(digest_of, ["$one", "$two"]))
    assert cursor == Cursor(
        "@alice:example.org",
        "s72_9",
        {
            "!tea": Place(1700000000000, is_whole=True, looks_left=2, known=known),
            "!coffee:example.org": Place(0, told_until="s70_9"),
        },
    )
    assert cursor.encode() == stored.strip()


def test_another_accounts_cursor_is_refused() -> None:
    with pytest.raises(BadCursorError, match="another account"):
        Cursor.decode(Cursor("@alice:a.org").encode(), "@bob:a.org")


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"since": 5},
        {"rooms": []},
        {"rooms": {"!a": {}}},
        {"rooms": {"!a": {"floor": 0, "whole": True, "until": None, "looks": 0, "known": "", "via": "a.org"}}},
        {"rooms": {"!a": {"floor": 0, "whole": True, "until": None, "looks": 0, "known": "", "via": [5]}}},
        {"rooms": {"!a": {"floor": 0, "whole": True, "until": None, "looks": 0, "known": "?"}}},
        {
            "rooms": {
                "!a": {
                    "floor": 0,
                    "whole": True,
                    "until": None,
                    "looks": 0,
                    "known": base64.b64encode(b"1234567").decode(),
                }
            }
        },
    ],
)
def test_what_is_not_a_cursor_is_refused(change: dict[str, object]) -> None:
    record = {"v": 1, "user": "@a:b", "since": None, "rooms": {}, **change}
    with pytest.raises(BadCursorError):
        Cursor.decode(json.dumps(record).encode(), "@a:b")


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(BadCursorError):
        Cursor.decode(data, "@a:b")


def test_a_room_that_a_sync_left_out_stays_where_it_was() -> None:
    cursor = Cursor("@a:b", "s1", {"!a": Place(0), "!b": Place(0)})
    cursor = cursor.advanced("s2", ["!a"]).advanced("s3", ["!a"])
    assert cursor.since == "s3"
    assert cursor.places["!a"].told_until is None
    assert cursor.places["!b"].told_until == "s1"
    assert cursor.advanced("s4", ["!b"]).places == {"!a": Place(0, told_until="s3"), "!b": Place(0)}


def test_a_place_knows_the_last_512_events_and_forgets_older_ones_first() -> None:
    place = Place(0).knowing(str(number) for number in range(600))
    assert place.known == tuple(digest_of(str(number)) for number in range(88, 600))
    assert place.standing_on(["older", "599"]).known == place.known
    few = Place(0).knowing(["b"]).standing_on(["a", "b"])
    assert few.known == (digest_of("a"), digest_of("b"))

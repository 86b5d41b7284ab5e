"""The front ends' pure parts: names, numbers, digits, layout, and cutting a stream into lines."""

import json
import re
from datetime import UTC
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from bridge.content import Kind
from bridge.conversation import MessageArrived, Quit, RoomShown, Say
from bridge.terminal.commands import CommandError, read
from bridge.terminal.digits import show_digits
from bridge.terminal.layout import Layout
from bridge.terminal.painting import Painter
from bridge.terminal.people import AmbiguousNameError, People
from bridge.terminal.pipes import MAX_LINE, LineSplitter, TooLong
from bridge.terminal.transcript import MAX_LINES, Transcript
from tests.bridge.terminal.leading import BOB, message, message_id

ROOM = RoomShown("xmpp:tea@muc.example.org", "Tea", "xmpp:alice@example.org", "Alice")
CAROL = "xmpp:carol@example.org"


# --- Digits -----------------------------------------------------------------------------------------------------------


def test_digits_stand_in_groups_of_five() -> None:
    assert show_digits("12345" * 12) == ["12345  12345  12345  12345"] * 3
    assert show_digits("67890" * 6) == ["67890  67890  67890"] * 2


@given(st.text("0123456789", min_size=1, max_size=60))
def test_every_digit_is_shown_once_and_in_order(digits: str) -> None:
    rows = show_digits(digits)

    assert "".join(rows).replace(" ", "") == digits
    assert max(len(row) for row in rows) <= 26


# --- People -----------------------------------------------------------------------------------------------------------


def test_a_name_that_two_bear_stands_for_neither() -> None:
    people = People(ROOM.account)
    assert people.see(BOB, "Bob") is None
    assert (people.label(BOB), people.find("bob"), people.reference(BOB)) == ("Bob", BOB, "Bob")

    people.see(CAROL, "BOB")
    assert people.label(BOB) == f"Bob ({BOB})"
    assert people.reference(BOB) == BOB
    with pytest.raises(AmbiguousNameError, match="More than one"):
        people.find("Bob")

    assert people.see(CAROL, "Carol") == "BOB"
    assert people.label(BOB) == "Bob"
    assert people.find("Bob") == BOB


def test_accounts_are_found_and_strangers_are_for_the_session() -> None:
    people = People(ROOM.account)

    assert people.find(ROOM.account) == people.find("you") == ROOM.account
    assert people.find(CAROL) == CAROL
    assert people.find("@dave:example.org") == "matrix:u/dave:example.org"
    assert people.find("dave@example.org") == "xmpp:dave@example.org"
    assert people.label(CAROL) == people.full_label(CAROL) == CAROL
    assert people.find(" Dave ") == "Dave"  # the session may know whom it means


@given(
    st.lists(st.tuples(st.sampled_from([BOB, CAROL, "xmpp:x@y"]), st.text(max_size=5) | st.just("you")), max_size=20)
)
def test_whoever_a_label_stands_for_is_found_by_it(seen: list[tuple[str, str]]) -> None:
    people = People(ROOM.account)
    for account, name in seen:
        people.see(account, name)

    labels = [people.label(account) for account in (BOB, CAROL, "xmpp:x@y", ROOM.account)]
    assert len(set(labels)) == 4
    for account in (BOB, CAROL, "xmpp:x@y"):
        assert people.find(people.reference(account)) == account


def test_colours_are_the_accounts_own() -> None:
    assert People("a").colour(BOB) == People("b").colour(BOB)
    assert len({People("a").colour(f"xmpp:{n}@example.org") for n in range(50)}) > 4


# --- Transcript and commands ------------------------------------------------------------------------------------------


def test_only_the_last_messages_have_numbers() -> None:
    transcript = Transcript()
    for number in range(MAX_LINES + 10):
        assert transcript.remember(message_id(number), BOB, "x").number == number + 1

    assert transcript.numbered(10) is None
    assert not transcript.knows(message_id(9))
    line = transcript.numbered(11)
    assert line is not None
    assert line.id == message_id(10)
    assert transcript.remember(message_id(10), BOB, "again") is line


@given(st.text())
def test_any_typed_line_means_something_or_is_explained(typed: str) -> None:
    transcript = Transcript()
    transcript.remember(message_id(1), BOB, "x")

    try:
        meaning = read(typed, People(ROOM.account), transcript, {})
    except CommandError:
        assert typed.strip().startswith("/")
        return
    assert (meaning is None) == (not typed.strip())
    if not typed.strip().startswith("/") and meaning is not None:
        assert meaning == Say(typed.strip())


@pytest.mark.parametrize(
    "typed, meaning",
    [
        ("  hi  ", Say("hi")),
        ("//help", Say("/help")),
        ("/reply #1  yes, at noon", Say("yes, at noon", reply_to=message_id(1))),
        ("/QUIT", Quit()),
        ("two\nlines", Say("two\nlines")),
    ],
)
def test_typed_lines(typed: str, meaning: object) -> None:
    transcript = Transcript()
    transcript.remember(message_id(1), BOB, "x")

    assert read(typed, People(ROOM.account), transcript, {}) == meaning


# --- Layout -----------------------------------------------------------------------------------------------------------


@given(st.integers(20, 120), st.text(max_size=300), st.text(max_size=60))
def test_no_line_is_wider_than_the_window(width: int, text: str, name: str) -> None:
    painter = Painter(ROOM, now_ms=lambda: 0, zone=UTC)
    lines = painter.paint(message(1, text, sender_name=name), width)

    assert lines
    for line in lines:
        assert line.cell_len <= width
        assert not set(line.plain) & set("\x1b\r\n\x07\x9b\u202e")


@given(st.text(max_size=200), st.sampled_from(Kind))
def test_nothing_written_begins_a_line(text: str, kind: Kind) -> None:
    painter = Painter(ROOM, now_ms=lambda: 0, zone=UTC)
    what = message(1, text, kind=kind, replaces=message_id(2), reply_to=message_id(3))
    _, first, *rest = (line.plain for line in painter.paint(what, 60))

    assert re.match(r"14:03   Bob", first)
    assert all(line.startswith("      ") for line in rest)


def test_long_messages_leave_room_for_others() -> None:
    lines = Layout(80).message(Text("head"), "line\n" * 500)

    assert len(lines) == 82
    assert lines[-1].plain.strip() == "| [cut here: 2,500 characters in all]"


def test_own_messages_are_shown_once_whichever_comes_first() -> None:
    def own(number: int) -> MessageArrived:
        return message(number, "hi", is_own=True, sender_account=ROOM.account)

    painter = Painter(ROOM, now_ms=lambda: 0, zone=UTC)
    assert painter.said(message_id(1), Say("hi"), 80)
    assert painter.paint(own(1), 80) == []
    assert painter.paint(own(2), 80)
    assert painter.said(message_id(2), Say("hi"), 80) == []


# --- Streams ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=20)), st.integers(1, 7))
def test_lines_are_the_same_however_they_arrive(pieces: list[bytes], size: int) -> None:
    data = b"\n".join(pieces)
    splitter = LineSplitter()
    lines = [line for start in range(0, len(data), size) for line in splitter.feed(data[start : start + size])]
    lines += splitter.end()

    expected = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    assert lines == (expected if data.rpartition(b"\n")[2] else expected[:-1])


def test_a_line_that_is_too_long_is_passed_over_whole() -> None:
    splitter = LineSplitter()
    lines = [*splitter.feed(b"a" * MAX_LINE + b"\n")]
    for _ in range(5):
        lines += splitter.feed(b"b" * (MAX_LINE // 2))
        assert len(splitter._begun) <= MAX_LINE
    lines += [*splitter.feed(b"\nafter\n"), *splitter.end()]

    assert len(lines) == 3
    assert lines[0] == b"a" * MAX_LINE
    assert isinstance(lines[1], TooLong)
    assert lines[2] == b"after"


# --- The page ---------------------------------------------------------------------------------------------------------


def test_the_page_names_every_type_and_field_of_the_schema() -> None:
    page = (Path(__file__).parents[3] / "docs" / "json-lines.md").read_text(encoding="utf-8")
    schema = json.loads(resources.files("bridge.terminal").joinpath("lines.schema.json").read_text(encoding="utf-8"))
    definitions = schema["$defs"]
    named = [definitions[ref["$ref"].rpartition("/")[2]] for ref in definitions["happening"]["oneOf"]]
    asked = [definitions[ref["$ref"].rpartition("/")[2]] for ref in definitions["request"]["oneOf"]]

    for line in (*named, *asked):
        (row,) = [
            row
            for row in page.splitlines()
            if row.startswith("|") and f"`{line['properties']['type']['const']}`" in row.split("|")[1]
        ]
        fields = line["properties"].keys() - {"type", "position", "id"}
        assert fields <= set(re.findall(r"`(\w+)`", row)), row

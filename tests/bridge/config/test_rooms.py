"""Rooms, and what the program can be in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bridge.config.files import GOOD, problems, written

TWO_SIDES = 'sides: [{account: hs, room: "#t:t"}, {account: muc, room: t@t}]'

ROLES = {
    "relay with one side": (
        "sides: [{account: muc, room: tea@muc.tea.party}]\n    relay: true",
        "relay has nothing to copy to: there is one side; add a side, or write false",
    ),
    "two sides without a relay": (
        f"{TWO_SIDES}\n    home: hs\n    sequencer: true",
        "relay is off, and several sides are linked by nothing; write true, or keep one side",
    ),
    "mode room with two sides": (
        f"{TWO_SIDES}\n    home: muc\n    relay: true\n    mode: room",
        "mode is room, for one MUC alone, and there are several sides; write sealed",
    ),
    "mode room on Matrix": (
        'sides: [{account: hs, room: "#t:t"}]\n    mode: room\n    member: {account: hs}',
        "mode is room, for a MUC alone; write sealed: Matrix servers disagree on the order",
    ),
    "sequencer in mode room": (
        "sides: [{account: muc, room: t@t}]\n    mode: room\n    sequencer: true",
        "sequencer means nothing in mode room: its archive is the order; write false",
    ),
    "no home": (
        f"{TWO_SIDES}\n    relay: true",
        "home is missing; write hs or muc: whose room is the home room",
    ),
    "home elsewhere": (
        "sides: [{account: muc, room: t@t}]\n    home: hs\n    sequencer: true",
        "home is the account of none of the sides; write muc",
    ),
    "member elsewhere": (
        "sides: [{account: muc, room: t@t}]\n    member: {account: hs}",
        "member.account is the account of none of the sides; write muc",
    ),
    "unknown account": (
        "sides: [{account: xmpp, room: t@t}]\n    sequencer: true",
        "sides[0].account is none of the accounts; write hs or muc, or add an account",
    ),
    "one account twice": (
        "sides: [{account: muc, room: t@t}, {account: muc, room: u@t}]\n    home: muc\n    relay: true",
        "sides[1].account is muc again; an account has one side in a room: log in with another account for this one",
    ),
    "no role": (
        "sides: [{account: muc, room: t@t}]",
        "rooms.tea leaves nothing to do; set `relay`, `sequencer` or `member`",
    ),
    "group of a relay": (
        f'{TWO_SIDES}\n    home: hs\n    relay: true\n    group: "00ff"',
        "group means nothing to a relay, which copies for any group; leave it out",
    ),
    "no side": ("sides: []\n    sequencer: true", "sides is empty; it is: the room on each network"),
}


@pytest.mark.parametrize("room, expected", ROLES.values(), ids=ROLES)
def test_roles_that_make_no_sense_are_refused(tmp_path: Path, room: str, expected: str) -> None:
    text = f"{GOOD[: GOOD.index('rooms:')]}rooms:\n  tea:\n    {room}\n"

    [line] = problems(tmp_path, text)

    assert expected in line


def test_room_is_a_side_of_one_room_alone(tmp_path: Path) -> None:
    other = "  chess:\n    sides: [{account: muc, room: TEA@muc.tea.party}]\n    sequencer: true\n"

    assert problems(tmp_path, GOOD + other) == [
        "line 22: rooms.chess.sides[0].room is a side of tea too; a room belongs to one group"
    ]


def test_the_group_is_any_unless_it_is_named(tmp_path: Path) -> None:
    unnamed = written(tmp_path, GOOD).rooms["tea"]
    named = written(tmp_path, GOOD + '    sequencer: true\n    group: "00FF9f86"\n').rooms["tea"]

    assert (unnamed.group, unnamed.group_id) == (None, b"")
    assert (named.group, named.group_id) == ("00ff9f86", b"\x00\xff\x9f\x86")


@pytest.mark.parametrize("group", ['"9f8"', '"tea"', '""', '"0x9f86"', '"9f 86"', f'"{"9f" * 65}"', '"٩٩"'])
def test_what_is_no_id_of_a_group_is_refused(tmp_path: Path, group: str) -> None:
    [line] = problems(tmp_path, GOOD + f"    sequencer: true\n    group: {group}\n")

    assert line.endswith("rooms.tea.group is not the id of a group; write what `openssl rand -hex 16` makes, in quotes")


def test_an_id_of_digits_alone_needs_its_quotes(tmp_path: Path) -> None:
    [line] = problems(tmp_path, GOOD + f"    sequencer: true\n    group: {'12' * 16}\n")

    assert line.endswith("rooms.tea.group is not text; put it in quotes")

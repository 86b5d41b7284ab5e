"""A file's format is told by what its entries hold."""

from __future__ import annotations

import itertools

import pytest

from mls.conformance import FORMATS, recognise
from mls.conformance.fields import declaration
from tests.mls.conformance.examples import example

FIELDS = {name: declaration(entry).fields.keys() for name, entry in FORMATS.items()}


def test_no_two_formats_have_the_same_fields() -> None:
    assert all(FIELDS[one] != FIELDS[other] for one, other in itertools.combinations(FORMATS, 2))


@pytest.mark.parametrize("name", FORMATS)
def test_format_is_recognised_by_its_fields(name: str) -> None:
    assert recognise([example(name)]) == name
    assert recognise([dict.fromkeys(FIELDS[name])]) == name


@pytest.mark.parametrize("name", [name for name in FORMATS if len(FIELDS[name]) > 2])
def test_entry_that_lacks_a_field_is_still_recognised(name: str) -> None:
    for missing in FIELDS[name]:
        assert recognise([{key: value for key, value in example(name).items() if key != missing}]) == name


def test_one_whole_entry_is_enough() -> None:
    assert recognise([None, {}, {"length": 0}, example("deserialization"), 3]) == "deserialization"


def test_closest_entry_decides() -> None:
    broken = {key: value for key, value in example("passive-client").items() if key != "epochs"}

    assert recognise([broken, example("welcome")]) == "welcome"
    assert recognise([broken, {"welcome": ""}]) == "passive-client"


def test_most_entries_decide_between_formats_that_are_both_there() -> None:
    one, other = example("welcome"), example("psk_secret")

    assert recognise([one, other, other]) == "psk_secret"
    assert recognise([other, one, one]) == "welcome"
    assert recognise([one, other]) == "welcome"


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        "psk_secret",
        {},
        {"vlbytes_header": "00", "length": 0},
        [],
        [[]],
        [1, None, "x"],
        [{}],
        [{"name": "x", "version": 1}],
        [{"length": 0}],
        [{"cipher_suite": 1}],
        [dict.fromkeys(["vlbytes_header", "length", "a", "b"])],
    ],
)
def test_anything_else_is_not(value: object) -> None:
    assert recognise(value) is None

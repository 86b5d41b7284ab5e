"""What a vector states is really compared: any change of an expected field fails that entry, and no other."""

from __future__ import annotations

import random

import pytest

from mls.conformance import FORMATS, run
from mls.conformance.checks import CheckError
from mls.conformance.fields import declaration
from tests.mls.conformance.changes import changes, expected_fields, field_of, replaced
from tests.mls.conformance.examples import EXAMPLES, example

NOTICED_ELSEWHERE = {
    "encrypt_with_label.kem_output": "encrypt_with_label.ciphertext",
    "authenticated_content": "conf",  # the key of the tag in it, or the hash over all the rest
}
"""Fields that are authenticated together with another, and how the place begins where that is noticed."""


def test_there_is_an_example_of_every_format() -> None:
    assert EXAMPLES.keys() == FORMATS.keys()


@pytest.mark.parametrize("name", FORMATS)
def test_example_has_every_expected_field(name: str) -> None:
    declared = declaration(FORMATS[name])

    expected = set(expected_fields(declared))

    assert expected
    assert {field_of(path) for path, _ in changes(declared, example(name))} == expected


@pytest.mark.parametrize("name", FORMATS)
def test_a_change_of_an_expected_field_fails_that_entry_alone(name: str) -> None:
    original = example(name)
    generator = random.Random(1)
    places = list(changes(declaration(FORMATS[name]), original))
    changed = [replaced(original, path, wrong) for path, wrong in places]

    first, *results, last = run(name, [original, *changed, original], generator.randbytes)

    assert first.failure is None
    assert last.failure is None
    for (path, wrong), result in zip(places, results, strict=True):
        assert result.failure is not None, f"{path} = {wrong}"
        assert is_near(result.failure.check, CheckError(path, "").check), f"{path}: {result.failure}"


def is_near(check: str, changed: str) -> bool:
    """Whether a failure is at the place of the change, within it or around it."""
    elsewhere = NOTICED_ELSEWHERE.get(changed, changed)
    return check.startswith((changed, elsewhere)) or (check != "" and changed.startswith(check))

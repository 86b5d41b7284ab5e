"""All official vectors pass, with randomness that is repeatable: the command's own tests run them with the system's."""

from __future__ import annotations

import random
import zlib

import pytest

from mls.conformance import FORMATS, recognise, run
from tests.vectors.official import SUMS, entries

FORMAT_OF = {
    "passive-client-handling-commit.json": "passive-client",
    "passive-client-random.json": "passive-client",
    "passive-client-welcome.json": "passive-client",
}

OF_ONE_SUITE = {"tree-operations.json", "passive-client-random.json"}
OF_NO_SUITE = {"tree-math.json", "deserialization.json", "messages.json"}


PARTS = {"treekem.json": 4}
"""Into how many tests a file is cut, for several processes to share."""


@pytest.mark.parametrize("name, part", [(name, part) for name in SUMS for part in range(PARTS.get(name, 1))])
def test_official_file_passes(name: str, part: int) -> None:
    given = entries(name)[part :: PARTS.get(name, 1)]
    generator = random.Random(zlib.crc32(name.encode()))
    recognised = recognise(given)
    assert recognised == FORMAT_OF.get(name, name.removesuffix(".json"))

    results = list(run(recognised, given, generator.randbytes))

    assert [result for result in results if result.failure is not None] == []
    assert [result.entry for result in results] == list(range(len(given)))
    suites = {result.suite for result in results}
    assert suites == ({None} if name in OF_NO_SUITE else {1} if name in OF_ONE_SUITE else set(range(1, 8)))


def test_there_are_785_entries_in_all_formats() -> None:
    assert sum(len(entries(name)) for name in SUMS) == 785
    assert {recognise(entries(name)) for name in SUMS} == FORMATS.keys()

"""The bytes of the room protocol are fixed: what another implementation was built from must not change under it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.protocol.seal import Seal, check_seal
from mls.codec import Struct
from tests.bridge.protocol.examples import KEY, NUMBERS, STRUCTURES

_FROZEN = json.loads((Path(__file__).parents[2] / "vectors" / "protocol" / "examples.json").read_text())


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_structure_has_its_frozen_bytes(name: str) -> None:
    structure: Struct = STRUCTURES[name]
    assert structure.encode().hex() == _FROZEN["structures"][name]
    assert type(structure).decode(bytes.fromhex(_FROZEN["structures"][name])) == structure


@pytest.mark.parametrize("name", NUMBERS)
def test_a_hash_has_its_frozen_value(name: str) -> None:
    assert NUMBERS[name] == _FROZEN["numbers"][name]


def test_nothing_is_frozen_that_is_not_checked() -> None:
    assert _FROZEN["structures"].keys() == STRUCTURES.keys()
    assert _FROZEN["numbers"].keys() == NUMBERS.keys()


def test_the_frozen_seal_is_signed() -> None:
    check_seal(Seal.decode(bytes.fromhex(_FROZEN["structures"]["Seal"])), KEY.public_key)

"""Ids: of one counter, each of one kind, and not more than there is room for."""

from __future__ import annotations

import pytest

from bridge.interop import registry
from bridge.interop.errors import CallError, Code
from bridge.interop.host import Host
from bridge.interop.registry import Membership, Registry, Signer, Transaction
from mls import CIPHER_SUITES


@pytest.fixture
def signer() -> Signer:
    return Signer(Host().client(b"ds", CIPHER_SUITES[1]))


def test_ids_are_never_used_again(signer: Signer) -> None:
    ids = Registry()
    first = ids.add(signer)
    ids.free(first)

    assert ids.add(signer) == first + 1
    assert first > 0  # what a request says where it says nothing


def test_an_id_of_another_kind_is_not_found_and_the_reason_says_what_it_is(signer: Signer) -> None:
    ids = Registry()
    number = ids.add(signer)

    with pytest.raises(CallError, match="no state has the id 1: that is the id of a signer") as caught:
        ids.get(number, Membership)
    assert caught.value.code is Code.NOT_FOUND
    with pytest.raises(CallError, match="no transaction has the id 1: that is the id of a signer"):
        ids.get(number, Transaction)
    with pytest.raises(CallError, match="no state or transaction has the id"):
        ids.get_holder_of_psks(number)
    assert ids.get(number, Signer) is signer


def test_what_was_not_used_for_longest_is_forgotten_first(signer: Signer) -> None:
    ids = Registry(max_entries=3)
    first, second, third = (ids.add(signer) for _ in range(3))
    ids.get(first, Signer)
    fourth = ids.add(signer)

    with pytest.raises(CallError):
        ids.get(second, Signer)
    for number in (first, third, fourth):
        assert ids.get(number, Signer) is signer


def test_ids_have_32_bits(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MAX_ID", 2)
    ids = Registry()
    ids.add(signer)
    ids.add(signer)

    with pytest.raises(CallError) as caught:
        ids.add(signer)
    assert caught.value.code is Code.RESOURCE_EXHAUSTED

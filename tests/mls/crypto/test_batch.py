import os
import random
import threading

import pytest

from mls.crypto.batch import SignatureCheck, verify_batch
from mls.crypto.suite import CIPHER_SUITES, CipherSuite

SUITE = CIPHER_SUITES[1]
MANY = 100


def checks_with_bad_ones(suite: CipherSuite, count: int, bad: set[int]) -> list[SignatureCheck]:
    """Each with a key, a label and a content of its own; those in `bad` have another's signature."""
    keys = [suite.generate_signature_key(random.Random(seed).randbytes) for seed in range(3)]
    checks = []
    for number in range(count):
        key, label, content = keys[number % 3], f"label {number % 2}", b"content %d" % number
        signed = b"something else" if number in bad else content
        checks.append(SignatureCheck(key.public_key, label, content, suite.sign_with_label(key, label, signed)))
    return checks


@pytest.mark.parametrize("processors", [None, 1, 2, 3, 64])
@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, MANY])
def test_results_are_in_the_order_of_the_checks(
    monkeypatch: pytest.MonkeyPatch, processors: int | None, count: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    bad = {0, 15, 16, 30, 50, 98, 99}

    results = verify_batch(SUITE, checks_with_bad_ones(SUITE, count, bad))

    assert results == [number not in bad for number in range(count)]


def test_nothing_to_verify_is_nothing_wrong() -> None:
    assert verify_batch(SUITE, []) == []


@pytest.mark.parametrize("number", CIPHER_SUITES)
def test_threads_come_to_the_same_results(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    suite = CIPHER_SUITES[number]
    checks = checks_with_bad_ones(suite, 40, {3, 20, 39})
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    alone = verify_batch(suite, checks)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)

    assert verify_batch(suite, checks) == alone


def test_no_thread_outlives_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    before = threading.active_count()
    verify_batch(SUITE, checks_with_bad_ones(SUITE, MANY, set()))

    assert threading.active_count() == before

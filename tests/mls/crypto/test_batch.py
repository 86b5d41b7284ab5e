import os
import random
import threading

import pytest

from mls.crypto.batch import SignatureCheck, seal_batch, verify_batch
from mls.crypto.random import system_random
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


@pytest.mark.parametrize("suite", CIPHER_SUITES.values(), ids=lambda suite: f"suite{suite.number}")
@pytest.mark.parametrize("processors", [1, 3])
def test_each_recipient_gets_its_own_message(
    monkeypatch: pytest.MonkeyPatch, suite: CipherSuite, processors: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    draw = random.Random(1).randbytes
    keys = [suite.generate_hpke_key(draw) for _ in range(3)]
    messages = [(keys[number % 3].public_key, b"message %d" % number) for number in range(50)]

    sealed = seal_batch(suite.encryptor_with_label("label", b"context", system_random), messages)

    for number, (enc, ciphertext) in enumerate(sealed):
        opened = suite.decrypt_with_label(keys[number % 3], "label", b"context", enc, ciphertext)
        assert opened == messages[number][1]


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_seeded_source_gives_the_same_batch_on_any_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    suite = CIPHER_SUITES[number]
    key = suite.generate_hpke_key(random.Random(1).randbytes)

    def batch(processors: int) -> list[tuple[bytes, bytes]]:
        monkeypatch.setattr(os, "cpu_count", lambda: processors)
        sealer = suite.encryptor_with_label("label", b"context", random.Random(2).randbytes)
        return seal_batch(sealer, [(key.public_key, b"message %d" % item) for item in range(MANY)])

    assert batch(1) == batch(4)
    sealer = suite.encryptor_with_label("label", b"context", random.Random(2).randbytes)
    assert batch(4)[:2] == [sealer.seal(key.public_key, b"message 0"), sealer.seal(key.public_key, b"message 1")]


def test_a_bad_public_key_in_a_batch_is_an_error() -> None:
    sealer = SUITE.encryptor_with_label("label", b"context", system_random)
    with pytest.raises(ValueError, match="not a public key"):
        seal_batch(sealer, [(bytes(32), b"message")] * MANY)

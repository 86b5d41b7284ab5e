import copy
import pickle

import pytest

from mls.crypto.secret import Secret, wipe
from mls.errors import UsageError


def test_a_secret_shows_its_length_alone() -> None:
    secret = Secret(b"hunter2")

    assert repr(secret) == str(secret) == f"{secret}" == "<Secret, 7 bytes>"
    assert len(secret) == 7


def test_secrets_are_equal_by_value() -> None:
    assert Secret(b"one") == Secret(bytearray(b"one"))
    assert Secret(b"one") != Secret(b"two")
    assert Secret(b"one") != Secret(b"ones")


def test_a_secret_equals_no_bytes() -> None:
    assert Secret(b"one") != b"one"
    assert Secret(b"one").__eq__(b"one") is NotImplemented


def test_a_secret_cannot_be_hashed() -> None:
    with pytest.raises(TypeError):
        hash(Secret(b"one"))


def test_a_secret_has_a_buffer_of_its_own() -> None:
    given = bytearray(b"one")
    secret = Secret(given)
    given[:] = b"two"

    assert secret.value == b"one"


def test_wiping_overwrites_the_buffer_itself() -> None:
    secret = Secret(b"one")
    buffer = secret.value
    secret.wipe()

    assert buffer == bytes(3)
    assert secret.is_wiped
    assert len(secret) == 0
    assert repr(secret) == "<Secret, 0 bytes>"


def test_a_wiped_secret_is_of_no_use() -> None:
    secret = Secret(b"one")
    assert not secret.is_wiped
    secret.wipe()

    with pytest.raises(UsageError, match="wiped"):
        _ = secret.value


def test_wiping_twice_is_wiping_once() -> None:
    secret = Secret(b"one")
    wipe([secret, secret])
    wipe([])

    assert secret.is_wiped


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="neither pickled nor deep-copied"):
        pickle.dumps(Secret(b"one"), protocol)


def test_a_secret_is_not_copied() -> None:
    secret = Secret(b"one")

    with pytest.raises(TypeError, match="neither pickled nor deep-copied"):
        copy.deepcopy(secret)  # noqa: TID251 - that it fails is the point
    with pytest.raises(TypeError, match="neither pickled nor deep-copied"):
        copy.copy(secret)

"""Key pairs of the KEMs: derived, parsed, refused."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from mls.crypto.dhkem import DhKem, NistKem
from mls.crypto.kdf import Kdf
from mls.crypto.kem import HPKEPrivateKey
from mls.crypto.suite import CIPHER_SUITES, EXPERIMENTAL_CIPHER_SUITES, CipherSuite
from mls.errors import InternalError, UsageError

HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
SHA512 = Kdf("sha512", 64)
SEED = bytes(range(100, 170))

KEMS = {suite.kem.id: suite for suite in [*CIPHER_SUITES.values(), *EXPERIMENTAL_CIPHER_SUITES.values()]}

suites = pytest.mark.parametrize("suite", KEMS.values(), ids=lambda suite: f"kem{suite.kem.id:#x}")
dh_kems = pytest.mark.parametrize(
    "kem",
    [suite.kem for suite in KEMS.values() if isinstance(suite.kem, DhKem)],
    ids=lambda kem: f"kem{kem.id:#x}",
)
nist = pytest.mark.parametrize("suite", [CIPHER_SUITES[number] for number in (2, 5, 7)], ids=["p256", "p521", "p384"])


def labeled_candidate(kem: DhKem, label: bytes, info: bytes, seed: bytes) -> bytes:
    """RFC 9180, sections 4 and 7.1.3, by `cryptography`'s HKDF."""
    algorithm, prefix = HASHES[kem.kdf.hash_name](), b"HPKE-v1KEM" + kem.id.to_bytes(2, "big")
    prk = HKDF.extract(algorithm, None, prefix + b"dkp_prk" + seed)
    return HKDFExpand(algorithm, kem.Nsk, kem.Nsk.to_bytes(2, "big") + prefix + label + info).derive(prk)


@dh_kems
def test_a_derived_key_is_the_labeled_expansion_of_its_seed(kem: DhKem) -> None:
    if isinstance(kem, NistKem):
        candidate = labeled_candidate(kem, b"candidate", b"\x00", SEED)
        expected = bytes([candidate[0] & kem.bitmask]) + candidate[1:]
    else:
        expected = labeled_candidate(kem, b"sk", b"", SEED)

    pair = kem.derive_key_pair(SEED)

    assert pair.secret.value == expected
    assert len(pair.public_key) == kem.Npk
    assert pair.public_key == kem.parse_private(expected)[1]


def test_candidates_that_are_no_private_key_are_passed_over() -> None:
    # Without the mask that clears P-521's seven spare bits, one candidate in 128 is below the order.
    kem = NistKem(0x0012, SHA512, ec.SECP521R1(), 0xFF)
    candidates = [labeled_candidate(kem, b"candidate", bytes([counter]), b"a seed") for counter in range(256)]
    expected = next(item for item in candidates if 0 < int.from_bytes(item, "big") < kem.curve.group_order)

    assert expected != candidates[0]
    assert kem.derive_private(b"a seed") == expected


def test_a_kdf_that_gives_zeros_gives_no_key() -> None:
    class Zeros(Kdf):
        def expand(self, prk: bytes | bytearray, info: bytes, length: int) -> bytes:  # noqa: ARG002 - broken
            return bytes(length)

    kem = NistKem(0x0010, Zeros("sha256", 32), ec.SECP256R1(), 0xFF)

    with pytest.raises(InternalError, match="256 candidates"):
        kem.derive_private(SEED)


@suites
def test_key_pairs_load_from_what_is_stored(suite: CipherSuite) -> None:
    pair = suite.derive_key_pair(SEED)
    loaded = suite.load_hpke_key(bytes(pair.secret.value))

    assert loaded.public_key == pair.public_key
    assert suite.is_hpke_public_key(pair.public_key)


@suites
def test_a_key_is_parsed_once(suite: CipherSuite) -> None:
    pair = suite.derive_key_pair(SEED)

    assert pair.key is pair.key
    assert pair.public_key is pair.public_key


@suites
def test_a_copy_is_wiped_on_its_own(suite: CipherSuite) -> None:
    pair = suite.derive_key_pair(SEED)
    public_key = pair.public_key
    twin = pair.copy()
    pair.secret.wipe()

    assert twin.secret == suite.derive_key_pair(SEED).secret
    assert twin.public_key == public_key
    assert twin.kem is suite.kem


@suites
def test_keys_of_two_kems_are_not_mixed(suite: CipherSuite) -> None:
    enc, _ = suite.kem.encap(suite.derive_key_pair(SEED).public_key, lambda size: SEED[:size])
    for other in KEMS.values():
        # Two NIST curves are told apart by the library, with a ValueError.
        if other.kem is not suite.kem and not (isinstance(other.kem, NistKem) and isinstance(suite.kem, NistKem)):
            with pytest.raises(InternalError, match=r"KEMs? .*mixed"):
                suite.kem.decap(other.derive_key_pair(SEED), enc)


@suites
def test_a_private_key_that_is_too_long_does_not_load(suite: CipherSuite) -> None:
    with pytest.raises(UsageError, match=f"not an HPKE private key of cipher suite {suite.number}"):
        suite.load_hpke_key(b"\xff" * (suite.kem.Nsk + 1))


@nist
def test_scalars_outside_the_group_do_not_load(suite: CipherSuite) -> None:
    assert isinstance(suite.kem, NistKem)
    order = suite.kem.curve.group_order.to_bytes(suite.kem.Nsk, "big")
    for scalar in (bytes(suite.kem.Nsk), order, b"\xff" * suite.kem.Nsk):
        with pytest.raises(UsageError, match="not an HPKE private key"):
            suite.load_hpke_key(scalar)


@suites
def test_public_keys_of_other_sizes_are_none(suite: CipherSuite) -> None:
    public_key = suite.derive_key_pair(SEED).public_key

    assert not suite.is_hpke_public_key(b"")
    assert not suite.is_hpke_public_key(public_key[:-1])
    assert not suite.is_hpke_public_key(public_key + b"\x00")


@nist
def test_a_public_key_is_an_uncompressed_point_of_its_curve(suite: CipherSuite) -> None:
    public_key = suite.derive_key_pair(SEED).public_key
    size = (len(public_key) - 1) // 2
    y_is_odd = public_key[-1] & 1
    off_the_curve = public_key[:-1] + bytes([public_key[-1] ^ 1])

    assert suite.is_hpke_public_key(public_key)
    assert not suite.is_hpke_public_key(bytes([2 + y_is_odd]) + public_key[1 : 1 + size])  # compressed
    assert not suite.is_hpke_public_key(bytes([6 + y_is_odd]) + public_key[1:])  # hybrid
    assert not suite.is_hpke_public_key(b"\x00")  # the point at infinity
    assert not suite.is_hpke_public_key(b"\x04" + bytes(2 * size))
    assert not suite.is_hpke_public_key(off_the_curve)


def test_a_curve_that_the_library_does_not_have_has_no_keys() -> None:
    class Nobodys(ec.EllipticCurve):
        name = "nobody's"
        key_size = 256
        group_order = 7

    kem = NistKem(0x0010, SHA512, Nobodys(), 0xFF)

    with pytest.raises(ValueError, match="not supported"):
        kem.parse_public(b"\x04" + bytes(64))


def test_a_private_key_shows_its_kem_alone() -> None:
    pair = HPKEPrivateKey(CIPHER_SUITES[1].kem, SEED[:32])

    assert repr(pair) == "<HPKEPrivateKey, KEM 0x0020>"


def test_sizes_are_those_of_rfc_9180() -> None:
    sizes = {}
    for number, suite in KEMS.items():
        kem = suite.kem
        enc, shared_secret = kem.encap(suite.derive_key_pair(SEED).public_key, lambda size: SEED[:size])
        sizes[number] = (kem.Nsk, kem.Npk, kem.Nenc, len(shared_secret))
        assert len(enc) == kem.Nenc

    assert sizes == {
        0x0010: (32, 65, 65, 32),
        0x0011: (48, 97, 97, 48),
        0x0012: (66, 133, 133, 64),
        0x0020: (32, 32, 32, 32),
        0x0021: (56, 56, 56, 64),
        0x647A: (32, 1216, 1120, 32),  # draft-connolly-cfrg-xwing-kem
    }

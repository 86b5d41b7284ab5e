"""KeyPackages with their private keys, stored until a Welcome answers them."""

from __future__ import annotations

from mls.group.creation import KeyPackageBundle
from mls.persistence.parts import FORMAT_VERSION
from mls.persistence.stored import StoredBundle, stored_suite

__all__ = ["decode_key_package_bundle", "encode_key_package_bundle"]


def encode_key_package_bundle(bundle: KeyPackageBundle) -> bytes:
    """Return a bundle as bytes, all of them secret."""
    return StoredBundle(
        FORMAT_VERSION,
        bundle.key_package,
        bytes(bundle.init_key.secret.value),
        bytes(bundle.encryption_key.secret.value),
        bytes(bundle.signature_key.secret.value),
    ).encode()


def decode_key_package_bundle(data: bytes, *, experimental: bool = False) -> KeyPackageBundle:
    """Return the bundle that was encoded. Raises `DecodeError`.

    Raises `UsageError` where its cipher suite is experimental, unless `experimental` admits it.
    """
    stored = StoredBundle.decode(data)
    suite = stored_suite(stored.key_package.cipher_suite, "KeyPackage", experimental=experimental)
    return KeyPackageBundle(
        stored.key_package,
        suite.load_hpke_key(stored.init_key),
        suite.load_hpke_key(stored.encryption_key),
        suite.load_signature_key(stored.signature_key),
    )

"""Private keys as the vectors write them.

Some official entries for cipher suite 5 leave out the zeros that a NIST curve's private key, a big-endian integer,
begins with. The engine wants all of its bytes, as RFC 9180, section 7.1.2, does; here they are put back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls.crypto.dhkem import NistKem
from mls.crypto.signature import Ecdsa

if TYPE_CHECKING:
    from mls.crypto.kem import HPKEPrivateKey
    from mls.crypto.signature import SignaturePrivateKey
    from mls.crypto.suite import CipherSuite

__all__ = ["load_hpke_key", "load_signature_key"]


def load_hpke_key(suite: CipherSuite, data: bytes) -> HPKEPrivateKey:
    """Return the HPKE key pair of a private key. Raises `UsageError` for what is not one."""
    size = suite.kem.Nsk if isinstance(suite.kem, NistKem) else 0
    return suite.load_hpke_key(data.rjust(size, b"\0"))


def load_signature_key(suite: CipherSuite, data: bytes) -> SignaturePrivateKey:
    """Return the signature key pair of a private key. Raises `UsageError` for what is not one."""
    size = -(-suite.signature.curve.key_size // 8) if isinstance(suite.signature, Ecdsa) else 0
    return suite.load_signature_key(data.rjust(size, b"\0"))

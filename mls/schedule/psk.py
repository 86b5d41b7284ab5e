"""Pre-shared keys into one secret (RFC 9420, section 8.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls.wire.psk import PreSharedKeyID, PSKLabel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mls.crypto.secret import Secret
    from mls.crypto.suite import CipherSuite

__all__ = ["psk_secret"]


def psk_secret(suite: CipherSuite, psks: Sequence[tuple[PreSharedKeyID, Secret]]) -> bytes:
    """Return the `psk_secret` of these keys in this order: `Nh` bytes, zeros if there are none."""
    zero = bytes(suite.Nh)
    result = zero
    for index, (psk_id, psk) in enumerate(psks):
        extracted = suite.extract(zero, psk.value)
        label = PSKLabel(psk_id, index, len(psks)).encode()
        result = suite.extract(suite.expand_with_label(extracted, "derived psk", label, suite.Nh), result)
    return result

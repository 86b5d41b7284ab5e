"""Transcript hashes (RFC 9420, section 8.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls.codec import encode_opaque

if TYPE_CHECKING:
    from mls.crypto.suite import CipherSuite
    from mls.wire.framing import FramedContent

__all__ = ["confirmed_transcript_hash", "interim_transcript_hash"]


def confirmed_transcript_hash(
    suite: CipherSuite, interim: bytes, wire_format: int, content: FramedContent, signature: bytes
) -> bytes:
    """Return the hash over all Commits up to this one's signature. `interim` is the epoch's before it."""
    confirmed_input = wire_format.to_bytes(2, "big") + content.encode() + encode_opaque(signature)
    return suite.hash(interim + confirmed_input)


def interim_transcript_hash(suite: CipherSuite, confirmed: bytes, confirmation_tag: bytes) -> bytes:
    """Return the hash that also covers the confirmation tag of the newest Commit."""
    return suite.hash(confirmed + encode_opaque(confirmation_tag))

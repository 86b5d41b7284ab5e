"""Seals: the signed log that gives a group's handshake messages one order (PROTOCOL.md, "Seals").

::

    struct { opaque identity[32]; opaque inlined<V>; } SealEntry;

    struct {
        opaque group_id<V>;
        uint64 term;
        uint64 seq;                 // 1 for the first of a group, then one more each
        opaque previous[32];        // SHA-256 of the seal before (its TBS), or the start of the log
        SealEntry entries<V>;       // none: a checkpoint, which keeps the head of a quiet log in the archive
        uint64 timestamp;           // milliseconds since 1970, the sequencer's clock
    } SealTBS;

    struct { SealTBS content; opaque signature<V>; } Seal;

A seal's hash covers what is signed and not the signature, so that nobody can give one seal two hashes.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

from bridge.protocol.bodies import LogPosition
from bridge.protocol.code_points import HASH_SIZE, MAX_SEAL_ENTRIES, SEAL_LABEL, START_LABEL
from bridge.protocol.envelope import identity_of
from bridge.protocol.errors import ProtocolError
from mls.codec import FixedOpaque, Opaque, Struct, UInt64, encode_opaque, struct
from mls.crypto.signature import Ed25519, SignaturePrivateKey

__all__ = ["Seal", "SealContent", "SealEntry", "check_seal", "sign_seal", "start_of_log"]

_SCHEME = Ed25519()


@struct()
class SealEntry(Struct):
    """An envelope that the seal gives its place; a small one travels along."""

    identity: Annotated[bytes, FixedOpaque(HASH_SIZE)]
    inlined: Opaque
    """The envelope's bytes, or empty: then they stand in the room by themselves."""


@struct(retain=True)
class SealContent(Struct):
    """What is signed."""

    group_id: Opaque
    term: UInt64
    seq: UInt64
    previous: Annotated[bytes, FixedOpaque(HASH_SIZE)]
    entries: tuple[SealEntry, ...]
    timestamp: UInt64

    @property
    def hash(self) -> bytes:
        """SHA-256 over the content."""
        return hashlib.sha256(self.encode()).digest()

    @property
    def position(self) -> LogPosition:
        """Where the log stands once this seal is taken in."""
        return LogPosition(self.term, self.seq, self.hash)


@struct()
class Seal(Struct):
    """A seal as it travels."""

    content: SealContent
    signature: Opaque


def start_of_log(group_id: bytes, sequencer_key: bytes, term: int) -> LogPosition:
    """Return where a group's log stands before its first seal."""
    start = hashlib.sha256(START_LABEL + encode_opaque(group_id) + encode_opaque(sequencer_key)).digest()
    return LogPosition(term, 0, start)


def sign_seal(content: SealContent, key: SignaturePrivateKey) -> Seal:
    """Return the seal, signed with the sequencer's Ed25519 key."""
    return Seal(content, key.sign(SEAL_LABEL + content.encode()))


def check_seal(seal: Seal, sequencer_key: bytes) -> None:
    """Check the signature and what the content says of itself. Raises `ProtocolError`."""
    content = seal.content
    if len(content.entries) > MAX_SEAL_ENTRIES:
        raise ProtocolError(f"a seal of {len(content.entries)} entries, where {MAX_SEAL_ENTRIES} are allowed")
    if content.seq == 0:
        raise ProtocolError("a seal with the number 0")
    for entry in content.entries:
        if entry.inlined and identity_of(entry.inlined) != entry.identity:
            raise ProtocolError("a seal carries other bytes than it names")
    if not _SCHEME.verify(sequencer_key, seal.signature, SEAL_LABEL + content.encode()):
        raise ProtocolError("a seal that the group's sequencer has not signed")

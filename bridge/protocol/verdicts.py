"""What members say of a Commit that the order has named, each with its leaf's signature (PROTOCOL.md, "Verdicts").

::

    struct {
        opaque group_id<V>;
        uint8 kind;                 // 8 ack, 9 nack, 10 close
        opaque commit[32];          // identity of the Commit's envelope
        uint64 epoch;               // that the Commit leads to
        uint32 leaf;                // whose word it is: a leaf of that epoch, not the Commit's author
        uint32 attempt;             // how often it has said so before
    } VerdictTBS;

    struct {
        opaque group_id<V>;
        uint64 epoch;               // for which it counts
        uint32 leaf;                // whose word it is
        uint32 attempt;             // how often it has given notice in this epoch before
        uint32 subjects<V>;         // leaves that are to be removed; none: an earlier notice is withdrawn
    } RemoveNoticeTBS;

Whose word it is stands in the leaf, and not in the account that posted the envelope. Nothing is sealed twice: a `close`
that came too early, or a notice after it was withdrawn, can only be said again because `attempt` makes it another
envelope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from bridge.protocol.bodies import open_body
from bridge.protocol.code_points import HASH_SIZE, NOTICE_LABEL, VERDICT_LABEL, EnvelopeKind
from bridge.protocol.envelope import Envelope, envelope
from bridge.protocol.errors import ProtocolError
from mls.codec import FixedOpaque, Opaque, Struct, UInt8, UInt32, UInt64, struct

if TYPE_CHECKING:
    from mls.crypto.signature import SignaturePrivateKey
    from mls.crypto.suite import CipherSuite

__all__ = [
    "MAX_SUBJECTS",
    "VERDICTS",
    "RemoveNotice",
    "Verdict",
    "notice_envelope",
    "notice_is_signed",
    "open_notice",
    "open_verdict",
    "verdict_envelope",
    "verdict_is_signed",
]

VERDICTS: Final = frozenset({EnvelopeKind.ACK, EnvelopeKind.NACK, EnvelopeKind.CLOSE})

MAX_SUBJECTS: Final = 64
"""The most leaves that one notice names."""


@struct()
class VerdictTBS(Struct):
    """What an `ack`, a `nack` or a `close` is signed over."""

    group_id: Opaque
    kind: UInt8
    commit: Annotated[bytes, FixedOpaque(HASH_SIZE)]
    epoch: UInt64
    leaf: UInt32
    attempt: UInt32


@struct()
class Verdict(Struct):
    """The body of an `ack`, a `nack` or a `close`."""

    commit: Annotated[bytes, FixedOpaque(HASH_SIZE)]
    """Identity of the Commit's envelope."""
    epoch: UInt64
    """The epoch that the Commit leads to."""
    leaf: UInt32
    """Whose word it is: a leaf of that epoch."""
    attempt: UInt32
    """How often that leaf has said so before."""
    signature: Opaque

    def signed(self, group_id: bytes, kind: EnvelopeKind) -> bytes:
        """Return what the signature covers."""
        return VerdictTBS(group_id, kind, self.commit, self.epoch, self.leaf, self.attempt).encode()


@struct()
class RemoveNoticeTBS(Struct):
    """What a `remove_notice` is signed over."""

    group_id: Opaque
    epoch: UInt64
    leaf: UInt32
    attempt: UInt32
    subjects: tuple[UInt32, ...]


@struct()
class RemoveNotice(Struct):
    """The body of a `remove_notice`: Commits of these leaves do not count any more in this epoch."""

    epoch: UInt64
    leaf: UInt32
    """Whose word it is."""
    attempt: UInt32
    """How often that leaf has given notice in this epoch before."""
    subjects: tuple[UInt32, ...]
    """Leaves that are to be removed; none: what this leaf gave notice of before is withdrawn."""
    signature: Opaque

    def signed(self, group_id: bytes) -> bytes:
        """Return what the signature covers."""
        return RemoveNoticeTBS(group_id, self.epoch, self.leaf, self.attempt, self.subjects).encode()


def verdict_envelope(
    suite: CipherSuite,
    key: SignaturePrivateKey,
    kind: EnvelopeKind,
    *,
    group_id: bytes,
    commit: bytes,
    epoch: int,
    leaf: int,
    attempt: int = 0,
) -> Envelope:
    """Return a signed `ack`, `nack` or `close` for a Commit that leads to `epoch`."""
    unsigned = Verdict(commit, epoch, leaf, attempt, b"")
    signature = suite.sign_with_label(key, VERDICT_LABEL, unsigned.signed(group_id, kind))
    return envelope(kind, group_id, unsigned.replace(signature=signature))


def open_verdict(sealed: Envelope) -> Verdict:
    """Decode the body of an `ack`, a `nack` or a `close`. Raises `ProtocolError`."""
    if sealed.kind not in VERDICTS:
        raise ProtocolError(f"an envelope of kind {sealed.kind} is no verdict")
    return open_body(Verdict, sealed)


def verdict_is_signed(suite: CipherSuite, key: bytes, sealed: Envelope, verdict: Verdict) -> bool:
    """Return whether `key`, a leaf's signature key, has signed a verdict."""
    content = verdict.signed(sealed.group_id, EnvelopeKind(sealed.kind))
    return suite.verify_with_label(key, VERDICT_LABEL, content, verdict.signature)


def notice_envelope(
    suite: CipherSuite,
    key: SignaturePrivateKey,
    *,
    group_id: bytes,
    epoch: int,
    leaf: int,
    subjects: tuple[int, ...],
    attempt: int = 0,
) -> Envelope:
    """Return a signed `remove_notice`."""
    unsigned = RemoveNotice(epoch, leaf, attempt, subjects, b"")
    signature = suite.sign_with_label(key, NOTICE_LABEL, unsigned.signed(group_id))
    return envelope(EnvelopeKind.REMOVE_NOTICE, group_id, unsigned.replace(signature=signature))


def open_notice(sealed: Envelope) -> RemoveNotice:
    """Decode the body of a `remove_notice`. Raises `ProtocolError`."""
    notice = open_body(RemoveNotice, sealed)
    if len(notice.subjects) > MAX_SUBJECTS:
        raise ProtocolError(f"a notice of {len(notice.subjects)} removals, where {MAX_SUBJECTS} are allowed")
    return notice


def notice_is_signed(suite: CipherSuite, key: bytes, sealed: Envelope, notice: RemoveNotice) -> bool:
    """Return whether `key`, a leaf's signature key, has signed a notice."""
    return suite.verify_with_label(key, NOTICE_LABEL, notice.signed(sealed.group_id), notice.signature)

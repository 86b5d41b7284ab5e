"""What members ask each other for when something is missing, and the answers (PROTOCOL.md, "Requests").

::

    enum { log(1), envelopes(2), head(3), rejoin(4), (255) } RequestKind;

    struct { LogPosition after; } LogWanted;                    // the seals behind it, and what they order
    struct { opaque identities[32]<V>; } EnvelopesWanted;       // 1 to 64 envelopes that a seal has named
    struct { } HeadWanted;                                      // the newest seal that somebody knows
    struct {                                                    // a GroupInfo, to come back with one's own key
        opaque signature_key<V>;                                // the requester's: its leaf may be another by now
        LogPosition head;                                       // the newest seal that it knows
        opaque public_key<V>;                                   // HPKE, made for this request alone
        opaque signature<V>;                                    // by the leaf's signature key
    } RejoinWanted;

    struct {
        opaque nonce[16];
        RequestKind kind;
        select (Request.kind) { ... };
    } Request;

    struct {
        opaque nonce[16];                                       // the request's
        LogPosition head;                                       // the newest seal that the answerer has taken in
        opaque envelopes<V><V>;                                 // whole envelopes: seals first, in order
        uint8 is_all;                                           // 1: nothing more is there that was asked for
    } Answer;

    struct {
        opaque nonce[16];
        LogPosition stands_at;                                  // the newest seal that the answerer has taken in
        HPKECiphertext group_info;                              // MLSMessage(GroupInfo), for the request's key
    } SealedGroupInfo;

An answer needs no signature: a seal has its own, and what a seal names has its hash there. A GroupInfo has the one of
its signer's leaf, and opens only for whoever made the key of that very request.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

from bridge.protocol.bodies import LogPosition, open_body
from bridge.protocol.code_points import GROUP_INFO_LABEL, HASH_SIZE, REJOIN_LABEL, EnvelopeKind
from bridge.protocol.envelope import Envelope, envelope
from bridge.protocol.errors import ProtocolError
from mls.codec import FixedOpaque, Opaque, Struct, Tagged, UInt8, struct
from mls.wire.commit import HPKECiphertext

if TYPE_CHECKING:
    from mls.crypto.kem import HPKEPrivateKey
    from mls.crypto.random import Random
    from mls.crypto.signature import SignaturePrivateKey
    from mls.crypto.suite import CipherSuite

__all__ = [
    "MAX_WANTED",
    "NONCE_SIZE",
    "Answer",
    "EnvelopesWanted",
    "HeadWanted",
    "LogWanted",
    "RejoinWanted",
    "Request",
    "SealedGroupInfo",
    "Wanted",
    "open_answer",
    "open_group_info",
    "open_request",
    "rejoin_is_signed",
    "request_envelope",
    "seal_group_info",
    "sign_rejoin",
]

NONCE_SIZE: Final = 16

MAX_WANTED: Final = 64
"""The most envelopes that one request names."""

Nonce: TypeAlias = Annotated[bytes, FixedOpaque(NONCE_SIZE)]


class RequestKind(IntEnum):
    """What is asked for."""

    LOG = 1
    ENVELOPES = 2
    HEAD = 3
    REJOIN = 4


@struct(tag=RequestKind.LOG)
class LogWanted(Struct):
    """The seals behind a place, and the envelopes that they order."""

    after: LogPosition


@struct(tag=RequestKind.ENVELOPES)
class EnvelopesWanted(Struct):
    """Envelopes that a seal has named and that are not there."""

    identities: tuple[Annotated[bytes, FixedOpaque(HASH_SIZE)], ...]


@struct(tag=RequestKind.HEAD)
class HeadWanted(Struct):
    """The newest seal that somebody knows: for a sequencer that begins, or begins again."""


@struct(tag=RequestKind.REJOIN)
class RejoinWanted(Struct):
    """A GroupInfo, for a member that lost the thread and still has its signature key."""

    signature_key: Opaque
    """The requester's: which leaf that is by now, the answerer knows."""
    head: LogPosition
    """The newest seal that the requester knows: a GroupInfo that stands before it is stale."""
    public_key: Opaque
    signature: Opaque

    def signed(self, group_id: bytes, nonce: bytes) -> bytes:
        """Return what the signature covers: all but itself, with group and nonce."""
        return RejoinTBS(group_id, nonce, self.signature_key, self.head, self.public_key).encode()


@struct()
class RejoinTBS(Struct):
    """What a `RejoinWanted` is signed over."""

    group_id: Opaque
    nonce: Nonce
    signature_key: Opaque
    head: LogPosition
    public_key: Opaque


Wanted: TypeAlias = LogWanted | EnvelopesWanted | HeadWanted | RejoinWanted


@struct()
class Request(Struct):
    """The body of a `request`."""

    nonce: Nonce
    wanted: Annotated[Wanted, Tagged(RequestKind)]


@struct()
class Answer(Struct):
    """The body of an `answer`."""

    nonce: Nonce
    head: LogPosition
    """The newest seal that the answerer has taken in; number 0 where it knows none."""
    envelopes: tuple[Opaque, ...]
    is_all: UInt8


@struct()
class SealedGroupInfo(Struct):
    """The body of a `group_info`."""

    nonce: Nonce
    stands_at: LogPosition
    """The newest seal that the answerer has taken in."""
    group_info: HPKECiphertext


@struct()
class GroupInfoContext(Struct):
    """What the encryption of a GroupInfo is bound to."""

    group_id: Opaque
    nonce: Nonce
    stands_at: LogPosition


def request_envelope(group_id: bytes, nonce: bytes, wanted: Wanted) -> Envelope:
    """Return a request for the room."""
    return envelope(EnvelopeKind.REQUEST, group_id, Request(nonce, wanted))


def open_request(sealed: Envelope) -> Request:
    """Decode a request. Raises `ProtocolError`."""
    request = open_body(Request, sealed)
    match request.wanted:
        case EnvelopesWanted(identities=identities) if not 1 <= len(identities) <= MAX_WANTED:
            raise ProtocolError(f"a request for {len(identities)} envelopes, where 1 to {MAX_WANTED} are allowed")
        case _:
            return request


def open_answer(sealed: Envelope) -> Answer:
    """Decode an answer. Raises `ProtocolError`."""
    return open_body(Answer, sealed)


def sign_rejoin(
    suite: CipherSuite, key: SignaturePrivateKey, *, group_id: bytes, nonce: bytes, wanted: RejoinWanted
) -> RejoinWanted:
    """Return a request for a GroupInfo, signed with its leaf's key."""
    signature = suite.sign_with_label(key, REJOIN_LABEL, wanted.signed(group_id, nonce))
    return wanted.replace(signature=signature)


def rejoin_is_signed(suite: CipherSuite, *, group_id: bytes, nonce: bytes, wanted: RejoinWanted) -> bool:
    """Return whether a request for a GroupInfo is signed by the key that it names."""
    return suite.verify_with_label(wanted.signature_key, REJOIN_LABEL, wanted.signed(group_id, nonce), wanted.signature)


def seal_group_info(
    suite: CipherSuite,
    public_key: bytes,
    random: Random,
    *,
    group_id: bytes,
    nonce: bytes,
    stands_at: LogPosition,
    group_info: bytes,
) -> Envelope:
    """Return a `group_info` that opens for the key of one request alone. Raises `ProtocolError` for a key that is none.

    `group_info` is an encoded MLSMessage(GroupInfo).
    """
    context = GroupInfoContext(group_id, nonce, stands_at).encode()
    try:
        encrypted = suite.encrypt_with_label(public_key, GROUP_INFO_LABEL, context, group_info, random)
    except ValueError as error:
        raise ProtocolError("a request with an HPKE key that is none") from error
    return envelope(EnvelopeKind.GROUP_INFO, group_id, SealedGroupInfo(nonce, stands_at, HPKECiphertext(*encrypted)))


def open_group_info(
    suite: CipherSuite, private: HPKEPrivateKey, group_id: bytes, body: SealedGroupInfo
) -> bytes | None:
    """Decrypt the GroupInfo, an encoded MLSMessage, that answers a request; `None` where it is for another key."""
    context = GroupInfoContext(group_id, body.nonce, body.stands_at).encode()
    encrypted = body.group_info
    return suite.decrypt_with_label(private, GROUP_INFO_LABEL, context, encrypted.kem_output, encrypted.ciphertext)

"""How each part is encoded: structs of our own, in the RFC's presentation language."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

from mls.codec import Constant, Hidden, Opaque, Struct, Tagged, UInt8, UInt16, UInt32, UInt64, struct
from mls.crypto.suite import CIPHER_SUITES, EXPERIMENTAL_CIPHER_SUITES, CipherSuite, cipher_suite
from mls.errors import DecodeError
from mls.persistence.parts import FORMAT_VERSION
from mls.wire.framing import Sender
from mls.wire.group_context import GroupContext
from mls.wire.key_package import KeyPackage
from mls.wire.leaf_node import LeafNode
from mls.wire.message import MLSMessage
from mls.wire.proposals import Proposal, ReInit

__all__ = [
    "ChangeType",
    "StoredAdded",
    "StoredBundle",
    "StoredCommitted",
    "StoredEpochSecrets",
    "StoredHeader",
    "StoredNodeKey",
    "StoredOwnUpdate",
    "StoredPastEpoch",
    "StoredPendingCommit",
    "StoredProposal",
    "StoredRatchet",
    "StoredRemoved",
    "StoredSkippedKey",
    "StoredTranscript",
    "StoredUpdated",
    "stored_suite",
]

HiddenOpaque = Annotated[bytes, *Opaque.__metadata__, Hidden()]


@struct()
class StoredHeader(Struct):
    """What is needed to make sense of the rest."""

    version: Annotated[int, Constant(2, FORMAT_VERSION, "the version of a stored state")]
    revision: UInt64
    status: UInt8
    cipher_suite: UInt16
    epoch: UInt64
    own_leaf: UInt32
    parts: UInt32
    """How many parts there are, but for this one and the message keys, whose tree shows what is missing."""


@struct()
class StoredTranscript(Struct):
    """What a PublicState holds beside its context and tree."""

    confirmation_tag: Opaque
    interim_transcript_hash: Opaque


@struct()
class StoredPastEpoch(Struct):
    """What a PastEpoch holds beside its context, tree and secrets."""

    ended_at: UInt64
    own_leaf: UInt32


@struct()
class StoredEpochSecrets(Struct):
    """An epoch's secrets, in the order of `EpochSecrets`."""

    init_secret: HiddenOpaque
    sender_data_secret: HiddenOpaque
    exporter_secret: HiddenOpaque
    external_secret: HiddenOpaque
    membership_key: HiddenOpaque
    resumption_psk: HiddenOpaque
    epoch_authenticator: HiddenOpaque


@struct()
class StoredSkippedKey(Struct):
    """The key and nonce of a generation that was skipped."""

    generation: UInt32
    key_and_nonce: HiddenOpaque


@struct()
class StoredRatchet(Struct):
    """One ratchet. A generation of 2**32 means that it is exhausted, hence the wider integer."""

    generation: UInt64
    secret: HiddenOpaque
    skipped: tuple[StoredSkippedKey, ...]


@struct()
class StoredNodeKey(Struct):
    """A private key with its node."""

    node: UInt32
    private_key: HiddenOpaque


@struct()
class StoredProposal(Struct):
    """A proposal with its sender, and its reference where it was received."""

    proposal: Proposal
    sender: Sender
    reference: Opaque | None


@struct()
class StoredOwnUpdate(Struct):
    """An Update of one's own, with its private keys."""

    leaf_node: LeafNode
    encryption_key: HiddenOpaque
    signature_key: HiddenOpaque


class ChangeType(IntEnum):
    """Which kind of change to the membership."""

    ADDED = 1
    UPDATED = 2
    REMOVED = 3


@struct(tag=ChangeType.ADDED)
class StoredAdded(Struct):
    """`MemberAdded`."""

    index: UInt32
    leaf: LeafNode


@struct(tag=ChangeType.UPDATED)
class StoredUpdated(Struct):
    """`MemberUpdated`."""

    index: UInt32
    old: LeafNode
    leaf: LeafNode


@struct(tag=ChangeType.REMOVED)
class StoredRemoved(Struct):
    """`MemberRemoved`."""

    index: UInt32
    leaf: LeafNode


@struct()
class StoredCommitted(Struct):
    """What a Commit of one's own will have done once it takes effect."""

    committer: Sender
    proposals: tuple[StoredProposal, ...]
    changes: tuple[Annotated[StoredAdded | StoredUpdated | StoredRemoved, Tagged(ChangeType)], ...]
    reinit: ReInit | None
    authenticated_data: Opaque
    welcome: MLSMessage | None


@struct()
class StoredPendingCommit(Struct):
    """A Commit of one's own, and the epoch that it leads to, without the tree."""

    message_hash: Opaque
    context: GroupContext
    transcript: StoredTranscript
    secrets: StoredEpochSecrets
    encryption_secret: HiddenOpaque
    private_keys: tuple[StoredNodeKey, ...]
    signature_key: HiddenOpaque
    committed: StoredCommitted


@struct()
class StoredBundle(Struct):
    """A KeyPackage with its private keys."""

    version: Annotated[int, Constant(2, FORMAT_VERSION, "the version of a stored KeyPackage")]
    key_package: KeyPackage
    init_key: HiddenOpaque
    encryption_key: HiddenOpaque
    signature_key: HiddenOpaque


def stored_suite(number: int, what: str, *, experimental: bool) -> CipherSuite:
    """Return the cipher suite of something stored.

    Raises `DecodeError` for a number that means none, and `UsageError` for an experimental one, unless `experimental`
    admits it.
    """
    if number not in CIPHER_SUITES and number not in EXPERIMENTAL_CIPHER_SUITES:
        msg = f"a stored {what} has cipher suite {number}, which is not supported"
        raise DecodeError(msg)
    return cipher_suite(number, experimental=experimental)

"""From parts to states (see `mls.persistence.parts`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, assert_never

from mls.codec import Struct
from mls.crypto.kem import HPKEPrivateKey
from mls.crypto.secret import Secret
from mls.errors import DecodeError
from mls.group.environment import Proposed
from mls.group.received import Committed, MemberAdded, MemberRemoved, MemberUpdated
from mls.group.state import (
    GroupState,
    NextEpoch,
    OwnUpdate,
    PastEpoch,
    PendingCommit,
    PublicState,
    ResumptionKey,
    Status,
)
from mls.persistence.parts import PartKey, PartKind
from mls.persistence.saving import STATUSES
from mls.persistence.stored import (
    StoredAdded,
    StoredCommitted,
    StoredEpochSecrets,
    StoredHeader,
    StoredOwnUpdate,
    StoredPastEpoch,
    StoredPendingCommit,
    StoredProposal,
    StoredRatchet,
    StoredRemoved,
    StoredTranscript,
    StoredUpdated,
    stored_suite,
)
from mls.schedule.key_schedule import EpochSecrets
from mls.schedule.secret_tree import LeafRatchets, Ratchet, SecretTree
from mls.tree import math
from mls.tree.math import LeafIndex, NodeIndex
from mls.tree.private_tree import PrivateTree
from mls.tree.ratchet_tree import RatchetTree
from mls.wire.group_context import GroupContext
from mls.wire.proposals import ReInit
from mls.wire.tree import RatchetTreeExtension

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mls.crypto.suite import CipherSuite
    from mls.group.received import Change
    from mls.schedule.secret_tree import TreeNode

__all__ = ["load"]

Stored = TypeVar("Stored", bound=Struct)

_UNCOUNTED = {PartKind.HEADER, PartKind.SECRET_NODE, PartKind.HANDSHAKE_RATCHET, PartKind.APPLICATION_RATCHET}

_NO_LIMIT = 1 << 30
"""Stored bytes are our own: they were within the limits when they came in."""


def load(parts: Mapping[PartKey, bytes], *, experimental: bool = False) -> GroupState:
    """Return the state that the parts make up. Raises `DecodeError` where they do not make one up.

    Raises `UsageError` where its cipher suite is experimental, unless `experimental` admits it.
    """
    return _Loader(parts).load(experimental=experimental)


@dataclass(frozen=True, slots=True)
class _Loader:
    """The parts, and how to find one's way among them."""

    parts: Mapping[PartKey, bytes]

    def load(self, *, experimental: bool) -> GroupState:
        header = self.struct(StoredHeader, PartKey(PartKind.HEADER))
        suite = stored_suite(header.cipher_suite, "state", experimental=experimental)
        statuses = {number: status for status, number in STATUSES.items()}
        if header.status not in statuses:
            msg = f"a stored state has an unknown status, {header.status}"
            raise DecodeError(msg)
        found = sum(key.kind not in _UNCOUNTED for key in self.parts)
        if found != header.parts:
            msg = f"a stored state has {found} parts instead of {header.parts}"
            raise DecodeError(msg)
        status = statuses[header.status]
        own_leaf = LeafIndex(header.own_leaf)
        public = self.public(suite, header.epoch)
        if public.tree.leaf(own_leaf) is None:
            msg = f"leaf {own_leaf}, which a stored state calls its own, is not in its tree"
            raise DecodeError(msg)
        gone = Secret.gone()
        secrets, messages = EpochSecrets(gone, gone, gone, gone, gone, gone, gone), SecretTree(suite, 1, gone)
        if status is not Status.REMOVED:
            secrets = _secrets(self.struct(StoredEpochSecrets, PartKey(PartKind.EPOCH_SECRETS, header.epoch)))
        if status not in {Status.REMOVED, Status.LEFT}:
            messages = self.messages(suite, header.epoch, public.tree.leaf_count)
        resumption = self.resumption_keys(header.epoch, secrets)
        return GroupState(
            revision=header.revision,
            status=status,
            public=public,
            epoch_secrets=secrets,
            messages=messages,
            private_tree=PrivateTree(own_leaf, self.private_keys(suite)),
            signature_key=suite.load_signature_key(self.data(PartKey(PartKind.SIGNATURE_KEY))),
            proposals=tuple(_proposed(self.struct(StoredProposal, key)) for key in self.keys(PartKind.PROPOSAL)),
            own_updates=tuple(self.own_updates(suite)),
            pending=tuple(self.pending(suite, own_leaf)),
            past=tuple(self.past(suite)),
            resumption_keys=resumption,
            reinit=self.reinit(),
        )

    def data(self, key: PartKey) -> bytes:
        try:
            return self.parts[key]
        except KeyError:
            msg = f"a stored state lacks its part {key.kind.name} {key.epoch} {key.place}"
            raise DecodeError(msg) from None

    def struct(self, kind: type[Stored], key: PartKey) -> Stored:
        return kind.decode(self.data(key), max_size=_NO_LIMIT)

    def keys(self, kind: PartKind) -> list[PartKey]:
        return sorted(key for key in self.parts if key.kind == kind)

    def tree(self, suite: CipherSuite, key: PartKey) -> RatchetTree:
        extension = self.struct(RatchetTreeExtension, key)
        return RatchetTree.from_extension(suite, extension, max_members=_NO_LIMIT)

    def public(self, suite: CipherSuite, epoch: int) -> PublicState:
        context = self.struct(GroupContext, PartKey(PartKind.CONTEXT, epoch))
        transcript = self.struct(StoredTranscript, PartKey(PartKind.TRANSCRIPT, epoch))
        tree = self.tree(suite, PartKey(PartKind.TREE, epoch))
        if tree.tree_hash() != context.tree_hash:
            msg = f"the stored tree of epoch {epoch} is not the one that its GroupContext states"
            raise DecodeError(msg)
        return PublicState(context, tree, transcript.confirmation_tag, transcript.interim_transcript_hash)

    def messages(self, suite: CipherSuite, epoch: int, leaf_count: int) -> SecretTree:
        return SecretTree(suite, leaf_count, self.node(epoch, math.root(leaf_count)))

    def node(self, epoch: int, index: NodeIndex) -> TreeNode:
        secret = self.parts.get(PartKey(PartKind.SECRET_NODE, epoch, index))
        if secret is not None:
            return Secret(secret)
        if index % 2 == 0:
            handshake = self.struct(StoredRatchet, PartKey(PartKind.HANDSHAKE_RATCHET, epoch, index // 2))
            application = self.struct(StoredRatchet, PartKey(PartKind.APPLICATION_RATCHET, epoch, index // 2))
            return LeafRatchets(_ratchet(handshake), _ratchet(application))
        return self.node(epoch, math.left(index)), self.node(epoch, math.right(index))

    def private_keys(self, suite: CipherSuite) -> dict[NodeIndex, HPKEPrivateKey]:
        return {NodeIndex(key.place): _private_key(suite, self.data(key)) for key in self.keys(PartKind.PRIVATE_KEY)}

    def resumption_keys(self, epoch: int, secrets: EpochSecrets) -> tuple[ResumptionKey, ...]:
        """Return the resumption PSKs, newest first; the current epoch's is the same object as the schedule's."""
        keys = reversed(self.keys(PartKind.RESUMPTION_PSK))
        return tuple(
            ResumptionKey(key.epoch, secrets.resumption_psk if key.epoch == epoch else Secret(self.data(key)))
            for key in keys
        )

    def own_updates(self, suite: CipherSuite) -> Iterator[OwnUpdate]:
        for key in self.keys(PartKind.OWN_UPDATE):
            stored = self.struct(StoredOwnUpdate, key)
            yield OwnUpdate(
                stored.leaf_node,
                _private_key(suite, stored.encryption_key),
                suite.load_signature_key(stored.signature_key),
            )

    def past(self, suite: CipherSuite) -> Iterator[PastEpoch]:
        for key in reversed(self.keys(PartKind.PAST_EPOCH)):
            stored, epoch = self.struct(StoredPastEpoch, key), key.epoch
            tree = self.tree(suite, PartKey(PartKind.TREE, epoch))
            yield PastEpoch(
                self.struct(GroupContext, PartKey(PartKind.CONTEXT, epoch)),
                tree,
                Secret(self.data(PartKey(PartKind.SENDER_DATA_SECRET, epoch))),
                self.messages(suite, epoch, tree.leaf_count),
                LeafIndex(stored.own_leaf),
                stored.ended_at,
            )

    def pending(self, suite: CipherSuite, own_leaf: LeafIndex) -> Iterator[PendingCommit]:
        for key in self.keys(PartKind.PENDING_COMMIT):
            stored = self.struct(StoredPendingCommit, key)
            tree = self.tree(suite, PartKey(PartKind.PENDING_TREE, 0, key.place))
            private_keys = {NodeIndex(item.node): _private_key(suite, item.private_key) for item in stored.private_keys}
            transcript = stored.transcript
            committed = _committed(stored.committed, stored.context.epoch)
            following = NextEpoch(
                PublicState(stored.context, tree, transcript.confirmation_tag, transcript.interim_transcript_hash),
                _secrets(stored.secrets),
                SecretTree(suite, tree.leaf_count, Secret(stored.encryption_secret)),
                PrivateTree(own_leaf, private_keys),
                suite.load_signature_key(stored.signature_key),
                committed,
                committed.reinit,
            )
            yield PendingCommit(stored.message_hash, following, committed.welcome)

    def reinit(self) -> ReInit | None:
        key = PartKey(PartKind.REINIT)
        return self.struct(ReInit, key) if key in self.parts else None


def _private_key(suite: CipherSuite, data: bytes) -> HPKEPrivateKey:
    """Return a private key, which is parsed when it is first used: what can be seen now is its size."""
    if len(data) != suite.kem.Nsk:
        msg = f"a stored private key has {len(data)} bytes instead of {suite.kem.Nsk}"
        raise DecodeError(msg)
    return HPKEPrivateKey(suite.kem, data)


def _secrets(stored: StoredEpochSecrets) -> EpochSecrets:
    return EpochSecrets(
        Secret(stored.init_secret),
        Secret(stored.sender_data_secret),
        Secret(stored.exporter_secret),
        Secret(stored.external_secret),
        Secret(stored.membership_key),
        Secret(stored.resumption_psk),
        Secret(stored.epoch_authenticator),
    )


def _ratchet(stored: StoredRatchet) -> Ratchet:
    skipped = {item.generation: Secret(item.key_and_nonce) for item in stored.skipped}
    return Ratchet(stored.generation, Secret(stored.secret), skipped)


def _proposed(stored: StoredProposal) -> Proposed:
    return Proposed(stored.proposal, stored.sender, stored.reference)


def _committed(stored: StoredCommitted, epoch: int) -> Committed:
    return Committed(
        epoch=epoch,
        committer=stored.committer,
        is_own=True,
        proposals=tuple(_proposed(item) for item in stored.proposals),
        changes=tuple(_change(item) for item in stored.changes),
        removed_us=False,
        reinit=stored.reinit,
        authenticated_data=stored.authenticated_data,
        welcome=stored.welcome,
    )


def _change(stored: StoredAdded | StoredUpdated | StoredRemoved) -> Change:
    match stored:
        case StoredAdded(index=index, leaf=leaf):
            return MemberAdded(LeafIndex(index), leaf)
        case StoredUpdated(index=index, old=old, leaf=leaf):
            return MemberUpdated(LeafIndex(index), old, leaf)
        case StoredRemoved(index=index, leaf=leaf):
            return MemberRemoved(LeafIndex(index), leaf)
        case _:
            assert_never(stored)

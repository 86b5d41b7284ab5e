"""Commits and update paths (RFC 9420, sections 7.6 and 12.4)."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from mls.codec import Opaque, Struct, Tagged, struct
from mls.registry import ProposalOrRefType
from mls.wire.leaf_node import LeafNode
from mls.wire.proposals import AnyProposal, Proposal

__all__ = ["Commit", "HPKECiphertext", "ProposalOrRef", "ProposalRef", "UpdatePath", "UpdatePathNode"]


@struct()
class HPKECiphertext(Struct):
    """What HPKE's single-shot base mode puts out (RFC 9180, section 6.1)."""

    kem_output: Opaque
    ciphertext: Opaque


@struct()
class UpdatePathNode(Struct):
    """One node of the sender's filtered direct path, with its path secret for each node of the copath's resolution."""

    encryption_key: Opaque
    encrypted_path_secret: tuple[HPKECiphertext, ...]


@struct()
class UpdatePath(Struct):
    """The committer's new leaf and its filtered direct path, from the leaf up."""

    leaf_node: LeafNode
    nodes: tuple[UpdatePathNode, ...]


@struct(tag=ProposalOrRefType.REFERENCE)
class ProposalRef(Struct):
    """The hash of the AuthenticatedContent in which a proposal was sent (section 5.2)."""

    reference: Opaque


ProposalOrRef: TypeAlias = Annotated[
    AnyProposal | ProposalRef,
    Tagged(ProposalOrRefType, cases={ProposalOrRefType.PROPOSAL: Proposal, ProposalOrRefType.REFERENCE: ProposalRef}),
]


@struct(retain=True)
class Commit(Struct):
    """Proposals by value or by reference, and the committer's update path where there is one."""

    proposals: tuple[ProposalOrRef, ...]
    path: UpdatePath | None

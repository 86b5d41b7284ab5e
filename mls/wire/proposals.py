"""Proposals (RFC 9420, section 12.1) and SelfRemove (draft-ietf-mls-extensions)."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from mls.codec import Opaque, Struct, Tagged, UInt16, UInt32, struct
from mls.registry import ProposalType
from mls.wire.extensions import Extension
from mls.wire.key_package import KeyPackage
from mls.wire.leaf_node import LeafNode
from mls.wire.psk import PreSharedKeyID

__all__ = [
    "Add",
    "AnyProposal",
    "ExternalInit",
    "GroupContextExtensions",
    "PreSharedKey",
    "Proposal",
    "ReInit",
    "Remove",
    "SelfRemove",
    "UnknownProposal",
    "Update",
    "proposal_type",
]


@struct(tag=ProposalType.ADD)
class Add(Struct):
    """Add the client of a KeyPackage (section 12.1.1)."""

    key_package: KeyPackage


@struct(tag=ProposalType.UPDATE)
class Update(Struct):
    """Replace the sender's leaf (section 12.1.2)."""

    leaf_node: LeafNode


@struct(tag=ProposalType.REMOVE)
class Remove(Struct):
    """Remove the member at a leaf (section 12.1.3)."""

    removed: UInt32


@struct(tag=ProposalType.PSK)
class PreSharedKey(Struct):
    """Inject a pre-shared key (section 12.1.4)."""

    psk: PreSharedKeyID


@struct(tag=ProposalType.REINIT)
class ReInit(Struct):
    """Close the group and go on in a new one with these parameters (section 12.1.5)."""

    group_id: Opaque
    version: UInt16
    cipher_suite: UInt16
    extensions: tuple[Extension, ...]


@struct(tag=ProposalType.EXTERNAL_INIT)
class ExternalInit(Struct):
    """The joiner's part of the init secret, in an external Commit (section 12.1.6)."""

    kem_output: Opaque


@struct(tag=ProposalType.GROUP_CONTEXT_EXTENSIONS)
class GroupContextExtensions(Struct):
    """Replace the GroupContext's extensions, all of them (section 12.1.7)."""

    extensions: tuple[Extension, ...]


@struct(tag=ProposalType.SELF_REMOVE)
class SelfRemove(Struct):
    """Remove the sender (draft-ietf-mls-extensions): sent as a PublicMessage, committed by reference only."""


@struct()
class UnknownProposal(Struct):
    """A proposal of a type that the engine does not know, kept as bytes.

    The RFC gives unknown types no length, so where they end cannot be told. As OpenMLS and mls-rs do, we take the
    body to be one `opaque<V>`. The type may be used in a group whose members all list it (section 13.2).
    """

    proposal_type: UInt16
    data: Opaque


AnyProposal: TypeAlias = (
    Add | Update | Remove | PreSharedKey | ReInit | ExternalInit | GroupContextExtensions | SelfRemove | UnknownProposal
)

Proposal: TypeAlias = Annotated[AnyProposal, Tagged(ProposalType, size=2, unknown=UnknownProposal)]


def proposal_type(proposal: AnyProposal) -> int:
    """Return the proposal's code point."""
    if isinstance(proposal, UnknownProposal):
        return proposal.proposal_type
    tag = type(proposal).wire_tag
    return ProposalType(tag) if tag is not None else 0

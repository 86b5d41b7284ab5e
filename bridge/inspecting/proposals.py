"""Proposals and Commits, in words."""

from __future__ import annotations

from typing import assert_never

from bridge.inspecting import names
from bridge.inspecting.explanation import Blob, Encrypted, Explanation, Field
from bridge.inspecting.extensions import explain_extension
from bridge.inspecting.leaves import explain_key_package, explain_leaf
from bridge.inspecting.look import Look
from mls.wire.commit import Commit, ProposalRef, UpdatePath, UpdatePathNode
from mls.wire.proposals import (
    Add,
    AnyProposal,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    ReInit,
    Remove,
    SelfRemove,
    UnknownProposal,
    Update,
    proposal_type,
)
from mls.wire.psk import ExternalPSK, PreSharedKeyID, ResumptionPSK

__all__ = ["explain_commit", "explain_proposal"]


def explain_commit(commit: Commit, look: Look) -> Explanation:
    """Explain a Commit that travels readable."""
    fields = [Field("proposals", look.several(commit.proposals, lambda item: _proposal_or_ref(item, look)))]
    if commit.path is not None:
        fields.append(Field("path", _path(commit.path, look)))
    else:
        fields.append(Field("path", "none: it gives no new keys to the tree"))
    return Explanation("commit", "Commit", "starts the next epoch", tuple(fields))


def explain_proposal(proposal: AnyProposal, look: Look) -> Explanation:
    """Explain a proposal."""
    kind = Field("proposal_type", names.proposal(proposal_type(proposal)))
    about, fields = _proposal(proposal, look)
    return Explanation("proposal", f"Proposal {names.proposal(proposal_type(proposal)).name}", about, (kind, *fields))


def _proposal_or_ref(item: AnyProposal | ProposalRef, look: Look) -> Explanation:
    if isinstance(item, ProposalRef):
        fields = (Field("reference", Blob(item.reference)),)
        return Explanation("proposal_reference", "Proposal by reference", "sent before, by somebody", fields)
    return explain_proposal(item, look)


def _proposal(proposal: AnyProposal, look: Look) -> tuple[str, tuple[Field, ...]]:  # noqa: PLR0911 - one for each
    match proposal:
        case Add(key_package=package):
            return "adds a device", (Field("key_package", explain_key_package(package, look)),)
        case Update(leaf_node=leaf):
            return "gives the sender's device new keys", (Field("leaf_node", explain_leaf(leaf, look)),)
        case Remove(removed=leaf):
            return "removes a device", (Field("removed_leaf", leaf),)
        case PreSharedKey(psk=psk):
            return "mixes a key in that members have already", (Field("psk", _psk(psk)),)
        case ReInit():
            return "closes the group and goes on in a new one", (
                Field("group_id", Blob(proposal.group_id)),
                Field("protocol_version", names.version(proposal.version)),
                Field("cipher_suite", names.suite(proposal.cipher_suite)),
                Field("extensions", look.several(proposal.extensions, lambda item: explain_extension(item, look))),
            )
        case ExternalInit(kem_output=output):
            return "lets the sender in", (Field("kem_output", Blob(output)),)
        case GroupContextExtensions(extensions=extensions):
            told = look.several(extensions, lambda item: explain_extension(item, look))
            return "replaces the group's extensions, all of them", (Field("extensions", told),)
        case SelfRemove():
            return "the sender leaves", ()
        case UnknownProposal(data=data):
            return "of a type that is not known here", (Field("data", Blob(data)),)
        case _:
            assert_never(proposal)


def _psk(identifier: PreSharedKeyID) -> Explanation:
    nonce = Field("nonce", Blob(identifier.psk_nonce))
    match identifier.psk:
        case ExternalPSK(psk_id=data):
            return Explanation("external_psk", "External PSK", "", (Field("id", Blob(data)), nonce))
        case ResumptionPSK(usage=usage, psk_group_id=group_id, psk_epoch=epoch):
            fields = (
                Field("usage", names.named(usage)),
                Field("group_id", Blob(group_id)),
                Field("epoch", epoch),
                nonce,
            )
            return Explanation("resumption_psk", "Resumption PSK", "", fields)
        case _:
            assert_never(identifier.psk)


def _path(path: UpdatePath, look: Look) -> Explanation:
    fields = (
        Field("leaf_node", explain_leaf(path.leaf_node, look)),
        Field("nodes", look.several(path.nodes, _path_node)),
    )
    return Explanation("update_path", "UpdatePath", "new keys from the author's leaf up to the root", fields)


def _path_node(node: UpdatePathNode) -> Explanation:
    size = sum(len(item.kem_output) + len(item.ciphertext) for item in node.encrypted_path_secret)
    fields = (
        Field("encryption_key", Blob(node.encryption_key)),
        Field("recipients", len(node.encrypted_path_secret)),
        Field("path_secret", Encrypted(size)),
    )
    return Explanation("update_path_node", "UpdatePathNode", "", fields)

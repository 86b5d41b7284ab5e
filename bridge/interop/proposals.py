"""Calls that make a member's proposals, and proposals from their descriptions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from bridge.interop import mls_client_pb2 as pb
from bridge.interop import mls_extras_pb2 as extras
from bridge.interop.errors import invalid
from bridge.interop.host import Call, Host, answering
from bridge.interop.reading import read_extensions, read_leaf, read_message
from bridge.interop.registry import Membership
from mls import (
    GroupState,
    LeafChanges,
    MLSMessage,
    Transition,
    WireFormat,
    propose,
    propose_add,
    propose_update,
)
from mls.registry import MLS10, ResumptionPSKUsage
from mls.wire.framing import Member
from mls.wire.group_context import GroupContext
from mls.wire.key_package import KeyPackage
from mls.wire.proposals import (
    Add,
    AnyProposal,
    GroupContextExtensions,
    PreSharedKey,
    ReInit,
    Remove,
    SelfRemove,
    Update,
)
from mls.wire.psk import ExternalPSK, PreSharedKeyID, ResumptionPSK

__all__ = ["CALLS", "Composer", "send_proposal"]


@dataclass(frozen=True, slots=True)
class Composer:
    """Makes proposals for a group, for whoever sends them: a member, or somebody outside."""

    host: Host
    context: GroupContext
    leaf_of: Callable[[bytes], int]
    """From a member's identity to its leaf. Raises `CallError`."""

    @classmethod
    def of(cls, host: Host, state: GroupState) -> Composer:
        """Return a member's."""
        return cls(host, state.public.context, lambda identity: read_leaf(identity, state.members()))

    def described(self, description: pb.ProposalDescription) -> AnyProposal:
        """Return the proposal that is described. Raises `CallError`."""
        match description.proposal_type:
            case b"add":
                return Add(read_message(description.key_package, KeyPackage, "key_package"))
            case b"remove":
                return self.remove(description.removed_id)
            case b"externalPSK":
                return self.external_psk(description.psk_id)
            case b"resumptionPSK":
                return self.resumption_psk(description.epoch_id)
            case b"groupContextExtensions":
                return GroupContextExtensions(read_extensions(description.extensions))
            case b"reinit":
                return self.reinit(description.group_id, description.cipher_suite, description.extensions)
            case other:
                raise invalid(f"proposal_type: {other[:64]!r} is none")

    def remove(self, identity: bytes) -> Remove:
        """Return the removal of a member."""
        return Remove(self.leaf_of(identity))

    def external_psk(self, psk_id: bytes) -> PreSharedKey:
        """Return the injection of an external PSK."""
        return self._psk(ExternalPSK(psk_id))

    def resumption_psk(self, epoch: int) -> PreSharedKey:
        """Return the injection of the PSK of one of the group's epochs."""
        return self._psk(ResumptionPSK(ResumptionPSKUsage.APPLICATION, self.context.group_id, epoch))

    def reinit(self, group_id: bytes, suite: int, extensions: Iterable[pb.Extension]) -> ReInit:
        """Return the closing of the group for one with these parameters."""
        return ReInit(group_id, MLS10, self.host.suite(suite).number, read_extensions(extensions))

    def _psk(self, psk: ExternalPSK | ResumptionPSK) -> PreSharedKey:
        nonce = self.host.environment.random(self.host.suite(self.context.cipher_suite).Nh)
        return PreSharedKey(PreSharedKeyID(psk, nonce))


def send_proposal(host: Host, number: int, compose: Callable[[Composer], AnyProposal]) -> pb.ProposalResponse:
    """Let the member of that id propose what `compose` makes for its group."""
    member = host.registry.get(number, Membership)
    state, now = member.state, host.now
    proposal = compose(Composer.of(host, state))
    if isinstance(proposal, Add):
        sent = propose_add(state, host.environment, proposal.key_package, now=now, wire_format=member.wire_format)
    else:
        # A SelfRemove always travels as a PublicMessage, so that external Commits can take it in.
        handshakes = WireFormat.PUBLIC_MESSAGE if isinstance(proposal, SelfRemove) else member.wire_format
        sent = propose(state, host.environment, proposal, wire_format=handshakes)
    return _remember(host, number, member, sent, proposal)


def _remember(
    host: Host, number: int, member: Membership, sent: Transition[MLSMessage], proposal: AnyProposal
) -> pb.ProposalResponse:
    """Keep the state that has proposed, and which proposal its message is."""
    author = Member(member.state.own_leaf)
    # Not always the last one: an equal proposal, with a signature that is the same each time, stands where it was.
    reference = next(
        item.reference
        for item in sent.state.proposals
        if item.sender == author and item.proposal == proposal and item.reference is not None
    )
    message = sent.output.encode()
    references = {**member.references, hashlib.sha256(message).digest(): reference}
    host.registry.replace(number, replace(member, state=sent.state, references=references))
    return pb.ProposalResponse(proposal=message)


def _add_proposal(host: Host, request: pb.AddProposalRequest) -> pb.ProposalResponse:
    key_package = read_message(request.key_package, KeyPackage, "key_package")
    return send_proposal(host, request.state_id, lambda _: Add(key_package))


def _update_proposal(host: Host, request: pb.UpdateProposalRequest) -> pb.ProposalResponse:
    member = host.registry.get(request.state_id, Membership)
    sent = propose_update(member.state, host.environment, leaf_changes=LeafChanges(), wire_format=member.wire_format)
    return _remember(host, request.state_id, member, sent, Update(sent.state.own_updates[-1].leaf_node))


def _remove_proposal(host: Host, request: pb.RemoveProposalRequest) -> pb.ProposalResponse:
    return send_proposal(host, request.state_id, lambda composer: composer.remove(request.removed_id))


def _external_psk_proposal(host: Host, request: pb.ExternalPSKProposalRequest) -> pb.ProposalResponse:
    return send_proposal(host, request.state_id, lambda composer: composer.external_psk(request.psk_id))


def _resumption_psk_proposal(host: Host, request: pb.ResumptionPSKProposalRequest) -> pb.ProposalResponse:
    return send_proposal(host, request.state_id, lambda composer: composer.resumption_psk(request.epoch_id))


def _group_context_extensions_proposal(
    host: Host, request: pb.GroupContextExtensionsProposalRequest
) -> pb.ProposalResponse:
    extensions = read_extensions(request.extensions)
    return send_proposal(host, request.state_id, lambda _: GroupContextExtensions(extensions))


def _reinit_proposal(host: Host, request: pb.ReInitProposalRequest) -> pb.ProposalResponse:
    return send_proposal(
        host,
        request.state_id,
        lambda composer: composer.reinit(request.group_id, request.cipher_suite, request.extensions),
    )


def _self_remove_proposal(host: Host, request: extras.SelfRemoveProposalRequest) -> pb.ProposalResponse:
    return send_proposal(host, request.state_id, lambda _: SelfRemove())


CALLS: Final[Mapping[str, Call]] = {
    "AddProposal": answering(pb.AddProposalRequest, _add_proposal),
    "UpdateProposal": answering(pb.UpdateProposalRequest, _update_proposal),
    "RemoveProposal": answering(pb.RemoveProposalRequest, _remove_proposal),
    "ExternalPSKProposal": answering(pb.ExternalPSKProposalRequest, _external_psk_proposal),
    "ResumptionPSKProposal": answering(pb.ResumptionPSKProposalRequest, _resumption_psk_proposal),
    "GroupContextExtensionsProposal": answering(
        pb.GroupContextExtensionsProposalRequest, _group_context_extensions_proposal
    ),
    "ReInitProposal": answering(pb.ReInitProposalRequest, _reinit_proposal),
    "SelfRemoveProposal": answering(extras.SelfRemoveProposalRequest, _self_remove_proposal),
}

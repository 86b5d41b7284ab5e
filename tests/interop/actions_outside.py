"""What those do who are not in the group: join by an external Commit, and propose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.interop import mls_client_pb2 as pb
from tests.interop.actions_commits import handle_with
from tests.interop.descriptions import description
from tests.interop.parsing import ScriptError
from tests.interop.parts import Product

if TYPE_CHECKING:
    from tests.interop import scripts
    from tests.interop.parts import Actor
    from tests.interop.stage import Stage

__all__ = [
    "add_external_signer",
    "external_join",
    "external_signer_proposal",
    "group_info",
    "new_member_add_proposal",
]


def group_info(stage: Stage, member: Actor, *, external_tree: bool = False) -> pb.GroupInfoResponse:
    """Let a member give its GroupInfo, and the tree if that is not in it."""
    request = pb.GroupInfoRequest(state_id=stage.state(member), external_tree=external_tree)
    return stage.call(member, "GroupInfo", request, pb.GroupInfoResponse)


def external_join(stage: Stage, step: scripts.ExternalJoin) -> None:
    info = group_info(stage, step.actor, external_tree=step.external_tree)
    request = pb.ExternalJoinRequest(
        group_info=info.group_info,
        ratchet_tree=info.ratchet_tree,
        encrypt_handshake=stage.encrypt_handshake,
        identity=step.joiner.encode(),
        remove_prior=step.remove_prior,
        psks=[stage.left_psk(psk) for psk in step.psks],
    )
    response = stage.call(step.joiner, "ExternalJoin", request, pb.ExternalJoinResponse)
    stage.leave(step.joiner, Product.COMMIT, response.commit)
    stage.enter(step.joiner, response.state_id, response.epoch_authenticator)
    for member in (*step.members, step.actor):
        handle_with(stage, member, stage.step)


def new_member_add_proposal(stage: Stage, step: scripts.NewMemberAddProposal) -> None:
    request = pb.NewMemberAddProposalRequest(
        group_info=group_info(stage, step.actor).group_info, identity=step.joiner.encode()
    )
    response = stage.call(step.joiner, "NewMemberAddProposal", request, pb.NewMemberAddProposalResponse)
    stage.transactions[step.joiner] = response.transaction_id
    stage.leave(step.joiner, Product.PROPOSAL, response.proposal)


def add_external_signer(stage: Stage, step: scripts.AddExternalSigner) -> None:
    create = pb.CreateExternalSignerRequest(cipher_suite=stage.suite, identity=step.signer.encode())
    signer = stage.call(step.signer, "CreateExternalSigner", create, pb.CreateExternalSignerResponse)
    stage.signers[step.signer] = signer.signer_id
    add = pb.AddExternalSignerRequest(state_id=stage.state(step.actor), external_sender=signer.external_sender)
    response = stage.call(step.actor, "AddExternalSigner", add, pb.ProposalResponse)
    stage.leave(step.actor, Product.PROPOSAL, response.proposal)


def external_signer_proposal(stage: Stage, step: scripts.ExternalSignerProposal) -> None:
    if step.actor not in stage.signers:
        raise ScriptError(f"step {stage.step}: {step.actor} is no external signer")
    info = group_info(stage, step.member, external_tree=True)
    request = pb.ExternalSignerProposalRequest(
        signer_id=stage.signers[step.actor],
        signer_index=list(stage.signers).index(step.actor),
        group_info=info.group_info,
        ratchet_tree=info.ratchet_tree,
        description=description(stage, step.description),
    )
    response = stage.call(step.actor, "ExternalSignerProposal", request, pb.ProposalResponse)
    stage.leave(step.actor, Product.PROPOSAL, response.proposal)

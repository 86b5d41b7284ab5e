"""What each action of a script means, in calls: the semantics of the MLS working group's test runner."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from google.protobuf.message import Message

from bridge.interop import mls_client_pb2 as pb
from bridge.interop import mls_extras_pb2 as extras
from tests.interop import actions_commits as commits
from tests.interop import actions_outside as outside
from tests.interop import actions_successors as successors
from tests.interop import actions_talk as talk
from tests.interop import scripts
from tests.interop.descriptions import extensions
from tests.interop.parts import Product
from tests.interop.scripts import Step
from tests.interop.seats import Code, SeatError
from tests.interop.stage import Fault, Result, Stage

__all__ = ["perform"]

MemberProposal: TypeAlias = (
    scripts.AddProposal
    | scripts.UpdateProposal
    | scripts.RemoveProposal
    | scripts.ExternalPSKProposal
    | scripts.ResumptionPSKProposal
    | scripts.GroupContextExtensionsProposal
    | scripts.SelfRemoveProposal
)


def perform(stage: Stage, step: Step) -> None:  # noqa: C901, PLR0912 - one case for each action
    """Do what a step says. Raises `Fault`, or `ScriptError` if it makes no sense."""
    match step:
        case scripts.CreateGroup():
            commits.create_group(stage, step)
        case scripts.CreateKeyPackage():
            _create_key_package(stage, step)
        case scripts.JoinGroup():
            commits.join_group(stage, step)
        case scripts.ExternalJoin():
            outside.external_join(stage, step)
        case scripts.InstallExternalPSK():
            _install_external_psk(stage, step)
        case scripts.GroupInfo():
            outside.group_info(stage, step.actor, external_tree=step.external_tree)
        case scripts.FullCommit():
            commits.full_commit(stage, step)
        case scripts.Commit():
            commits.commit(stage, step)
        case scripts.HandleCommit():
            commits.handle_commit(stage, step)
        case scripts.HandlePendingCommit():
            commits.handle_pending_commit(stage, step.actor)
        case scripts.DiscardPendingCommit():
            commits.discard_pending_commit(stage, step)
        case scripts.Protect():
            talk.protect(stage, step)
        case scripts.Unprotect():
            talk.unprotect(stage, step)
        case scripts.CannotUnprotect():
            talk.cannot_unprotect(stage, step)
        case scripts.Talk():
            talk.talk(stage, step)
        case scripts.Agree():
            talk.agree(stage, step)
        case scripts.ReInit():
            successors.reinit(stage, step)
        case scripts.Branch():
            successors.branch(stage, step)
        case scripts.NewMemberAddProposal():
            outside.new_member_add_proposal(stage, step)
        case scripts.AddExternalSigner():
            outside.add_external_signer(stage, step)
        case scripts.ExternalSignerProposal():
            outside.external_signer_proposal(stage, step)
        case _:
            _propose(stage, step)


def _propose(stage: Stage, step: MemberProposal) -> None:
    """Let a member propose."""
    if isinstance(step, scripts.SelfRemoveProposal):
        _demand_self_remove(stage)
    rpc, request = _proposal(stage, step, stage.state(step.actor))
    response = stage.call(step.actor, rpc, request, pb.ProposalResponse)
    stage.leave(step.actor, Product.PROPOSAL, response.proposal)


def _proposal(  # noqa: PLR0911 - one for each proposal
    stage: Stage, step: MemberProposal, state: int
) -> tuple[str, Message]:
    """Return the call that makes a proposal, and its request."""
    match step:
        case scripts.AddProposal():
            key_package = stage.left(step.key_package, Product.KEY_PACKAGE)
            return "AddProposal", pb.AddProposalRequest(state_id=state, key_package=key_package)
        case scripts.UpdateProposal():
            return "UpdateProposal", pb.UpdateProposalRequest(state_id=state)
        case scripts.RemoveProposal():
            return "RemoveProposal", pb.RemoveProposalRequest(state_id=state, removed_id=step.removed.encode())
        case scripts.ExternalPSKProposal():
            psk_id = stage.left(step.psk_id, Product.PSK)
            return "ExternalPSKProposal", pb.ExternalPSKProposalRequest(state_id=state, psk_id=psk_id)
        case scripts.ResumptionPSKProposal():
            return "ResumptionPSKProposal", pb.ResumptionPSKProposalRequest(state_id=state, epoch_id=step.epoch_id)
        case scripts.GroupContextExtensionsProposal():
            listed = extensions(step.extensions)
            request = pb.GroupContextExtensionsProposalRequest(state_id=state, extensions=listed)
            return "GroupContextExtensionsProposal", request
        case scripts.SelfRemoveProposal():
            return "SelfRemoveProposal", extras.SelfRemoveProposalRequest(state_id=state)
        case _:
            assert_never(step)


def _demand_self_remove(stage: Stage) -> None:
    """See whether all seats have SelfRemove: where a member does not list it, nobody may propose it.

    Nobody has the state 0: who knows the call says so, and who does not is found by its answer. Raises `Fault`.
    """
    for actor in stage.one_of_each_seat():
        try:
            stage.attempt(
                actor, "SelfRemoveProposal", extras.SelfRemoveProposalRequest(state_id=0), pb.ProposalResponse
            )
        except SeatError as error:
            if error.code is Code.UNIMPLEMENTED:
                seat = stage.seat(actor)
                raise Fault(f"{actor} ({seat}), SelfRemoveProposal: {error}", seat, Result.NOT_OFFERED) from error


def _create_key_package(stage: Stage, step: scripts.CreateKeyPackage) -> None:
    stage.leave(step.actor, Product.KEY_PACKAGE, commits.new_key_package(stage, step.actor))


def _install_external_psk(stage: Stage, step: scripts.InstallExternalPSK) -> None:
    psk_id, secret = stage.random.randbytes(32), stage.random.randbytes(32)
    stage.leave_psk(psk_id, secret)
    for client in step.clients:
        where = stage.state(client) if stage.has_state(client) else stage.transaction(client)
        request = pb.StorePSKRequest(state_or_transaction_id=where, psk_id=psk_id, psk_secret=secret)
        stage.call(client, "StorePSK", request, pb.StorePSKResponse)

"""Groups that come from a group: reinitialization (RFC 9420, section 11.2) and branching (section 11.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.interop import mls_client_pb2 as pb
from tests.interop.actions_commits import new_key_package
from tests.interop.descriptions import extensions
from tests.interop.parsing import ScriptError
from tests.interop.parts import Product

if TYPE_CHECKING:
    from tests.interop import scripts
    from tests.interop.parts import Actor
    from tests.interop.stage import Stage

__all__ = ["branch", "reinit"]


def reinit(stage: Stage, step: scripts.ReInit) -> None:
    proposal = _reinit_proposal(stage, step)
    # In a fixed order, each one once: the roles may coincide.
    listed = (step.proposer, step.committer, step.welcomer, *step.members)
    everybody = list(dict.fromkeys(actor for actor in listed if actor is not None))
    closed = _close(stage, step.committer, everybody, proposal)
    others = [actor for actor in everybody if actor != step.welcomer]
    request = pb.ReInitWelcomeRequest(
        reinit_id=closed[step.welcomer].reinit_id,
        key_package=[closed[actor].key_package for actor in others],
        force_path=step.force_path,
        external_tree=step.external_tree,
    )
    successor = stage.call(step.welcomer, "ReInitWelcome", request, pb.CreateSubgroupResponse)
    stage.enter(step.welcomer, successor.state_id, successor.epoch_authenticator)
    for actor in others:
        join = pb.HandleReInitWelcomeRequest(
            reinit_id=closed[actor].reinit_id, welcome=successor.welcome, ratchet_tree=successor.ratchet_tree
        )
        joined = stage.call(actor, "HandleReInitWelcome", join, pb.JoinGroupResponse)
        stage.enter(actor, joined.state_id, joined.epoch_authenticator)


def _reinit_proposal(stage: Stage, step: scripts.ReInit) -> bytes:
    """Return the ReInit proposal that a member makes now, or that somebody outside has made before."""
    if step.external_reinit_proposal is not None:
        return stage.left(step.external_reinit_proposal, Product.PROPOSAL)
    if step.proposer is None:
        raise ScriptError(f"step {stage.step}: nobody proposes to reinitialize")
    if step.change_cipher_suite:
        stage.change_suite()
    request = pb.ReInitProposalRequest(
        state_id=stage.state(step.proposer),
        cipher_suite=stage.suite,
        group_id=stage.next_group_id(changed=step.change_group_id),
        extensions=extensions(step.extensions),
    )
    return stage.call(step.proposer, "ReInitProposal", request, pb.ProposalResponse).proposal


def _close(
    stage: Stage, committer: Actor, everybody: list[Actor], proposal: bytes
) -> dict[Actor, pb.HandleReInitCommitResponse]:
    """Commit the proposal; return what each member needs in order to go on to the new group."""
    request = pb.CommitRequest(state_id=stage.state(committer), by_reference=[proposal])
    commit = stage.call(committer, "ReInitCommit", request, pb.CommitResponse).commit
    closed: dict[Actor, pb.HandleReInitCommitResponse] = {}
    # The committer first: whether its own Commit is any good it knows best.
    for actor in sorted(everybody, key=lambda actor: actor != committer):
        if actor == committer:
            apply = pb.HandlePendingCommitRequest(state_id=stage.state(actor))
            closed[actor] = stage.call(actor, "HandlePendingReInitCommit", apply, pb.HandleReInitCommitResponse)
        else:
            handle = pb.HandleCommitRequest(state_id=stage.state(actor), proposal=[proposal], commit=commit)
            closed[actor] = stage.call(actor, "HandleReInitCommit", handle, pb.HandleReInitCommitResponse)
    authenticators = {actor: response.epoch_authenticator for actor, response in closed.items()}
    stage.compare("epoch authenticator of the group that ends", authenticators)
    return closed


def branch(stage: Stage, step: scripts.Branch) -> None:
    key_packages = [new_key_package(stage, member) for member in step.members]
    request = pb.CreateBranchRequest(
        state_id=stage.state(step.actor),
        group_id=stage.random.randbytes(16),
        extensions=extensions(step.extensions),
        key_packages=key_packages,
        force_path=step.force_path,
        external_tree=step.external_tree,
    )
    successor = stage.call(step.actor, "CreateBranch", request, pb.CreateSubgroupResponse)
    stage.enter(step.actor, successor.state_id, successor.epoch_authenticator)
    for member in step.members:
        handle = pb.HandleBranchRequest(
            state_id=stage.state(member),
            transaction_id=stage.transaction(member),
            welcome=successor.welcome,
            ratchet_tree=successor.ratchet_tree,
        )
        joined = stage.call(member, "HandleBranch", handle, pb.HandleBranchResponse)
        stage.enter(member, joined.state_id, joined.epoch_authenticator)

"""Creating a group, and Commits: made, applied, handled, given up, and joined by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.interop import mls_client_pb2 as pb
from bridge.interop import mls_extras_pb2 as extras
from tests.interop.descriptions import description
from tests.interop.parsing import ScriptError
from tests.interop.parts import Product

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.interop import scripts
    from tests.interop.parts import Actor
    from tests.interop.stage import Stage

__all__ = [
    "commit",
    "create_group",
    "discard_pending_commit",
    "full_commit",
    "handle_commit",
    "handle_pending_commit",
    "handle_with",
    "join_group",
    "new_key_package",
]


def create_group(stage: Stage, step: scripts.CreateGroup) -> None:
    stage.group_id = stage.random.randbytes(16)
    request = pb.CreateGroupRequest(
        group_id=stage.group_id,
        cipher_suite=stage.suite,
        encrypt_handshake=stage.encrypt_handshake,
        identity=step.actor.encode(),
    )
    stage.enter(step.actor, stage.call(step.actor, "CreateGroup", request, pb.CreateGroupResponse).state_id)
    if not step.members:
        return
    adds = [
        pb.ProposalDescription(proposal_type=b"add", key_package=new_key_package(stage, member))
        for member in step.members
    ]
    _commit(stage, step.actor, pb.CommitRequest(state_id=stage.state(step.actor), by_value=adds))
    handle_pending_commit(stage, step.actor)
    for member in step.members:
        _join(stage, member, stage.step)


def new_key_package(stage: Stage, actor: Actor) -> bytes:
    """Let an actor make a key package, to join with it later, and return it."""
    request = pb.CreateKeyPackageRequest(cipher_suite=stage.suite, identity=actor.encode())
    response = stage.call(actor, "CreateKeyPackage", request, pb.CreateKeyPackageResponse)
    stage.transactions[actor] = response.transaction_id
    return response.key_package


def full_commit(stage: Stage, step: scripts.FullCommit) -> None:
    commit(stage, step)
    handle_pending_commit(stage, step.actor)
    proposals = stage.all_left(step.by_reference, Product.PROPOSAL)
    for member in step.members:
        handle_with(stage, member, stage.step, proposals)
    for joiner in step.joiners:
        _join(stage, joiner, stage.step)


def commit(stage: Stage, step: scripts.FullCommit | scripts.Commit) -> None:
    """Let the actor commit. The Commit stays pending."""
    request = pb.CommitRequest(
        state_id=stage.state(step.actor),
        by_reference=stage.all_left(step.by_reference, Product.PROPOSAL),
        by_value=[description(stage, proposal) for proposal in step.by_value],
        force_path=step.force_path,
        external_tree=step.external_tree,
    )
    _commit(stage, step.actor, request)


def _commit(stage: Stage, actor: Actor, request: pb.CommitRequest) -> None:
    response = stage.call(actor, "Commit", request, pb.CommitResponse)
    stage.leave(actor, Product.COMMIT, response.commit)
    stage.leave_welcome(response.welcome, response.ratchet_tree)
    stage.pending[actor] = stage.step


def handle_pending_commit(stage: Stage, actor: Actor) -> None:
    """Let an actor apply the Commit that it has made."""
    if actor not in stage.pending:
        raise ScriptError(f"step {stage.step}: {actor} has no Commit pending")
    request = pb.HandlePendingCommitRequest(state_id=stage.state(actor))
    response = stage.call(actor, "HandlePendingCommit", request, pb.HandleCommitResponse)
    stage.enter(actor, response.state_id, response.epoch_authenticator, epoch=stage.pending.pop(actor))


def discard_pending_commit(stage: Stage, step: scripts.DiscardPendingCommit) -> None:
    request = extras.DiscardPendingCommitRequest(state_id=stage.state(step.actor))
    stage.call(step.actor, "DiscardPendingCommit", request, extras.DiscardPendingCommitResponse)
    stage.pending.pop(step.actor, None)


def handle_commit(stage: Stage, step: scripts.HandleCommit) -> None:
    handle_with(stage, step.actor, step.commit, stage.all_left(step.by_reference, Product.PROPOSAL))


def handle_with(stage: Stage, member: Actor, made_at: int, proposals: Sequence[bytes] = ()) -> None:
    """Let a member handle the Commit of another one, made at a step, with the proposals that it refers to."""
    request = pb.HandleCommitRequest(
        state_id=stage.state(member), proposal=proposals, commit=stage.left(made_at, Product.COMMIT)
    )
    response = stage.call(member, "HandleCommit", request, pb.HandleCommitResponse)
    stage.enter(member, response.state_id, response.epoch_authenticator, epoch=made_at)


def join_group(stage: Stage, step: scripts.JoinGroup) -> None:
    _join(stage, step.actor, step.welcome)


def _join(stage: Stage, joiner: Actor, made_at: int) -> None:
    """Let somebody join by the Welcome of the Commit made at a step."""
    welcome, ratchet_tree = stage.left_welcome(made_at)
    request = pb.JoinGroupRequest(
        transaction_id=stage.transaction(joiner),
        welcome=welcome,
        encrypt_handshake=stage.encrypt_handshake,
        identity=joiner.encode(),
        ratchet_tree=ratchet_tree,
    )
    response = stage.call(joiner, "JoinGroup", request, pb.JoinGroupResponse)
    stage.enter(joiner, response.state_id, response.epoch_authenticator, epoch=made_at)

"""Calls on groups that follow others: reinitialization and branching (RFC 9420, sections 11.2 and 11.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from bridge.interop import mls_client_pb2 as pb
from bridge.interop.commits import make_commit, receive_commit, take_pending
from bridge.interop.errors import CallError, Code, invalid
from bridge.interop.groups import join_by_welcome
from bridge.interop.host import Call, Host, answering
from bridge.interop.reading import read_extensions, read_message
from bridge.interop.registry import Membership, Successor, Transaction
from mls import CommitOptions, CommitOutput, Committed, Transition, branch, process, reinitialize
from mls.wire.key_package import KeyPackage

if TYPE_CHECKING:
    from collections.abc import Iterable


__all__ = ["CALLS"]


def _reinit_commit(host: Host, request: pb.CommitRequest) -> pb.CommitResponse:
    return make_commit(host, request, closing=True)


def _handle_pending_reinit_commit(host: Host, request: pb.HandlePendingCommitRequest) -> pb.HandleReInitCommitResponse:
    return _closed(host, take_pending(host, request.state_id, closing=True))


def _handle_reinit_commit(host: Host, request: pb.HandleCommitRequest) -> pb.HandleReInitCommitResponse:
    return _closed(host, receive_commit(host, request, closing=True))


def _closed(host: Host, old: Membership) -> pb.HandleReInitCommitResponse:
    """Get a member of a closed group ready for the next one."""
    reinit = old.state.reinit
    if reinit is None:
        raise CallError(Code.INTERNAL, "a Commit has closed the group, and its state does not say so")
    client = host.client(old.identity, host.suite(reinit.cipher_suite))
    bundle = host.key_package(client)
    return pb.HandleReInitCommitResponse(
        reinit_id=host.registry.add(Successor(old, client, bundle)),
        key_package=bundle.message.encode(),
        epoch_authenticator=old.state.epoch_authenticator,
    )


def _reinit_welcome(host: Host, request: pb.ReInitWelcomeRequest) -> pb.CreateSubgroupResponse:
    successor = host.registry.get(request.reinit_id, Successor)
    made = reinitialize(
        successor.old.state,
        successor.client,
        host.environment,
        _key_packages(request.key_package),
        lifetime=host.lifetime,
        now=host.now,
        options=_options(successor.old, force_path=request.force_path, external_tree=request.external_tree),
    )
    return _founded(host, successor.old, made, external_tree=request.external_tree)


def _handle_reinit_welcome(host: Host, request: pb.HandleReInitWelcomeRequest) -> pb.JoinGroupResponse:
    successor = host.registry.get(request.reinit_id, Successor)
    old = successor.old
    number, member = join_by_welcome(
        host,
        old.identity,
        successor.bundle,
        old.psks,
        request.welcome,
        request.ratchet_tree,
        handshakes=old.wire_format,
        previous=old,
    )
    host.registry.free(request.reinit_id)  # its KeyPackage is used
    return pb.JoinGroupResponse(state_id=number, epoch_authenticator=member.state.epoch_authenticator)


def _create_branch(host: Host, request: pb.CreateBranchRequest) -> pb.CreateSubgroupResponse:
    old = host.registry.get(request.state_id, Membership)
    made = branch(
        old.state,
        host.client(old.identity, old.state.suite),
        host.environment,
        _key_packages(request.key_packages),
        group_id=request.group_id,
        lifetime=host.lifetime,
        now=host.now,
        extensions=read_extensions(request.extensions),
        options=_options(old, force_path=request.force_path, external_tree=request.external_tree),
    )
    return _founded(host, old, made, external_tree=request.external_tree)


def _handle_branch(host: Host, request: pb.HandleBranchRequest) -> pb.HandleBranchResponse:
    old = host.registry.get(request.state_id, Membership)
    transaction = host.registry.get(request.transaction_id, Transaction)
    if transaction.identity != old.identity:
        raise invalid("transaction_id: the KeyPackage is somebody else's")
    number, member = join_by_welcome(
        host,
        transaction.identity,
        transaction.bundle,
        {**old.psks, **transaction.psks},
        request.welcome,
        request.ratchet_tree,
        handshakes=old.wire_format,
        previous=old,
    )
    host.registry.free(request.transaction_id)  # a KeyPackage is used once
    return pb.HandleBranchResponse(state_id=number, epoch_authenticator=member.state.epoch_authenticator)


def _key_packages(messages: Iterable[bytes]) -> list[KeyPackage]:
    return [read_message(message, KeyPackage, f"key_package[{index}]") for index, message in enumerate(messages)]


def _options(old: Membership, *, force_path: bool, external_tree: bool) -> CommitOptions:
    return CommitOptions(wire_format=old.wire_format, with_path=force_path, welcome_with_tree=not external_tree)


def _founded(
    host: Host, old: Membership, made: Transition[CommitOutput], *, external_tree: bool
) -> pb.CreateSubgroupResponse:
    """Put a new group's first Commit into effect: nobody else has to see it."""
    entered = process(made.state, host.environment, made.output.message, now=host.now)
    if not isinstance(entered.output, Committed):
        raise CallError(Code.INTERNAL, "a new group's first Commit was not recognised")
    welcome = entered.output.welcome
    return pb.CreateSubgroupResponse(
        state_id=host.registry.add(Membership(old.identity, entered.state, old.wire_format, old.psks)),
        welcome=b"" if welcome is None else welcome.encode(),
        ratchet_tree=entered.state.public.tree.to_extension().encode() if external_tree else b"",
        epoch_authenticator=entered.state.epoch_authenticator,
    )


CALLS: Final[Mapping[str, Call]] = {
    "ReInitCommit": answering(pb.CommitRequest, _reinit_commit),
    "HandlePendingReInitCommit": answering(pb.HandlePendingCommitRequest, _handle_pending_reinit_commit),
    "HandleReInitCommit": answering(pb.HandleCommitRequest, _handle_reinit_commit),
    "ReInitWelcome": answering(pb.ReInitWelcomeRequest, _reinit_welcome),
    "HandleReInitWelcome": answering(pb.HandleReInitWelcomeRequest, _handle_reinit_welcome),
    "CreateBranch": answering(pb.CreateBranchRequest, _create_branch),
    "HandleBranch": answering(pb.HandleBranchRequest, _handle_branch),
}

"""Calls that make Commits and put them into effect."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from bridge.interop import mls_client_pb2 as pb
from bridge.interop import mls_extras_pb2 as extras
from bridge.interop.errors import CallError, Code, explain, invalid
from bridge.interop.host import Call, Host, answering
from bridge.interop.proposals import Composer
from bridge.interop.registry import Membership
from mls import CommitOptions, Committed, MlsError, MLSMessage, OwnMessage, ProposalReceived, Status, commit, process

__all__ = ["CALLS", "authenticator", "make_commit", "receive_commit", "take_pending"]


def make_commit(host: Host, request: pb.CommitRequest, *, closing: bool) -> pb.CommitResponse:
    """Make a Commit and leave it pending. `closing` says whether it must be one of a ReInit, or must not."""
    member = host.registry.get(request.state_id, Membership)
    member, references = _receive_proposals(host, member, request.by_reference, "by_reference")
    composer = Composer.of(host, member.state)
    proposals = []
    for index, description in enumerate(request.by_value):
        try:
            proposals.append(composer.described(description))
        except CallError as error:
            raise explain(error, where=f"by_value[{index}]: ") from error
    made = commit(
        member.state,
        host.with_psks(member.psks),
        now=host.now,
        proposals=proposals,
        references=references,
        options=CommitOptions(
            wire_format=member.wire_format,
            with_path=request.force_path,  # where the proposals require one, the engine makes it anyway
            welcome_with_tree=not request.external_tree,
        ),
    )
    message, pending = made.output.message, made.output.pending
    _require_kind(pending.next_epoch.committed, closing=closing)
    host.registry.replace(request.state_id, replace(member, state=made.state, pending=message))
    tree = pending.next_epoch.public.tree
    return pb.CommitResponse(
        commit=message.encode(),
        welcome=b"" if pending.welcome is None else pending.welcome.encode(),
        ratchet_tree=tree.to_extension().encode() if request.external_tree else b"",
    )


def receive_commit(host: Host, request: pb.HandleCommitRequest, *, closing: bool) -> Membership:
    """Return the member in the epoch that somebody's Commit leads to. The old state stays as it was."""
    member = host.registry.get(request.state_id, Membership)
    member, _ = _receive_proposals(host, member, request.proposal, "proposal")
    return _enter(host, member, request.commit, closing=closing)


def take_pending(host: Host, number: int, *, closing: bool) -> Membership:
    """Return the member in the epoch that its own pending Commit leads to. That is then not pending any more."""
    member = host.registry.get(number, Membership)
    if member.pending is None:
        raise CallError(Code.FAILED_PRECONDITION, f"state {number} has no Commit pending")
    entered = _enter(host, member, member.pending, closing=closing)
    host.registry.replace(number, replace(member, pending=None))
    return entered


def authenticator(member: Membership) -> bytes:
    """Return the epoch authenticator; nothing for one who was just removed, for whom there is no epoch."""
    return b"" if member.state.status is Status.REMOVED else member.state.epoch_authenticator


def _enter(host: Host, member: Membership, message: bytes | MLSMessage, *, closing: bool) -> Membership:
    entered = process(member.state, host.with_psks(member.psks), message, now=host.now)
    if not isinstance(entered.output, Committed):
        raise invalid("commit: this message is not a Commit")
    _require_kind(entered.output, closing=closing)
    return Membership(member.identity, entered.state, member.wire_format, member.psks)


def _require_kind(committed: Committed, *, closing: bool) -> None:
    if closing and committed.reinit is None:
        raise invalid("this Commit does not close the group: it is not one of a ReInit")
    if committed.reinit is not None and not closing:
        raise invalid("this Commit closes the group by a ReInit: there are calls of its own for that")


def _receive_proposals(
    host: Host, member: Membership, messages: Iterable[bytes], field: str
) -> tuple[Membership, list[bytes]]:
    """Take in proposals, one's own among them; return the member that knows them, and their references."""
    state, known, references = member.state, dict(member.references), []
    for index, message in enumerate(messages):
        digest = hashlib.sha256(message).digest()
        if digest not in known:
            where = f"{field}[{index}]: "
            try:
                received = process(state, host.environment, message, now=host.now)
            except MlsError as error:
                raise explain(error, where=where) from error
            match received.output:
                case ProposalReceived(proposed=proposed) if proposed.reference is not None:
                    state, known[digest] = received.state, proposed.reference
                case OwnMessage():
                    reason = f"{where}this member's leaf has sent it, but this state has not"
                    raise CallError(Code.FAILED_PRECONDITION, reason)
                case _:
                    raise invalid(f"{where}this message is not a proposal")
        references.append(known[digest])
    return replace(member, state=state, references=known), references


def _commit(host: Host, request: pb.CommitRequest) -> pb.CommitResponse:
    return make_commit(host, request, closing=False)


def _handle_commit(host: Host, request: pb.HandleCommitRequest) -> pb.HandleCommitResponse:
    return _entered(host, receive_commit(host, request, closing=False))


def _handle_pending_commit(host: Host, request: pb.HandlePendingCommitRequest) -> pb.HandleCommitResponse:
    return _entered(host, take_pending(host, request.state_id, closing=False))


def _entered(host: Host, member: Membership) -> pb.HandleCommitResponse:
    return pb.HandleCommitResponse(state_id=host.registry.add(member), epoch_authenticator=authenticator(member))


def _discard_pending_commit(
    host: Host, request: extras.DiscardPendingCommitRequest
) -> extras.DiscardPendingCommitResponse:
    member = host.registry.get(request.state_id, Membership)
    if member.pending is None:
        raise CallError(Code.FAILED_PRECONDITION, f"state {request.state_id} has no Commit pending")
    # What was used to encrypt the Commit stays used: only the way into its epoch is closed.
    host.registry.replace(request.state_id, replace(member, state=member.state.step(pending=()), pending=None))
    return extras.DiscardPendingCommitResponse()


CALLS: Final[Mapping[str, Call]] = {
    "Commit": answering(pb.CommitRequest, _commit),
    "HandleCommit": answering(pb.HandleCommitRequest, _handle_commit),
    "HandlePendingCommit": answering(pb.HandlePendingCommitRequest, _handle_pending_commit),
    "DiscardPendingCommit": answering(extras.DiscardPendingCommitRequest, _discard_pending_commit),
}

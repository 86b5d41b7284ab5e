"""Calls within an epoch: what its members say, and what they derive from its secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from bridge.interop import mls_client_pb2 as pb
from bridge.interop.errors import CallError, Code, invalid
from bridge.interop.host import Call, Host, answering
from bridge.interop.registry import Membership
from mls import ApplicationMessage, OwnMessage, Secret, export, process, protect

__all__ = ["CALLS"]

MAX_PSKS: Final = 1 << 12
"""How many external PSKs one client holds at the most."""


def _state_auth(host: Host, request: pb.StateAuthRequest) -> pb.StateAuthResponse:
    state = host.registry.get(request.state_id, Membership).state
    return pb.StateAuthResponse(state_auth_secret=state.epoch_authenticator)


def _export(host: Host, request: pb.ExportRequest) -> pb.ExportResponse:
    state = host.registry.get(request.state_id, Membership).state
    return pb.ExportResponse(exported_secret=export(state, request.label, request.context, request.key_length))


def _protect(host: Host, request: pb.ProtectRequest) -> pb.ProtectResponse:
    member = host.registry.get(request.state_id, Membership)
    sealed = protect(
        member.state,
        host.environment,
        request.plaintext,
        authenticated_data=request.authenticated_data,
        # Who has committed the proposals that wait has done its duty (RFC 9420, section 12.4).
        while_proposals_wait=member.pending is not None,
    )
    host.registry.replace(request.state_id, replace(member, state=sealed.state))
    return pb.ProtectResponse(ciphertext=sealed.output.encode())


def _unprotect(host: Host, request: pb.UnprotectRequest) -> pb.UnprotectResponse:
    member = host.registry.get(request.state_id, Membership)
    opened = process(member.state, host.environment, request.ciphertext, now=host.now)
    match opened.output:
        case ApplicationMessage(data=data, authenticated_data=authenticated_data):
            host.registry.replace(request.state_id, replace(member, state=opened.state))
            return pb.UnprotectResponse(authenticated_data=authenticated_data, plaintext=data)
        case OwnMessage():
            reason = "ciphertext: this member has sent it, and cannot open it: its key is gone"
            raise CallError(Code.FAILED_PRECONDITION, reason)
        case _:
            raise invalid("ciphertext: a handshake message is not an application message")


def _store_psk(host: Host, request: pb.StorePSKRequest) -> pb.StorePSKResponse:
    number = request.state_or_transaction_id
    holder = host.registry.get_holder_of_psks(number)
    psks = {**holder.psks, request.psk_id: Secret(request.psk_secret)}
    if len(psks) > MAX_PSKS:
        raise CallError(Code.RESOURCE_EXHAUSTED, f"{MAX_PSKS} PSKs are held, as many as there may be")
    host.registry.replace(number, replace(holder, psks=psks))
    return pb.StorePSKResponse()


CALLS: Final[Mapping[str, Call]] = {
    "StateAuth": answering(pb.StateAuthRequest, _state_auth),
    "Export": answering(pb.ExportRequest, _export),
    "Protect": answering(pb.ProtectRequest, _protect),
    "Unprotect": answering(pb.UnprotectRequest, _unprotect),
    "StorePSK": answering(pb.StorePSKRequest, _store_psk),
}

"""Calls of those who are not in the group and propose something to it (RFC 9420, section 12.1.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bridge.interop import mls_client_pb2 as pb
from bridge.interop.errors import explain, invalid
from bridge.interop.host import Call, Host, answering
from bridge.interop.proposals import Composer, send_proposal
from bridge.interop.reading import read_message, read_tree, read_tree_leaf
from bridge.interop.registry import Signer, Transaction
from mls import MlsError, external_proposal, new_member_proposal
from mls.registry import ExtensionType
from mls.wire.extensions import ExternalSender, ExternalSenders, find_extension, pack_extension
from mls.wire.group_context import GroupContext
from mls.wire.proposals import GroupContextExtensions
from mls.wire.welcome import GroupInfo

__all__ = ["CALLS"]


def _new_member_add_proposal(host: Host, request: pb.NewMemberAddProposalRequest) -> pb.NewMemberAddProposalResponse:
    context = read_message(request.group_info, GroupInfo, "group_info").group_context
    bundle = host.key_package(host.client(request.identity, host.suite(context.cipher_suite)))
    proposal = new_member_proposal(context, bundle.signature_key, bundle.key_package, experimental=host.experimental)
    return pb.NewMemberAddProposalResponse(
        transaction_id=host.registry.add(Transaction(request.identity, bundle)),
        proposal=proposal.encode(),
        init_priv=bytes(bundle.init_key.secret.value),
        encryption_priv=bytes(bundle.encryption_key.secret.value),
        signature_priv=bytes(bundle.signature_key.secret.value),
    )


def _create_external_signer(host: Host, request: pb.CreateExternalSignerRequest) -> pb.CreateExternalSignerResponse:
    client = host.client(request.identity, host.suite(request.cipher_suite))
    sender = ExternalSender(client.signature_key.public_key, client.credential)
    return pb.CreateExternalSignerResponse(signer_id=host.registry.add(Signer(client)), external_sender=sender.encode())


def _add_external_signer(host: Host, request: pb.AddExternalSignerRequest) -> pb.ProposalResponse:
    try:
        sender = ExternalSender.decode(request.external_sender)
    except MlsError as error:
        raise explain(error, where="external_sender: ") from error

    def appended(composer: Composer) -> GroupContextExtensions:
        extensions = composer.context.extensions
        others = [item for item in extensions if item.extension_type != ExtensionType.EXTERNAL_SENDERS]
        present = find_extension(extensions, ExternalSenders)
        senders = () if present is None else present.external_senders
        return GroupContextExtensions((*others, pack_extension(ExternalSenders((*senders, sender)))))

    return send_proposal(host, request.state_id, appended)


def _external_signer_proposal(host: Host, request: pb.ExternalSignerProposalRequest) -> pb.ProposalResponse:
    client = host.registry.get(request.signer_id, Signer).client
    info = read_message(request.group_info, GroupInfo, "group_info")
    tree = read_tree(request.ratchet_tree)
    context = info.group_context
    if not _is_external_sender(context, request.signer_index, client.signature_key.public_key):
        raise invalid(f"signer_index: the group's external sender {request.signer_index} is not this signer")
    composer = Composer(host, context, lambda identity: read_tree_leaf(identity, info, tree))
    proposal = composer.described(request.description)
    message = external_proposal(
        context, request.signer_index, client.signature_key, proposal, experimental=host.experimental
    )
    return pb.ProposalResponse(proposal=message.encode())


def _is_external_sender(context: GroupContext, index: int, key: bytes) -> bool:
    senders = find_extension(context.extensions, ExternalSenders)
    listed = () if senders is None else senders.external_senders
    return index < len(listed) and listed[index].signature_key == key


CALLS: Final[Mapping[str, Call]] = {
    "NewMemberAddProposal": answering(pb.NewMemberAddProposalRequest, _new_member_add_proposal),
    "CreateExternalSigner": answering(pb.CreateExternalSignerRequest, _create_external_signer),
    "AddExternalSigner": answering(pb.AddExternalSignerRequest, _add_external_signer),
    "ExternalSignerProposal": answering(pb.ExternalSignerProposalRequest, _external_signer_proposal),
}

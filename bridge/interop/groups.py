"""Calls on who answers, and on becoming a member."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

from bridge import __version__
from bridge.interop import mls_client_pb2 as pb
from bridge.interop.errors import invalid
from bridge.interop.host import Call, Host, answering
from bridge.interop.reading import read_message, read_tree, read_tree_leaf
from bridge.interop.registry import Membership, Transaction
from mls import KeyPackageBundle, Secret, WireFormat, create, group_info, join, join_externally
from mls.tree.math import LeafIndex
from mls.wire.psk import ExternalPSK, PreSharedKeyID
from mls.wire.welcome import GroupInfo

__all__ = ["CALLS", "join_by_welcome", "wire_format"]

NAME: Final = f"mls-bridge {__version__} (cryptography {version('cryptography')}, PyNaCl {version('pynacl')})"


def wire_format(*, encrypt_handshake: bool) -> WireFormat:
    """Return how a member sends its handshakes."""
    return WireFormat.PRIVATE_MESSAGE if encrypt_handshake else WireFormat.PUBLIC_MESSAGE


def join_by_welcome(
    host: Host,
    identity: bytes,
    bundle: KeyPackageBundle,
    psks: Mapping[bytes, Secret],
    welcome: bytes,
    tree: bytes,
    *,
    handshakes: WireFormat,
    previous: Membership | None = None,
) -> tuple[int, Membership]:
    """Join by a Welcome; return the new state and its id. `previous` is the state of the group that this one follows.

    Which other groups this client is in does not matter: one program plays many clients.
    """
    joined = join(
        host.with_psks(psks),
        welcome,
        [bundle],
        tree=read_tree(tree),
        previous=None if previous is None else previous.state,
    )
    member = Membership(identity, joined.state, handshakes, psks)
    return host.registry.add(member), member


def _name(host: Host, request: pb.NameRequest) -> pb.NameResponse:  # noqa: ARG001 - as all calls
    return pb.NameResponse(name=NAME)


def _supported_ciphersuites(
    host: Host,
    request: pb.SupportedCiphersuitesRequest,  # noqa: ARG001 - as all calls
) -> pb.SupportedCiphersuitesResponse:
    return pb.SupportedCiphersuitesResponse(ciphersuites=sorted(host.suites))


def _create_group(host: Host, request: pb.CreateGroupRequest) -> pb.CreateGroupResponse:
    client = host.client(request.identity, host.suite(request.cipher_suite))
    created = create(client, host.environment, group_id=request.group_id, lifetime=host.lifetime)
    member = Membership(request.identity, created.state, wire_format(encrypt_handshake=request.encrypt_handshake))
    return pb.CreateGroupResponse(state_id=host.registry.add(member))


def _create_key_package(host: Host, request: pb.CreateKeyPackageRequest) -> pb.CreateKeyPackageResponse:
    bundle = host.key_package(host.client(request.identity, host.suite(request.cipher_suite)))
    return pb.CreateKeyPackageResponse(
        transaction_id=host.registry.add(Transaction(request.identity, bundle)),
        key_package=bundle.message.encode(),
        init_priv=bytes(bundle.init_key.secret.value),
        encryption_priv=bytes(bundle.encryption_key.secret.value),
        signature_priv=bytes(bundle.signature_key.secret.value),
    )


def _join_group(host: Host, request: pb.JoinGroupRequest) -> pb.JoinGroupResponse:
    transaction = host.registry.get(request.transaction_id, Transaction)
    if request.identity != transaction.identity:
        raise invalid("identity: the transaction's KeyPackage has another one")
    number, member = join_by_welcome(
        host,
        transaction.identity,
        transaction.bundle,
        transaction.psks,
        request.welcome,
        request.ratchet_tree,
        handshakes=wire_format(encrypt_handshake=request.encrypt_handshake),
    )
    host.registry.free(request.transaction_id)  # a KeyPackage is used once
    return pb.JoinGroupResponse(state_id=number, epoch_authenticator=member.state.epoch_authenticator)


def _external_join(host: Host, request: pb.ExternalJoinRequest) -> pb.ExternalJoinResponse:
    info = read_message(request.group_info, GroupInfo, "group_info")
    tree = read_tree(request.ratchet_tree)
    suite = host.suite(info.group_context.cipher_suite)
    psks = {psk.psk_id: Secret(psk.psk_secret) for psk in request.psks}
    random = host.environment.random
    joined = join_externally(
        host.client(request.identity, suite),
        host.with_psks(psks),
        request.group_info,
        tree=tree,
        replaces=LeafIndex(read_tree_leaf(request.identity, info, tree)) if request.remove_prior else None,
        psks=[PreSharedKeyID(ExternalPSK(psk.psk_id), random(suite.Nh)) for psk in request.psks],
    )
    member = Membership(request.identity, joined.state, wire_format(encrypt_handshake=request.encrypt_handshake), psks)
    return pb.ExternalJoinResponse(
        state_id=host.registry.add(member),
        commit=joined.output.message.encode(),
        epoch_authenticator=joined.state.epoch_authenticator,
    )


def _group_info(host: Host, request: pb.GroupInfoRequest) -> pb.GroupInfoResponse:
    state = host.registry.get(request.state_id, Membership).state
    return pb.GroupInfoResponse(
        group_info=group_info(state, with_tree=not request.external_tree).encode(),
        ratchet_tree=state.public.tree.to_extension().encode() if request.external_tree else b"",
    )


def _free(host: Host, request: pb.FreeRequest) -> pb.FreeResponse:
    host.registry.free(request.state_id)
    return pb.FreeResponse()


CALLS: Final[Mapping[str, Call]] = {
    "Name": answering(pb.NameRequest, _name),
    "SupportedCiphersuites": answering(pb.SupportedCiphersuitesRequest, _supported_ciphersuites),
    "CreateGroup": answering(pb.CreateGroupRequest, _create_group),
    "CreateKeyPackage": answering(pb.CreateKeyPackageRequest, _create_key_package),
    "JoinGroup": answering(pb.JoinGroupRequest, _join_group),
    "ExternalJoin": answering(pb.ExternalJoinRequest, _external_join),
    "GroupInfo": answering(pb.GroupInfoRequest, _group_info),
    "Free": answering(pb.FreeRequest, _free),
}

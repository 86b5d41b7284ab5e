"""Driving a server as the working group's test runner does: a connection, and actors who hold ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import grpc
import pytest
from google.protobuf.message import Message

from bridge.interop import mls_client_pb2 as pb
from bridge.interop import mls_extras_pb2 as extras
from bridge.interop.host import Host
from bridge.interop.server import Server
from bridge.interop.service import MAX_MESSAGE, SERVICES, Service
from mls import CIPHER_SUITES
from mls.rules import Rule

__all__ = [
    "HANDSHAKES",
    "NO_SUCH_ID",
    "PATHS",
    "SUITES",
    "Actor",
    "Connection",
    "add",
    "add_by_value",
    "agree",
    "described",
    "everybody",
    "failing",
    "join",
    "serving",
    "talk",
    "update",
]

NO_SUCH_ID = 4_000_000_000

SUITES = pytest.mark.parametrize("suite", sorted(CIPHER_SUITES))
HANDSHAKES = pytest.mark.parametrize("encrypt", [False, True], ids=["public", "private"])

SECONDS = 60

PATHS = {method.name: f"/{service.full_name}/{method.name}" for service in SERVICES for method in service.methods}

Answer = TypeVar("Answer", bound=Message)


class Connection:
    """A connection to a server."""

    def __init__(self, address: str) -> None:
        options = [
            ("grpc.enable_http_proxy", 0),
            ("grpc.max_receive_message_length", MAX_MESSAGE),
            ("grpc.max_send_message_length", -1),
        ]
        self._channel = grpc.insecure_channel(address, options=options)

    def raw(self, path: str, request: bytes) -> bytes:
        """Make a call with these bytes for a request."""
        stub: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(path, request_serializer=bytes)
        return stub(request, timeout=SECONDS, wait_for_ready=True)

    def call(self, name: str, request: Message, answer: type[Answer]) -> Answer:
        """Make a call. Raises `grpc.RpcError`."""
        return answer.FromString(self.raw(PATHS[name], request.SerializeToString()))

    def close(self) -> None:
        self._channel.close()


@contextmanager
def serving(host: Host | None = None) -> Iterator[Connection]:
    """Serve on a free port of this process, and connect to it."""
    server = Server(Service(Host() if host is None else host), "127.0.0.1", 0)
    server.start()
    connection = Connection(server.address)
    try:
        yield connection
    finally:
        connection.close()
        assert server.stop()


@contextmanager
def failing(code: grpc.StatusCode, *words: str | Rule) -> Iterator[None]:
    """Expect a call to fail with this status, and with a reason that has all these words, and names these rules."""
    with pytest.raises(grpc.RpcError) as caught:
        yield
    reason = caught.value.details() or ""
    assert caught.value.code() is code, reason
    assert reason
    assert "Traceback" not in reason
    for word in words:
        for part in (word,) if isinstance(word, str) else (word.name, word.reference):
            assert part in reason, reason


@dataclass
class Actor:
    """Somebody with a name, and the id of its newest state."""

    connection: Connection
    name: str
    suite: int = 1
    encrypt: bool = True
    state_id: int = 0
    transaction_id: int = 0
    epoch_authenticator: bytes = field(default=b"", repr=False)

    @property
    def identity(self) -> bytes:
        return self.name.encode()

    def create_group(self, group_id: bytes = b"the group") -> None:
        request = pb.CreateGroupRequest(
            group_id=group_id, cipher_suite=self.suite, encrypt_handshake=self.encrypt, identity=self.identity
        )
        self.state_id = self.connection.call("CreateGroup", request, pb.CreateGroupResponse).state_id

    def key_package(self) -> bytes:
        request = pb.CreateKeyPackageRequest(cipher_suite=self.suite, identity=self.identity)
        made = self.connection.call("CreateKeyPackage", request, pb.CreateKeyPackageResponse)
        self.transaction_id = made.transaction_id
        return made.key_package

    def join(self, welcome: bytes, ratchet_tree: bytes = b"") -> None:
        request = pb.JoinGroupRequest(
            transaction_id=self.transaction_id,
            welcome=welcome,
            encrypt_handshake=self.encrypt,
            identity=self.identity,
            ratchet_tree=ratchet_tree,
        )
        self._enter(self.connection.call("JoinGroup", request, pb.JoinGroupResponse))

    def propose(self, name: str, request: Message) -> bytes:
        """Make one of the calls that answer with a proposal."""
        return self.connection.call(name, request, pb.ProposalResponse).proposal

    def commit(
        self,
        *by_value: pb.ProposalDescription,
        by_reference: Iterable[bytes] = (),
        force_path: bool = False,
        external_tree: bool = False,
        name: str = "Commit",
    ) -> pb.CommitResponse:
        request = pb.CommitRequest(
            state_id=self.state_id,
            by_reference=by_reference,
            by_value=by_value,
            force_path=force_path,
            external_tree=external_tree,
        )
        return self.connection.call(name, request, pb.CommitResponse)

    def handle_pending(self) -> None:
        request = pb.HandlePendingCommitRequest(state_id=self.state_id)
        self._enter(self.connection.call("HandlePendingCommit", request, pb.HandleCommitResponse))

    def handle(self, commit: bytes, proposals: Iterable[bytes] = ()) -> None:
        request = pb.HandleCommitRequest(state_id=self.state_id, proposal=proposals, commit=commit)
        self._enter(self.connection.call("HandleCommit", request, pb.HandleCommitResponse))

    def discard(self) -> None:
        request = extras.DiscardPendingCommitRequest(state_id=self.state_id)
        self.connection.call("DiscardPendingCommit", request, extras.DiscardPendingCommitResponse)

    def group_info(self, *, external_tree: bool = False) -> pb.GroupInfoResponse:
        request = pb.GroupInfoRequest(state_id=self.state_id, external_tree=external_tree)
        return self.connection.call("GroupInfo", request, pb.GroupInfoResponse)

    def state_auth(self) -> bytes:
        request = pb.StateAuthRequest(state_id=self.state_id)
        return self.connection.call("StateAuth", request, pb.StateAuthResponse).state_auth_secret

    def export(self, label: str, context: bytes, key_length: int) -> bytes:
        request = pb.ExportRequest(state_id=self.state_id, label=label, context=context, key_length=key_length)
        return self.connection.call("Export", request, pb.ExportResponse).exported_secret

    def protect(self, plaintext: bytes, authenticated_data: bytes = b"") -> bytes:
        request = pb.ProtectRequest(state_id=self.state_id, authenticated_data=authenticated_data, plaintext=plaintext)
        return self.connection.call("Protect", request, pb.ProtectResponse).ciphertext

    def unprotect(self, ciphertext: bytes) -> tuple[bytes, bytes]:
        """Return what was said, and the data that came with it in the clear."""
        request = pb.UnprotectRequest(state_id=self.state_id, ciphertext=ciphertext)
        opened = self.connection.call("Unprotect", request, pb.UnprotectResponse)
        return opened.plaintext, opened.authenticated_data

    def store_psk(self, psk_id: bytes, psk_secret: bytes, number: int | None = None) -> None:
        number = self.state_id if number is None else number
        request = pb.StorePSKRequest(state_or_transaction_id=number, psk_id=psk_id, psk_secret=psk_secret)
        self.connection.call("StorePSK", request, pb.StorePSKResponse)

    def free(self, number: int | None = None) -> None:
        number = self.state_id if number is None else number
        self.connection.call("Free", pb.FreeRequest(state_id=number), pb.FreeResponse)

    def _enter(self, answer: pb.JoinGroupResponse | pb.HandleCommitResponse) -> None:
        self.state_id, self.epoch_authenticator = answer.state_id, answer.epoch_authenticator


def described(proposal_type: str, **fields: object) -> pb.ProposalDescription:
    """Return a description of a proposal."""
    description = pb.ProposalDescription(proposal_type=proposal_type.encode())
    for name, value in fields.items():
        match getattr(description, name):
            case bytes() | int():
                setattr(description, name, value)
            case repeated:
                repeated.extend(value)
    return description


def add(actor: Actor) -> pb.ProposalDescription:
    """Return the addition of somebody, with a fresh KeyPackage."""
    return described("add", key_package=actor.key_package())


def join(committer: Actor, made: pb.CommitResponse, members: Sequence[Actor], joiners: Sequence[Actor]) -> None:
    """Let a Commit of additions take effect everywhere."""
    committer.handle_pending()
    for member in members:
        member.handle(made.commit)
    for joiner in joiners:
        joiner.join(made.welcome, made.ratchet_tree)
    agree(committer, *members, *joiners)


def add_by_value(committer: Actor, *joiners: Actor, members: Sequence[Actor] = ()) -> None:
    """Add some, and let everybody see it."""
    join(committer, committer.commit(*(add(joiner) for joiner in joiners)), members, joiners)


def everybody(connection: Connection, *names: str, suite: int = 1, encrypt: bool = True) -> list[Actor]:
    """Return actors who are in one group, the first one its creator."""
    actors = [Actor(connection, name, suite, encrypt) for name in names]
    actors[0].create_group()
    if len(actors) > 1:
        add_by_value(actors[0], *actors[1:])
    return actors


def agree(*actors: Actor) -> None:
    """Check that these are in one epoch, by what they say now and by what they said when they came into it."""
    assert len({actor.state_auth() for actor in actors}) == 1
    for actor in actors:
        assert actor.epoch_authenticator == actor.state_auth()


def talk(*actors: Actor) -> None:
    """Let each say something that all others can read."""
    for author in actors:
        ciphertext = author.protect(f"{author.name} is here".encode(), b"in the clear")
        for reader in actors:
            if reader is not author:
                assert reader.unprotect(ciphertext) == (f"{author.name} is here".encode(), b"in the clear")


def update(actor: Actor) -> bytes:
    """Let somebody propose fresh keys for itself."""
    return actor.propose("UpdateProposal", pb.UpdateProposalRequest(state_id=actor.state_id))

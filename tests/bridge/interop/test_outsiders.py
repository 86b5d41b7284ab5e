"""Proposals from outside the group."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from grpc import StatusCode

from bridge.interop import mls_client_pb2 as pb
from mls import CIPHER_SUITES, rules
from mls.wire.extensions import ExternalSender
from mls.wire.framing import External, NewMemberProposal, PublicMessage
from mls.wire.message import MLSMessage
from mls.wire.proposals import Add
from tests.bridge.interop.driving import (
    HANDSHAKES,
    NO_SUCH_ID,
    SUITES,
    Actor,
    Connection,
    agree,
    described,
    everybody,
    failing,
    talk,
)


@dataclass
class Signer:
    """Somebody outside."""

    connection: Connection
    signer_id: int
    external_sender: bytes

    @classmethod
    def called(cls, name: str, connection: Connection, suite: int = 1) -> Signer:
        request = pb.CreateExternalSignerRequest(cipher_suite=suite, identity=name.encode())
        made = connection.call("CreateExternalSigner", request, pb.CreateExternalSignerResponse)
        return cls(connection, made.signer_id, made.external_sender)

    def propose(
        self, member: Actor, description: pb.ProposalDescription, *, index: int = 0, external_tree: bool = True
    ) -> bytes:
        info = member.group_info(external_tree=external_tree)
        request = pb.ExternalSignerProposalRequest(
            signer_id=self.signer_id,
            signer_index=index,
            group_info=info.group_info,
            ratchet_tree=info.ratchet_tree,
            description=description,
        )
        return self.connection.call("ExternalSignerProposal", request, pb.ProposalResponse).proposal

    def admitted(self, by: Actor, *others: Actor) -> Signer:
        """Become one of the group's external senders."""
        request = pb.AddExternalSignerRequest(state_id=by.state_id, external_sender=self.external_sender)
        commit(by, by.propose("AddExternalSigner", request), *others)
        return self


def commit(committer: Actor, proposal: bytes, *members: Actor) -> pb.CommitResponse:
    made = committer.commit(by_reference=[proposal])
    committer.handle_pending()
    for member in members:
        member.handle(made.commit, [proposal])
    agree(committer, *members)
    return made


@SUITES
@HANDSHAKES
def test_new_member_add_proposal(connection: Connection, suite: int, *, encrypt: bool) -> None:
    alice, bob = everybody(connection, "alice", "bob", suite=suite, encrypt=encrypt)
    carol = Actor(connection, "carol", suite, encrypt)
    request = pb.NewMemberAddProposalRequest(group_info=alice.group_info().group_info, identity=b"carol")
    made = connection.call("NewMemberAddProposal", request, pb.NewMemberAddProposalResponse)
    carol.transaction_id = made.transaction_id
    carol.join(commit(bob, made.proposal, alice).welcome)
    talk(alice, bob, carol)

    message = MLSMessage.decode(made.proposal).message
    assert isinstance(message, PublicMessage)
    assert message.content.sender == NewMemberProposal()
    assert isinstance(message.content.content, Add)
    key_package, loaded = message.content.content.key_package, CIPHER_SUITES[suite]
    assert loaded.load_hpke_key(made.init_priv).public_key == key_package.init_key
    assert loaded.load_hpke_key(made.encryption_priv).public_key == key_package.leaf_node.encryption_key
    assert loaded.load_signature_key(made.signature_priv).public_key == key_package.leaf_node.signature_key


@SUITES
def test_create_external_signer(connection: Connection, suite: int) -> None:
    sender = ExternalSender.decode(Signer.called("ds", connection, suite).external_sender)

    assert sender.credential.encode() == b"\2ds"
    assert sender.signature_key


@HANDSHAKES
@SUITES
def test_external_signer_proposal_to_add(connection: Connection, suite: int, *, encrypt: bool) -> None:
    alice, bob = everybody(connection, "alice", "bob", suite=suite, encrypt=encrypt)
    carol = Actor(connection, "carol", suite, encrypt)
    signer = Signer.called("ds", connection, suite).admitted(alice, bob)
    proposal = signer.propose(bob, described("add", key_package=carol.key_package()))
    carol.join(commit(alice, proposal, bob).welcome)
    talk(alice, bob, carol)

    message = MLSMessage.decode(proposal).message
    assert isinstance(message, PublicMessage)
    assert message.content.sender == External(0)


@pytest.mark.parametrize("external_tree", [False, True], ids=["tree inside", "tree beside"])
def test_external_signer_proposal_to_remove(connection: Connection, *, external_tree: bool) -> None:
    alice, bob, carol = everybody(connection, "alice", "bob", "carol")
    signer = Signer.called("ds", connection).admitted(alice, bob, carol)
    description = described("remove", removed_id=b"bob")
    commit(carol, signer.propose(alice, description, external_tree=external_tree), alice)

    with failing(StatusCode.INVALID_ARGUMENT, "no member has the identity b'bob'"):
        signer.propose(alice, description, external_tree=external_tree)


def test_external_signer_proposals_of_psks_and_extensions(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    for actor in (alice, bob):
        actor.store_psk(b"tea", b"T" * 32)
    signer = Signer.called("ds", connection).admitted(alice, bob)
    required = pb.Extension(extension_type=3, extension_data=b"\0\0\0")
    for description in (
        described("externalPSK", psk_id=b"tea"),
        described("resumptionPSK", epoch_id=2),
        described("groupContextExtensions", extensions=[required]),
    ):
        commit(bob, signer.propose(alice, description), alice)
    talk(alice, bob)

    with failing(StatusCode.INVALID_ARGUMENT, "signer_index", "0"):  # the new extensions have no external senders
        signer.propose(alice, described("externalPSK", psk_id=b"tea"))


def test_external_signer_proposal_to_reinitialize(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    signer = Signer.called("ds", connection).admitted(alice, bob)
    proposal = signer.propose(bob, described("reinit", group_id=b"the next group", cipher_suite=7))
    made = alice.commit(by_reference=[proposal], name="ReInitCommit")
    request = pb.HandleCommitRequest(state_id=bob.state_id, proposal=[proposal], commit=made.commit)

    assert connection.call("HandleReInitCommit", request, pb.HandleReInitCommitResponse).reinit_id


def test_add_external_signer_keeps_those_there_are(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    required = pb.Extension(extension_type=3, extension_data=b"\0\0\0")
    alice.commit(described("groupContextExtensions", extensions=[required]))
    alice.handle_pending()
    first = Signer.called("first", connection).admitted(alice)
    second = Signer.called("second", connection).admitted(alice)

    for index, signer in enumerate((first, second)):
        commit(alice, signer.propose(alice, described("resumptionPSK", epoch_id=2), index=index))
        with failing(StatusCode.INVALID_ARGUMENT, "signer_index"):
            signer.propose(alice, described("resumptionPSK", epoch_id=2), index=1 - index)
    with failing(StatusCode.INVALID_ARGUMENT, "signer_index"):
        second.propose(alice, described("resumptionPSK", epoch_id=2), index=(1 << 32) - 1)
    assert bob.state_id


@pytest.mark.parametrize("proposal_type", ["update", "", "external_init"])
def test_what_an_external_signer_may_not_propose(connection: Connection, proposal_type: str) -> None:
    (alice,) = everybody(connection, "alice")
    signer = Signer.called("ds", connection).admitted(alice)

    with failing(StatusCode.INVALID_ARGUMENT, "proposal_type"):
        signer.propose(alice, described(proposal_type))


def test_a_signer_without_a_tree_cannot_name_a_member(connection: Connection) -> None:
    (alice,) = everybody(connection, "alice")
    signer = Signer.called("ds", connection).admitted(alice)
    request = pb.ExternalSignerProposalRequest(
        signer_id=signer.signer_id,
        group_info=alice.group_info(external_tree=True).group_info,
        description=described("remove", removed_id=b"alice"),
    )

    with failing(StatusCode.FAILED_PRECONDITION, rules.TREE_IS_AVAILABLE):
        connection.call("ExternalSignerProposal", request, pb.ProposalResponse)


def test_garbage_from_outside(connection: Connection) -> None:
    (alice,) = everybody(connection, "alice")
    signer = Signer.called("ds", connection)

    with failing(StatusCode.INVALID_ARGUMENT, "external_sender", "DecodeError"):
        alice.propose("AddExternalSigner", pb.AddExternalSignerRequest(state_id=alice.state_id, external_sender=b"\5"))
    with failing(StatusCode.INVALID_ARGUMENT, "group_info", "DecodeError"):
        request = pb.ExternalSignerProposalRequest(signer_id=signer.signer_id, group_info=b"garbage")
        connection.call("ExternalSignerProposal", request, pb.ProposalResponse)
    with failing(StatusCode.INVALID_ARGUMENT, "group_info", "a KeyPackage is not a GroupInfo"):
        made = pb.NewMemberAddProposalRequest(group_info=alice.key_package(), identity=b"carol")
        connection.call("NewMemberAddProposal", made, pb.NewMemberAddProposalResponse)
    with failing(StatusCode.NOT_FOUND, "no signer"):
        Signer(connection, NO_SUCH_ID, b"").propose(alice, described("add"))

"""Members' proposals: each made, sent, and committed by somebody else or by their author."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from bridge.interop import mls_client_pb2 as pb
from bridge.interop import mls_extras_pb2 as extras
from mls import rules
from mls.wire.framing import PrivateMessage, PublicMessage
from mls.wire.message import MLSMessage
from mls.wire.welcome import GroupInfo
from tests.bridge.interop.driving import (
    HANDSHAKES,
    SUITES,
    Actor,
    Connection,
    agree,
    everybody,
    failing,
    join,
    talk,
    update,
)

REQUIRED_CAPABILITIES = pb.Extension(extension_type=3, extension_data=b"\0\0\0")
NO_EXTERNAL_SENDERS = pb.Extension(extension_type=5, extension_data=b"\0")


def commit(committer: Actor, proposals: list[bytes], members: list[Actor]) -> pb.CommitResponse:
    """Commit proposals by reference, and let all take part."""
    made = committer.commit(by_reference=proposals)
    committer.handle_pending()
    for member in members:
        member.handle(made.commit, proposals)
    agree(committer, *members)
    return made


def remove(actor: Actor, identity: bytes) -> bytes:
    return actor.propose("RemoveProposal", pb.RemoveProposalRequest(state_id=actor.state_id, removed_id=identity))


@HANDSHAKES
def test_handshakes_go_as_encrypt_handshake_says(connection: Connection, *, encrypt: bool) -> None:
    alice, bob = everybody(connection, "alice", "bob", encrypt=encrypt)
    kind = PrivateMessage if encrypt else PublicMessage

    for actor in (alice, bob):
        assert isinstance(MLSMessage.decode(update(actor)).message, kind)
    assert isinstance(MLSMessage.decode(alice.commit().commit).message, kind)


def test_members_may_differ_in_how_they_send_handshakes(connection: Connection) -> None:
    (alice,), bob = everybody(connection, "alice", encrypt=True), Actor(connection, "bob", encrypt=False)
    addition = alice.propose(
        "AddProposal", pb.AddProposalRequest(state_id=alice.state_id, key_package=bob.key_package())
    )
    join(alice, alice.commit(by_reference=[addition]), [], [bob])
    proposed = update(bob)
    commit(alice, [proposed], [bob])
    commit(bob, [update(alice)], [alice])

    assert isinstance(MLSMessage.decode(proposed).message, PublicMessage)


@SUITES
@HANDSHAKES
def test_add_proposal(connection: Connection, suite: int, *, encrypt: bool) -> None:
    alice, bob = everybody(connection, "alice", "bob", suite=suite, encrypt=encrypt)
    carol = Actor(connection, "carol", suite, encrypt)
    request = pb.AddProposalRequest(state_id=alice.state_id, key_package=carol.key_package())
    made = commit(bob, [alice.propose("AddProposal", request)], [alice])
    carol.join(made.welcome)

    talk(alice, bob, carol)


def test_update_proposal(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    commit(alice, [update(bob), update(carol)], [bob, carol])

    talk(*trio)


def test_update_proposals_are_for_others_to_commit(trio: list[Actor]) -> None:
    alice = trio[0]

    with failing(StatusCode.FAILED_PRECONDITION, "ValidationError", rules.NO_UPDATE_BY_COMMITTER):
        alice.commit(by_reference=[update(alice)])


def test_remove_proposal(trio: list[Actor]) -> None:
    alice, _, carol = trio
    commit(carol, [remove(alice, b"bob")], [alice])

    talk(alice, carol)


def test_remove_proposal_of_oneself_is_a_wish_to_leave(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    commit(alice, [remove(bob, b"bob")], [carol])

    talk(alice, carol)


def test_equal_proposals_are_one(trio: list[Actor]) -> None:
    """Where signatures are the same each time, so is the ProposalRef: each message stands for its own proposal."""
    alice, bob, carol = trio
    first, other, again = (remove(alice, identity) for identity in (b"bob", b"carol", b"bob"))
    made = alice.commit(by_reference=[again])
    alice.handle_pending()
    carol.handle(made.commit, [first, other])

    agree(alice, carol)
    assert bob.state_id


@pytest.mark.parametrize("identity", [b"nobody", b"", b"x" * 100_000])
def test_remove_proposal_of_nobody_is_refused(connection: Connection, identity: bytes) -> None:
    (alice,) = everybody(connection, "alice")

    with failing(StatusCode.INVALID_ARGUMENT, "no member has the identity"):
        remove(alice, identity)


def test_one_of_two_members_of_one_name_is_not_guessed(connection: Connection) -> None:
    alice, _, _ = everybody(connection, "alice", "bob", "bob")

    with failing(StatusCode.INVALID_ARGUMENT, "leaves [1, 2] have the identity b'bob'"):
        remove(alice, b"bob")


def test_external_psk_proposal(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    for actor in trio:
        actor.store_psk(b"tea", b"T" * 32)
    request = pb.ExternalPSKProposalRequest(state_id=alice.state_id, psk_id=b"tea")
    commit(bob, [alice.propose("ExternalPSKProposal", request)], [alice, carol])

    talk(*trio)


def test_resumption_psk_proposal_of_each_epoch_so_far(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    for _ in range(10):
        join(bob, bob.commit(), [alice, carol], [])
    proposals = [
        alice.propose("ResumptionPSKProposal", pb.ResumptionPSKProposalRequest(state_id=alice.state_id, epoch_id=epoch))
        for epoch in range(1, 12)
    ]
    commit(bob, proposals, [alice, carol])

    talk(*trio)


@pytest.mark.parametrize("epoch", [2, (1 << 64) - 1])
def test_resumption_psk_of_an_epoch_to_come_is_refused_when_it_is_committed(trio: list[Actor], epoch: int) -> None:
    alice, bob, _ = trio
    request = pb.ResumptionPSKProposalRequest(state_id=alice.state_id, epoch_id=epoch)
    proposal = alice.propose("ResumptionPSKProposal", request)

    with failing(StatusCode.FAILED_PRECONDITION, "MissingError", rules.PSK_IS_AVAILABLE):
        bob.commit(by_reference=[proposal])


def test_group_context_extensions_proposal(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    extensions = [REQUIRED_CAPABILITIES, NO_EXTERNAL_SENDERS]
    request = pb.GroupContextExtensionsProposalRequest(state_id=alice.state_id, extensions=extensions)
    commit(bob, [alice.propose("GroupContextExtensionsProposal", request)], [alice, carol])
    talk(*trio)

    info = MLSMessage.decode(carol.group_info().group_info).message
    assert isinstance(info, GroupInfo)
    found = [(item.extension_type, item.extension_data) for item in info.group_context.extensions]
    assert found == [(3, b"\0\0\0"), (5, b"\0")]


def test_group_context_extensions_of_an_unknown_type_are_refused_when_they_are_committed(trio: list[Actor]) -> None:
    alice, bob, _ = trio
    extensions = [pb.Extension(extension_type=0xF123)]
    request = pb.GroupContextExtensionsProposalRequest(state_id=alice.state_id, extensions=extensions)
    proposal = alice.propose("GroupContextExtensionsProposal", request)

    with failing(StatusCode.FAILED_PRECONDITION, rules.GROUP_EXTENSIONS_ARE_SUPPORTED_BY_ALL):
        bob.commit(by_reference=[proposal])


def test_an_extension_type_has_16_bits(trio: list[Actor]) -> None:
    extensions = [pb.Extension(extension_type=0x10003)]
    request = pb.GroupContextExtensionsProposalRequest(state_id=trio[0].state_id, extensions=extensions)

    with failing(StatusCode.INVALID_ARGUMENT, "65539", "16 bits"):
        trio[0].propose("GroupContextExtensionsProposal", request)


def test_self_remove_proposal(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    request = extras.SelfRemoveProposalRequest(state_id=bob.state_id)
    leaving = bob.propose("SelfRemoveProposal", request)
    assert isinstance(MLSMessage.decode(leaving).message, PublicMessage)
    commit(alice, [leaving], [carol])

    talk(alice, carol)


def test_a_proposal_by_a_state_of_the_past_is_too_late(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    late = update(carol)
    join(alice, alice.commit(), [bob], [])

    with failing(StatusCode.FAILED_PRECONDITION, "by_reference[0]", "WrongEpochError"):
        bob.commit(by_reference=[late])

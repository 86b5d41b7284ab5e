"""Reinitialization and branching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from grpc import StatusCode

from bridge.interop import mls_client_pb2 as pb
from mls import rules
from mls.wire.message import MLSMessage
from mls.wire.welcome import GroupInfo
from tests.bridge.interop.driving import (
    HANDSHAKES,
    NO_SUCH_ID,
    SUITES,
    Actor,
    Connection,
    add,
    agree,
    everybody,
    failing,
    join,
    talk,
)

EXTENSIONS = [
    pb.Extension(extension_type=3, extension_data=b"\0\0\0"),
    pb.Extension(extension_type=5, extension_data=b"\0"),
]


@dataclass
class Leaving:
    """A member of a closed group."""

    actor: Actor
    reinit_id: int
    key_package: bytes

    @classmethod
    def of(cls, actor: Actor, answer: pb.HandleReInitCommitResponse) -> Leaving:
        actor.epoch_authenticator = answer.epoch_authenticator
        return cls(actor, answer.reinit_id, answer.key_package)

    def found(
        self, others: Sequence[Leaving], *, force_path: bool = False, external_tree: bool = False
    ) -> pb.CreateSubgroupResponse:
        request = pb.ReInitWelcomeRequest(
            reinit_id=self.reinit_id,
            key_package=[other.key_package for other in others],
            force_path=force_path,
            external_tree=external_tree,
        )
        made = self.actor.connection.call("ReInitWelcome", request, pb.CreateSubgroupResponse)
        self.actor.state_id, self.actor.epoch_authenticator = made.state_id, made.epoch_authenticator
        return made

    def follow(self, made: pb.CreateSubgroupResponse) -> None:
        request = pb.HandleReInitWelcomeRequest(
            reinit_id=self.reinit_id, welcome=made.welcome, ratchet_tree=made.ratchet_tree
        )
        joined = self.actor.connection.call("HandleReInitWelcome", request, pb.JoinGroupResponse)
        self.actor.state_id, self.actor.epoch_authenticator = joined.state_id, joined.epoch_authenticator


def reinit_proposal(
    actor: Actor, suite: int = 1, group_id: bytes = b"the next group", extensions: Sequence[pb.Extension] = ()
) -> bytes:
    request = pb.ReInitProposalRequest(
        state_id=actor.state_id, cipher_suite=suite, group_id=group_id, extensions=extensions
    )
    return actor.propose("ReInitProposal", request)


def close(committer: Actor, others: Sequence[Actor], proposal: bytes) -> list[Leaving]:
    """Commit a ReInit; return all who are on the way to the new group, the committer first."""
    commit = committer.commit(by_reference=[proposal], name="ReInitCommit").commit
    request = pb.HandlePendingCommitRequest(state_id=committer.state_id)
    answer = committer.connection.call("HandlePendingReInitCommit", request, pb.HandleReInitCommitResponse)
    leaving = [Leaving.of(committer, answer)]
    for other in others:
        handle = pb.HandleCommitRequest(state_id=other.state_id, proposal=[proposal], commit=commit)
        answer = other.connection.call("HandleReInitCommit", handle, pb.HandleReInitCommitResponse)
        leaving.append(Leaving.of(other, answer))
    assert len({each.actor.epoch_authenticator for each in leaving}) == 1
    return leaving


@SUITES
@HANDSHAKES
def test_reinit_into_another_suite(connection: Connection, suite: int, *, encrypt: bool) -> None:
    alice, bob, carol = everybody(connection, "alice", "bob", "carol", suite=suite, encrypt=encrypt)
    following = suite % 7 + 1
    on_the_way = close(bob, [alice, carol], reinit_proposal(alice, following))
    _, by_alice, by_carol = on_the_way
    made = by_carol.found([on_the_way[0], by_alice])
    for other in (on_the_way[0], by_alice):
        other.follow(made)

    agree(alice, bob, carol)
    talk(alice, bob, carol)
    dave = Actor(connection, "dave", following, encrypt)
    join(alice, alice.commit(add(dave)), [bob, carol], [dave])


@pytest.mark.parametrize(
    "force_path, external_tree, extensions",
    [(True, False, []), (False, True, []), (False, False, EXTENSIONS), (True, True, EXTENSIONS)],
    ids=["forced path", "tree beside", "extensions", "all of it"],
)
def test_reinit_welcome(
    trio: list[Actor], *, force_path: bool, external_tree: bool, extensions: Sequence[pb.Extension]
) -> None:
    alice, bob, carol = trio
    welcomer, *others = close(alice, [bob, carol], reinit_proposal(alice, extensions=extensions))
    made = welcomer.found(others, force_path=force_path, external_tree=external_tree)
    assert bool(made.ratchet_tree) is external_tree
    for other in others:
        other.follow(made)
        with failing(StatusCode.NOT_FOUND, str(other.reinit_id)):
            other.follow(made)

    talk(*trio)


def test_a_lone_member_can_reinitialize_its_group(connection: Connection) -> None:
    (alice,) = everybody(connection, "alice")
    (leaving,) = close(alice, [], reinit_proposal(alice, 2))

    assert leaving.found([]).welcome == b""
    join(alice, alice.commit(), [], [])


def test_a_reinit_may_be_committed_by_value(trio: list[Actor]) -> None:
    description = pb.ProposalDescription(proposal_type=b"reinit", group_id=b"the next group", cipher_suite=3)
    made = trio[0].commit(description, name="ReInitCommit")

    for other in trio[1:]:
        handle = pb.HandleCommitRequest(state_id=other.state_id, commit=made.commit)
        other.connection.call("HandleReInitCommit", handle, pb.HandleReInitCommitResponse)


def test_a_closed_group_stays_readable_and_says_nothing_new(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    late, proposal = alice.protect(b"the last word"), reinit_proposal(alice)
    close(alice, [bob, carol], proposal)

    assert bob.unprotect(late) == (b"the last word", b"")  # by the old state, which stays


def test_reinit_with_somebody_left_out_is_refused(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    welcomer, other, _ = close(alice, [bob, carol], reinit_proposal(alice))

    with failing(StatusCode.FAILED_PRECONDITION, rules.REINIT_KEEPS_MEMBERS):
        welcomer.found([other])


def test_reinit_with_key_packages_of_the_old_suite_is_refused(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    welcomer, other, _ = close(alice, [bob, carol], reinit_proposal(alice, suite=2))
    wrong = Leaving(carol, 0, carol.key_package())

    with failing(StatusCode.FAILED_PRECONDITION, rules.KEY_PACKAGE_SUITE_MATCHES):
        welcomer.found([other, wrong])


def test_an_ordinary_welcome_does_not_continue_a_closed_group(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    leaving = close(alice, [bob, carol], reinit_proposal(alice))[1]
    mallory = Actor(alice.connection, "mallory")
    mallory.create_group(b"the next group")
    made = mallory.commit(pb.ProposalDescription(proposal_type=b"add", key_package=leaving.key_package))

    with failing(StatusCode.FAILED_PRECONDITION, rules.WELCOME_CONTINUES_THE_OLD_GROUP):
        leaving.follow(pb.CreateSubgroupResponse(welcome=made.welcome))


def test_reinit_and_other_commits_have_their_own_calls(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    proposal = reinit_proposal(alice)
    with failing(StatusCode.INVALID_ARGUMENT, "closes the group"):
        alice.commit(by_reference=[proposal])
    with failing(StatusCode.INVALID_ARGUMENT, "does not close the group"):
        bob.commit(name="ReInitCommit")

    made = alice.commit(by_reference=[proposal], name="ReInitCommit")
    with failing(StatusCode.INVALID_ARGUMENT, "closes the group"):
        alice.handle_pending()
    with failing(StatusCode.INVALID_ARGUMENT, "closes the group"):
        bob.handle(made.commit, [proposal])
    ordinary = carol.commit()
    request = pb.HandleCommitRequest(state_id=bob.state_id, commit=ordinary.commit)
    with failing(StatusCode.INVALID_ARGUMENT, "does not close the group"):
        bob.connection.call("HandleReInitCommit", request, pb.HandleReInitCommitResponse)
    pending = pb.HandlePendingCommitRequest(state_id=carol.state_id)
    with failing(StatusCode.INVALID_ARGUMENT, "does not close the group"):
        carol.connection.call("HandlePendingReInitCommit", pending, pb.HandleReInitCommitResponse)
    carol.handle_pending()


def test_reinit_into_a_suite_that_nobody_has_is_not_offered(trio: list[Actor]) -> None:
    with failing(StatusCode.UNIMPLEMENTED, "cipher suite 99"):
        reinit_proposal(trio[0], suite=99)
    with failing(StatusCode.INVALID_ARGUMENT, "16 bits"):
        reinit_proposal(trio[0], suite=0x10001)


def branch(
    actor: Actor,
    key_packages: Sequence[bytes],
    *,
    extensions: Sequence[pb.Extension] = (),
    force_path: bool = False,
    external_tree: bool = False,
) -> pb.CreateSubgroupResponse:
    """Make a branch, and go into it."""
    request = pb.CreateBranchRequest(
        state_id=actor.state_id,
        group_id=b"the branch",
        extensions=extensions,
        key_packages=key_packages,
        force_path=force_path,
        external_tree=external_tree,
    )
    made = actor.connection.call("CreateBranch", request, pb.CreateSubgroupResponse)
    actor.state_id, actor.epoch_authenticator = made.state_id, made.epoch_authenticator
    return made


def follow(actor: Actor, made: pb.CreateSubgroupResponse) -> None:
    """Go into a branch that somebody else has made."""
    request = pb.HandleBranchRequest(
        state_id=actor.state_id,
        transaction_id=actor.transaction_id,
        welcome=made.welcome,
        ratchet_tree=made.ratchet_tree,
    )
    joined = actor.connection.call("HandleBranch", request, pb.HandleBranchResponse)
    actor.state_id, actor.epoch_authenticator = joined.state_id, joined.epoch_authenticator


@SUITES
@HANDSHAKES
def test_branch_of_some(connection: Connection, suite: int, *, encrypt: bool) -> None:
    alice, bob, carol = everybody(connection, "alice", "bob", "carol", suite=suite, encrypt=encrypt)
    old = [Actor(connection, actor.name, suite, encrypt, actor.state_id) for actor in (alice, bob)]
    made = branch(bob, [carol.key_package()])
    follow(carol, made)

    agree(bob, carol)
    talk(bob, carol)
    join(carol, carol.commit(), [bob], [])
    talk(*old)  # the group itself goes on


@pytest.mark.parametrize("force_path", [False, True], ids=["no path", "forced path"])
@pytest.mark.parametrize("external_tree", [False, True], ids=["tree inside", "tree beside"])
@pytest.mark.parametrize("extensions", [[], EXTENSIONS], ids=["none", "extensions"])
def test_branch(
    trio: list[Actor], *, force_path: bool, external_tree: bool, extensions: Sequence[pb.Extension]
) -> None:
    alice, bob, carol = trio
    key_packages = [bob.key_package(), carol.key_package()]
    made = branch(alice, key_packages, extensions=extensions, force_path=force_path, external_tree=external_tree)
    assert bool(made.ratchet_tree) is external_tree
    for other in (bob, carol):
        follow(other, made)
    talk(*trio)

    info = MLSMessage.decode(bob.group_info().group_info).message
    assert isinstance(info, GroupInfo)
    found = [(item.extension_type, item.extension_data) for item in info.group_context.extensions]
    assert found == [(item.extension_type, item.extension_data) for item in extensions]


def test_branch_with_a_stranger_is_refused(trio: list[Actor]) -> None:
    stranger = Actor(trio[0].connection, "mallory")

    with failing(StatusCode.FAILED_PRECONDITION, rules.BRANCH_MEMBERS_ARE_A_SUBSET):
        branch(trio[0], [stranger.key_package()])


def test_branch_from_another_group_is_refused(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    made = branch(alice, [bob.key_package()])
    elsewhere = Actor(alice.connection, "bob", transaction_id=bob.transaction_id)
    elsewhere.create_group(b"another group")

    with failing(StatusCode.FAILED_PRECONDITION, rules.PSK_IS_AVAILABLE):
        follow(elsewhere, made)
    with failing(StatusCode.INVALID_ARGUMENT, "transaction_id"):
        follow(Actor(alice.connection, "carol", state_id=carol.state_id, transaction_id=bob.transaction_id), made)
    follow(bob, made)
    with failing(StatusCode.NOT_FOUND, str(bob.transaction_id)):
        follow(bob, made)


def test_who_was_removed_makes_no_branch(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    made = alice.commit(pb.ProposalDescription(proposal_type=b"remove", removed_id=b"carol"))
    carol.handle(made.commit)

    with failing(StatusCode.FAILED_PRECONDITION, "UsageError", "removed"):
        branch(carol, [bob.key_package()])


def test_unknown_ids(connection: Connection) -> None:
    (alice,) = everybody(connection, "alice")
    lost = Leaving(alice, NO_SUCH_ID, b"")

    with failing(StatusCode.NOT_FOUND, "no reinitialization"):
        lost.found([])
    with failing(StatusCode.NOT_FOUND, "no reinitialization"):
        lost.follow(pb.CreateSubgroupResponse())
    with failing(StatusCode.NOT_FOUND, f"no reinitialization has the id {alice.state_id}: that is the id of a state"):
        Leaving(alice, alice.state_id, b"").found([])
    with failing(StatusCode.NOT_FOUND, "no transaction"):
        follow(alice, pb.CreateSubgroupResponse())

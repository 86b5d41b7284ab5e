"""Commits: made, pending, given up, handled; and old states, from which everything can be done again."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from bridge.interop import mls_client_pb2 as pb
from mls import rules
from mls.wire.commit import Commit
from mls.wire.framing import PublicMessage
from mls.wire.message import MLSMessage
from tests.bridge.interop.driving import (
    HANDSHAKES,
    NO_SUCH_ID,
    SUITES,
    Actor,
    Connection,
    add,
    agree,
    described,
    everybody,
    failing,
    join,
    talk,
    update,
)


def at(actor: Actor, state_id: int) -> Actor:
    """Return the same one, in that state of the past."""
    return Actor(actor.connection, actor.name, actor.suite, actor.encrypt, state_id)


@SUITES
@HANDSHAKES
def test_commit_of_everything_by_value(connection: Connection, suite: int, *, encrypt: bool) -> None:
    alice, bob, carol = everybody(connection, "alice", "bob", "carol", suite=suite, encrypt=encrypt)
    dave = Actor(connection, "dave", suite, encrypt)
    addition = add(dave)
    for actor in (alice, bob):
        actor.store_psk(b"tea", b"T" * 32)
    dave.store_psk(b"tea", b"T" * 32, dave.transaction_id)
    made = alice.commit(
        addition,
        described("remove", removed_id=b"carol"),
        described("externalPSK", psk_id=b"tea"),
        described("groupContextExtensions", extensions=[pb.Extension(extension_type=3, extension_data=b"\0\0\0")]),
    )
    join(alice, made, [bob], [dave])
    talk(alice, bob, dave)

    join(bob, bob.commit(described("resumptionPSK", epoch_id=2)), [alice, dave], [])
    assert carol.state_id


def test_commit_by_value_and_by_reference_with_proposals_of_ones_own(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    dave, eve = Actor(alice.connection, "dave"), Actor(alice.connection, "eve")
    request = pb.AddProposalRequest(state_id=alice.state_id, key_package=dave.key_package())
    proposals = [update(bob), alice.propose("AddProposal", request)]
    made = alice.commit(add(eve), by_reference=proposals)
    alice.handle_pending()
    for member in (bob, carol):
        member.handle(made.commit, proposals)
    for joiner in (dave, eve):
        joiner.join(made.welcome)

    talk(alice, bob, carol, dave, eve)


def test_a_path_only_where_it_is_needed_or_forced(connection: Connection) -> None:
    (alice,) = everybody(connection, "alice", encrypt=False)

    def has_path(made: pb.CommitResponse) -> bool:
        message = MLSMessage.decode(made.commit).message
        assert isinstance(message, PublicMessage)
        assert isinstance(message.content.content, Commit)
        return message.content.content.path is not None

    bob = Actor(connection, "bob")
    assert has_path(alice.commit())
    assert not has_path(alice.commit(add(bob)))
    assert has_path(alice.commit(add(bob), force_path=True))


def test_only_what_is_named_is_committed(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    wanted, unwanted = update(bob), update(carol)
    made = alice.commit(by_reference=[wanted])
    alice.handle_pending()
    for member in (bob, carol):
        member.handle(made.commit, [unwanted, wanted])

    agree(alice, bob, carol)


def test_handle_commit_twice_from_one_state_with_different_commits(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    proposal, fork = update(bob), carol.state_id
    by_alice = alice.commit(by_reference=[proposal])
    by_carol = carol.commit(by_reference=[proposal])
    alice.handle_pending()
    carol.handle_pending()
    one, other = at(bob, bob.state_id), at(bob, bob.state_id)
    one.handle(by_alice.commit, [proposal])
    other.handle(by_carol.commit, [proposal])

    talk(alice, one)
    talk(carol, other)
    assert one.state_auth() != other.state_auth()
    back = at(carol, fork)  # Carol gives up her branch: her Commit was still pending in the state that made it
    back.handle(by_alice.commit, [proposal])
    talk(alice, one, back)


def test_old_states_stay_usable(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    before = [at(actor, actor.state_id) for actor in trio]
    join(alice, alice.commit(), [bob, carol], [])

    talk(*before)
    talk(*trio)
    assert before[0].state_auth() != alice.state_auth()


def test_handle_commit_takes_ones_own(trio: list[Actor]) -> None:
    made = trio[0].commit(force_path=True)
    for actor in trio:
        actor.handle(made.commit)

    agree(*trio)


def test_handle_pending_commit_only_once(trio: list[Actor]) -> None:
    alice = trio[0]
    before = at(alice, alice.state_id)

    with failing(StatusCode.FAILED_PRECONDITION, f"state {alice.state_id} has no Commit pending"):
        alice.handle_pending()
    alice.commit()
    alice.handle_pending()
    with failing(StatusCode.FAILED_PRECONDITION, f"state {before.state_id} has no Commit pending"):
        before.handle_pending()


def test_the_newest_commit_of_a_state_is_the_pending_one(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    alice.commit()
    made = alice.commit(described("remove", removed_id=b"carol"))
    alice.handle_pending()
    bob.handle(made.commit)

    agree(alice, bob)
    assert carol.state_id


def test_discard_pending_commit(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    proposal = update(bob)
    lost = alice.commit(by_reference=[proposal])
    alice.discard()

    with failing(StatusCode.FAILED_PRECONDITION, "no Commit pending"):
        alice.handle_pending()
    with failing(StatusCode.FAILED_PRECONDITION, "no Commit pending"):
        alice.discard()
    with failing(StatusCode.FAILED_PRECONDITION, rules.OWN_COMMIT_IS_PENDING):
        alice.handle(lost.commit, [proposal])
    again = alice.commit(by_reference=[proposal])
    alice.handle_pending()
    for member in (bob, carol):
        member.handle(again.commit, [proposal])
    talk(*trio)


def test_after_a_lost_race_the_other_commit_is_handled(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    proposal = update(bob)
    alice.commit(by_reference=[proposal])
    made = carol.commit(by_reference=[proposal])
    carol.handle_pending()
    for member in (alice, bob):
        member.handle(made.commit, [proposal])

    talk(*trio)


def test_a_removed_member_learns_so_and_has_no_authenticator(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    late = alice.protect(b"to all three")
    made = alice.commit(described("remove", removed_id=b"carol"))
    join(alice, made, [bob], [])
    carol.handle(made.commit)

    assert carol.epoch_authenticator == b""
    assert carol.unprotect(late) == (b"to all three", b"")
    for act in (carol.state_auth, carol.commit, carol.group_info, lambda: carol.protect(b"still here")):
        with failing(StatusCode.FAILED_PRECONDITION, "UsageError"):
            act()
    with failing(StatusCode.FAILED_PRECONDITION, "WrongEpochError"):
        carol.unprotect(alice.protect(b"not to Carol"))


def test_nobody_removes_itself_in_a_commit_of_its_own(trio: list[Actor]) -> None:
    with failing(StatusCode.FAILED_PRECONDITION, rules.NO_REMOVE_OF_COMMITTER):
        trio[0].commit(described("remove", removed_id=b"alice"))


def test_a_commit_that_lacks_its_proposals_is_refused_until_they_come(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    proposal = update(bob)
    made = alice.commit(by_reference=[proposal])

    with failing(StatusCode.FAILED_PRECONDITION, "MissingError"):
        carol.handle(made.commit)
    carol.handle(made.commit, [proposal])
    alice.handle_pending()
    agree(alice, carol)


def test_what_is_not_a_proposal_is_refused(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    speech, proposal = bob.protect(b"hello"), update(bob)
    made = carol.commit(by_reference=[proposal]).commit

    for other in (speech, made):
        with failing(StatusCode.INVALID_ARGUMENT, "by_reference[1]", "not a proposal"):
            alice.commit(by_reference=[proposal, other])
        with failing(StatusCode.INVALID_ARGUMENT, "proposal[1]", "not a proposal"):
            alice.handle(made, [proposal, other])
    assert alice.unprotect(speech) == (b"hello", b"")


def test_a_proposal_of_ones_own_that_only_another_copy_of_the_state_has_made_is_refused(trio: list[Actor]) -> None:
    alice, bob, _ = trio
    made = alice.commit()
    copy = at(bob, bob.state_id)
    for each in (bob, copy):
        each.handle(made.commit)
    proposal = update(bob)

    with failing(StatusCode.FAILED_PRECONDITION, "proposal[0]", "this state has not"):
        copy.handle(made.commit, [proposal])


def test_what_is_not_a_commit_is_refused(trio: list[Actor]) -> None:
    alice, bob, _ = trio
    speech = bob.protect(b"hello")

    for other in (speech, update(bob)):
        with failing(StatusCode.INVALID_ARGUMENT, "not a Commit"):
            alice.handle(other)
    with failing(StatusCode.FAILED_PRECONDITION, "UsageError", "KeyPackage"):
        alice.handle(bob.key_package())


@pytest.mark.parametrize("proposal_type", ["", "Add", "update", "external_init", "x" * 5000])
def test_a_description_of_an_unknown_type_is_refused(trio: list[Actor], proposal_type: str) -> None:
    good = described("remove", removed_id=b"bob")

    with failing(StatusCode.INVALID_ARGUMENT, "by_value[1]", "proposal_type"):
        trio[0].commit(good, described(proposal_type))


def test_a_description_without_what_it_needs_is_refused(trio: list[Actor]) -> None:
    alice = trio[0]

    with failing(StatusCode.INVALID_ARGUMENT, "by_value[0]", "key_package", "DecodeError"):
        alice.commit(described("add"))
    with failing(StatusCode.INVALID_ARGUMENT, "by_value[0]", "no member has the identity b''"):
        alice.commit(described("remove"))
    with failing(StatusCode.FAILED_PRECONDITION, rules.PSK_IS_AVAILABLE):
        alice.commit(described("externalPSK"))


def test_a_commit_that_fails_leaves_the_state_as_it_was(trio: list[Actor]) -> None:
    alice, bob, carol = trio
    with failing(StatusCode.NOT_FOUND, str(NO_SUCH_ID)):
        at(alice, NO_SUCH_ID).commit()
    with failing(StatusCode.INVALID_ARGUMENT, "by_value[0]"):
        alice.commit(described("remove", removed_id=b"nobody"), by_reference=[update(bob)])

    with failing(StatusCode.FAILED_PRECONDITION, "no Commit pending"):
        alice.handle_pending()
    assert alice.protect(b"no proposal waits")
    assert carol.state_id


def test_a_key_package_of_another_suite_is_refused(connection: Connection) -> None:
    (alice,) = everybody(connection, "alice", suite=1)

    with failing(StatusCode.FAILED_PRECONDITION, rules.KEY_PACKAGE_SUITE_MATCHES):
        alice.commit(add(Actor(connection, "bob", suite=2)))


def test_another_groups_commit_is_refused(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    carol = Actor(connection, "carol")
    carol.create_group(b"another group")

    with failing(StatusCode.FAILED_PRECONDITION, "WrongGroupError"):
        alice.handle(carol.commit().commit)
    talk(alice, bob)

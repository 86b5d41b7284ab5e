"""Application messages, exported secrets and PSKs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from grpc import StatusCode

from bridge.interop import messages
from bridge.interop import mls_client_pb2 as pb
from mls import rules
from tests.bridge.interop.driving import (
    Actor,
    Connection,
    add,
    agree,
    described,
    everybody,
    failing,
    join,
    talk,
)


def test_state_auth_is_the_same_for_all_and_new_in_each_epoch(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    before = alice.state_auth()
    join(alice, alice.commit(), [bob], [])

    assert alice.state_auth() == bob.state_auth() != before


def test_export(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")

    assert alice.export("label", b"context", 48) == bob.export("label", b"context", 48)
    assert len(alice.export("label", b"context", 48)) == 48
    assert alice.export("label", b"context", 32) != alice.export("label", b"another", 32)
    assert alice.export("label", b"", 0) == b""
    assert len(alice.export("label", b"", 255 * 32)) == 255 * 32


@pytest.mark.parametrize("length", [255 * 32 + 1, 65536, (1 << 32) - 1])
def test_export_of_more_than_the_kdf_gives_is_refused(connection: Connection, length: int) -> None:
    (alice,) = everybody(connection, "alice")

    with failing(StatusCode.FAILED_PRECONDITION, "UsageError", str(length)):
        alice.export("label", b"", length)


def test_protect_and_unprotect_in_and_out_of_order(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    sent = [alice.protect(bytes([number]), bytes([number, number])) for number in range(5)]

    for number in (0, 4, 2, 1, 3):
        assert bob.unprotect(sent[number]) == (bytes([number]), bytes([number, number]))


def test_an_empty_message_arrives(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")

    assert bob.unprotect(alice.protect(b"")) == (b"", b"")


def test_messages_of_five_past_epochs_still_open(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    sent = []
    for epoch in range(6):
        sent += [alice.protect(b"first of %d" % epoch), alice.protect(b"second of %d" % epoch)]
        join(alice, alice.commit(), [bob], [])
    bob_now = bob.state_id

    for epoch in reversed(range(1, 6)):
        assert bob.unprotect(sent[2 * epoch + 1]) == (b"second of %d" % epoch, b"")
        assert bob.unprotect(sent[2 * epoch]) == (b"first of %d" % epoch, b"")
    assert bob.state_id == bob_now


def test_a_message_opens_once(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    ciphertext = alice.protect(b"hello")
    bob.unprotect(ciphertext)

    with failing(StatusCode.FAILED_PRECONDITION, "ExhaustedError"):
        bob.unprotect(ciphertext)


def test_one_cannot_open_what_one_has_sent(connection: Connection) -> None:
    alice, _ = everybody(connection, "alice", "bob")

    with failing(StatusCode.FAILED_PRECONDITION, "this member has sent it"):
        alice.unprotect(alice.protect(b"hello"))


def test_a_handshake_message_is_not_opened_as_an_application_message(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    proposal = alice.propose("UpdateProposal", pb.UpdateProposalRequest(state_id=alice.state_id))

    with failing(StatusCode.INVALID_ARGUMENT, "not an application message"):
        bob.unprotect(proposal)
    join(bob, bob.commit(by_reference=[proposal]), [], [])  # and it has not been taken in by that


def test_nobody_speaks_while_its_own_proposals_wait(connection: Connection) -> None:
    """Section 12.4: who knows of proposals commits them first. Who has done so may speak."""
    alice, bob = everybody(connection, "alice", "bob")
    update = bob.propose("UpdateProposal", pb.UpdateProposalRequest(state_id=bob.state_id))

    with failing(StatusCode.FAILED_PRECONDITION, "UsageError", "12.4"):
        bob.protect(b"too early")
    alice.commit(by_reference=[update])
    assert bob.unprotect(alice.protect(b"my Commit is under way")) == (b"my Commit is under way", b"")


def test_store_psk_for_members_and_for_one_who_is_to_join(connection: Connection) -> None:
    (alice,), bob = everybody(connection, "alice"), Actor(connection, "bob")
    addition = add(bob)
    alice.store_psk(b"tea", b"wrong")
    alice.store_psk(b"tea", b"T" * 32)  # the newer one counts
    bob.store_psk(b"tea", b"T" * 32, bob.transaction_id)

    join(alice, alice.commit(addition, described("externalPSK", psk_id=b"tea")), [], [bob])
    talk(alice, bob)


def test_a_psk_goes_along_into_the_next_epochs(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    for actor in (alice, bob):
        actor.store_psk(b"tea", b"T" * 32)
    join(alice, alice.commit(), [bob], [])
    join(bob, bob.commit(described("externalPSK", psk_id=b"tea")), [alice], [])

    agree(alice, bob)


def test_who_lacks_a_psk_cannot_follow(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    alice.store_psk(b"tea", b"T" * 32)
    made = alice.commit(described("externalPSK", psk_id=b"tea"))

    with failing(StatusCode.FAILED_PRECONDITION, "MissingError", rules.PSK_IS_AVAILABLE, b"tea".hex()):
        bob.handle(made.commit)
    bob.store_psk(b"tea", b"T" * 32)
    join(alice, made, [bob], [])


def test_psks_are_bounded(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    (alice,) = everybody(connection, "alice")
    monkeypatch.setattr(messages, "MAX_PSKS", 2)
    for psk_id in (b"1", b"2", b"1"):
        alice.store_psk(psk_id, b"secret")

    with failing(StatusCode.RESOURCE_EXHAUSTED, "2 PSKs"):
        alice.store_psk(b"3", b"secret")


def test_calls_at_the_same_time_never_use_a_key_twice(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    said = [b"%d" % number for number in range(24)]
    with ThreadPoolExecutor(8) as threads:
        sent = list(threads.map(alice.protect, said))
        opened = list(threads.map(bob.unprotect, sent))

    assert [plaintext for plaintext, _ in opened] == said

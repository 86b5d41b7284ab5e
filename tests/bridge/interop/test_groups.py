"""Who answers, and how one becomes a member."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from bridge import __version__
from bridge.interop import mls_client_pb2 as pb
from bridge.interop.host import Host
from mls import CIPHER_SUITES, EXPERIMENTAL_CIPHER_SUITES, rules
from mls.wire.key_package import KeyPackage
from mls.wire.message import MLSMessage
from tests.bridge.interop.driving import (
    HANDSHAKES,
    NO_SUCH_ID,
    SUITES,
    Actor,
    Connection,
    add,
    add_by_value,
    agree,
    described,
    everybody,
    failing,
    join,
    serving,
    talk,
)


def test_name(connection: Connection) -> None:
    name = connection.call("Name", pb.NameRequest(), pb.NameResponse).name

    assert name.startswith(f"mls-bridge {__version__} (cryptography ")


def test_supported_ciphersuites(connection: Connection) -> None:
    answer = connection.call(
        "SupportedCiphersuites", pb.SupportedCiphersuitesRequest(), pb.SupportedCiphersuitesResponse
    )

    assert list(answer.ciphersuites) == [1, 2, 3, 4, 5, 6, 7]


def test_experimental_suites_are_offered_where_they_are_asked_for() -> None:
    with serving(Host(experimental=True)) as connection:
        answer = connection.call(
            "SupportedCiphersuites", pb.SupportedCiphersuitesRequest(), pb.SupportedCiphersuitesResponse
        )
        alice, bob = everybody(connection, "alice", "bob", suite=0x4D)
        talk(alice, bob)

    assert list(answer.ciphersuites) == sorted(CIPHER_SUITES | EXPERIMENTAL_CIPHER_SUITES)


@SUITES
@HANDSHAKES
def test_create_group_create_key_package_and_join_group(connection: Connection, suite: int, *, encrypt: bool) -> None:
    alice, bob, carol = everybody(connection, "alice", "bob", "carol", suite=suite, encrypt=encrypt)
    talk(alice, bob, carol)

    dave = Actor(connection, "dave", suite, encrypt)
    add_by_value(carol, dave, members=[alice, bob])
    talk(alice, bob, carol, dave)


@SUITES
def test_key_package_comes_with_its_private_keys(connection: Connection, suite: int) -> None:
    request = pb.CreateKeyPackageRequest(cipher_suite=suite, identity=b"bob")
    made = connection.call("CreateKeyPackage", request, pb.CreateKeyPackageResponse)
    key_package = MLSMessage.decode(made.key_package).message

    assert isinstance(key_package, KeyPackage)
    loaded = CIPHER_SUITES[suite]
    assert loaded.load_hpke_key(made.init_priv).public_key == key_package.init_key
    assert loaded.load_hpke_key(made.encryption_priv).public_key == key_package.leaf_node.encryption_key
    assert loaded.load_signature_key(made.signature_priv).public_key == key_package.leaf_node.signature_key


@HANDSHAKES
def test_join_group_with_the_tree_beside_the_welcome(connection: Connection, *, encrypt: bool) -> None:
    (alice,), bob = everybody(connection, "alice", encrypt=encrypt), Actor(connection, "bob", encrypt=encrypt)
    made = alice.commit(add(bob), external_tree=True)
    alice.handle_pending()

    assert made.ratchet_tree
    with failing(StatusCode.FAILED_PRECONDITION, "MissingError", rules.TREE_IS_AVAILABLE):
        bob.join(made.welcome)
    bob.join(made.welcome, made.ratchet_tree)
    agree(alice, bob)
    talk(alice, bob)


def test_the_tree_is_in_the_welcome_unless_it_is_asked_for(connection: Connection) -> None:
    (alice,), bob = everybody(connection, "alice"), Actor(connection, "bob")

    assert alice.commit(add(bob)).ratchet_tree == b""


def test_a_transaction_is_used_up_by_its_welcome_and_by_nothing_else(connection: Connection) -> None:
    (alice,), bob = everybody(connection, "alice"), Actor(connection, "bob")
    made = alice.commit(add(bob))
    alice.handle_pending()
    with failing(StatusCode.INVALID_ARGUMENT, "DecodeError"):
        bob.join(made.welcome[:-1])
    with failing(StatusCode.INVALID_ARGUMENT, "identity"):
        Actor(connection, "robert", transaction_id=bob.transaction_id).join(made.welcome)
    bob.join(made.welcome)
    talk(alice, bob)

    with failing(StatusCode.NOT_FOUND, str(bob.transaction_id)):
        bob.join(made.welcome)


def test_a_welcome_for_somebody_else_is_refused(connection: Connection) -> None:
    (alice,), bob, carol = everybody(connection, "alice"), Actor(connection, "bob"), Actor(connection, "carol")
    made = alice.commit(add(bob))
    carol.key_package()

    with failing(StatusCode.FAILED_PRECONDITION, rules.WELCOME_IS_FOR_US):
        carol.join(made.welcome)


@SUITES
@HANDSHAKES
@pytest.mark.parametrize("external_tree", [False, True], ids=["tree inside", "tree beside"])
def test_external_join(connection: Connection, suite: int, *, encrypt: bool, external_tree: bool) -> None:
    alice, bob = everybody(connection, "alice", "bob", suite=suite, encrypt=encrypt)
    info = bob.group_info(external_tree=external_tree)
    assert bool(info.ratchet_tree) is external_tree
    carol = Actor(connection, "carol", suite, encrypt)
    joined = external_join(carol, info)
    for member in (alice, bob):
        member.handle(joined.commit)

    agree(alice, bob, carol)
    talk(alice, bob, carol)
    dave = Actor(connection, "dave", suite, encrypt)
    add_by_value(carol, dave, members=[alice, bob])


def external_join(
    actor: Actor, info: pb.GroupInfoResponse, *, remove_prior: bool = False, psks: dict[bytes, bytes] | None = None
) -> pb.ExternalJoinResponse:
    """Let somebody join by an external Commit."""
    request = pb.ExternalJoinRequest(
        group_info=info.group_info,
        ratchet_tree=info.ratchet_tree,
        encrypt_handshake=actor.encrypt,
        identity=actor.identity,
        remove_prior=remove_prior,
        psks=[pb.PreSharedKey(psk_id=psk_id, psk_secret=secret) for psk_id, secret in (psks or {}).items()],
    )
    joined = actor.connection.call("ExternalJoin", request, pb.ExternalJoinResponse)
    actor.state_id, actor.epoch_authenticator = joined.state_id, joined.epoch_authenticator
    return joined


@pytest.mark.parametrize("external_tree", [False, True], ids=["tree inside", "tree beside"])
def test_external_join_in_place_of_the_own_old_leaf(connection: Connection, *, external_tree: bool) -> None:
    alice, bob, carol = everybody(connection, "alice", "bob", "carol")
    joined = external_join(bob, alice.group_info(external_tree=external_tree), remove_prior=True)
    for member in (alice, carol):
        member.handle(joined.commit)
    talk(alice, bob, carol)

    removed = alice.commit(described("remove", removed_id=b"bob"))  # there is one bob, not two
    alice.handle_pending()
    carol.handle(removed.commit)
    agree(alice, carol)


def test_external_join_in_place_of_nobody_is_refused(connection: Connection) -> None:
    (alice,) = everybody(connection, "alice")

    with failing(StatusCode.INVALID_ARGUMENT, "no member has the identity b'bob'"):
        external_join(Actor(connection, "bob"), alice.group_info(), remove_prior=True)


def test_external_join_with_psks(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    psks = {b"first": b"1" * 32, b"second": b"2" * 32}
    for member in (alice, bob):
        for psk_id, secret in psks.items():
            member.store_psk(psk_id, secret)
    carol = Actor(connection, "carol")
    joined = external_join(carol, alice.group_info(), psks=psks)
    for member in (alice, bob):
        member.handle(joined.commit)

    agree(alice, bob, carol)
    # Whoever has joined keeps the PSKs, and can take part in their next use.
    again = carol.commit(described("externalPSK", psk_id=b"first"))
    join(carol, again, [alice, bob], [])


def test_group_info_carries_the_tree_or_has_it_beside(connection: Connection) -> None:
    alice, _ = everybody(connection, "alice", "bob")
    inside, beside = alice.group_info(), alice.group_info(external_tree=True)

    assert inside.ratchet_tree == b""
    assert beside.ratchet_tree in inside.group_info
    assert beside.ratchet_tree not in beside.group_info


def test_free(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    bob.key_package()
    bob.free()
    bob.free(bob.transaction_id)

    for number in (bob.state_id, bob.transaction_id, NO_SUCH_ID, 0):
        with failing(StatusCode.NOT_FOUND, str(number)):
            bob.free(number)
    with failing(StatusCode.NOT_FOUND, "no state has the id"):
        bob.protect(b"nobody says this")
    assert alice.protect(b"others stay")

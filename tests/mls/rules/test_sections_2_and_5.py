"""Sections 2 (encodings) and 5 (credentials): each rule broken on purpose."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from mls import rules
from mls.codec import encode_length
from mls.group.authentication import UnsafeTrustEveryone
from mls.group.committing import CommitOptions, commit
from mls.group.joining import join
from mls.group.leaf_changes import LeafChanges
from mls.registry import ExtensionType, WireFormat
from mls.wire.commit import Commit
from mls.wire.credentials import BasicCredential, Certificate, X509Credential
from mls.wire.extensions import Extension, ExternalSender, ExternalSenders, pack_extension
from mls.wire.framing import ApplicationData
from mls.wire.proposals import Add, GroupContextExtensions, Remove
from tests.mls.public_keys import public_key_object
from tests.mls.rules.doors import (
    refused_by,
    refused_in_add,
    refused_in_path,
    refused_in_tree,
    refused_in_update,
    refused_proposal,
)
from tests.mls.rules.forging import (
    Path,
    forged_commit,
    forged_external_commit,
    forged_key_package,
    forged_update,
    forged_welcome,
    private,
    public,
    signed,
)
from tests.mls.rules.support import breaks, refused
from tests.mls.world import GROUP_ID, World

if TYPE_CHECKING:
    from mls.group.creation import KeyPackageBundle
    from mls.wire.credentials import AnyCredential
    from mls.wire.leaf_node import LeafNode
    from mls.wire.message import MLSMessage
    from mls.wire.welcome import GroupInfo

# 2.1.1: optional values. The presence octet is the one thing in front of the value.


def _with_presence(data: bytes, value: bytes, octet: int) -> bytes:
    at = data.index(value) - 1
    assert data[at] == 1
    return data[:at] + bytes([octet]) + data[at + 1 :]


@breaks(rules.OPTIONAL_PRESENCE_IS_0_OR_1)
def test_optional_presence_is_0_or_1() -> None:
    world = World.of("alice", "bob")
    for octet in (2, 3, 0x40, 0x80, 0x81, 0xFF):
        alice = world.states["alice"]
        commit = forged_commit(alice, world.environment, wire_format=WireFormat.PUBLIC_MESSAGE)
        body = commit.message.content.content
        assert isinstance(body, Commit)
        assert body.path is not None
        data = commit.sent_by(alice).encode()
        refused_by(world, "bob", rules.OPTIONAL_PRESENCE_IS_0_OR_1, _with_presence(data, body.path.encode(), octet))


@breaks(rules.OPTIONAL_PRESENCE_IS_0_OR_1)
def test_optional_presence_is_0_or_1__encrypted() -> None:
    world = World.of("alice", "bob")
    alice = world.states["alice"]
    message = forged_commit(alice, world.environment).message
    body = message.content.content
    assert isinstance(body, Commit)
    assert body.path is not None
    path = body.path.encode()
    bad = private(alice, message, plaintext=lambda plaintext: _with_presence(plaintext, path, 2))
    refused_by(world, "bob", rules.OPTIONAL_PRESENCE_IS_0_OR_1, bad)


@breaks(rules.OPTIONAL_PRESENCE_IS_0_OR_1)
def test_optional_presence_is_0_or_1__tree() -> None:
    world = World.of("alice", "bob")
    alice, bundle = world.states["alice"], world.key_package("carol")

    def with_bad_octet(info: GroupInfo) -> GroupInfo:
        first_node = info.extensions[0].extension_data.index(b"\x01\x01")
        data = bytearray(info.extensions[0].extension_data)
        data[first_node] = 2
        return info.replace(extensions=(Extension(ExtensionType.RATCHET_TREE, bytes(data)),))

    welcome = forged_welcome(alice, bundle, world.environment, info=with_bad_octet)
    with refused(rules.OPTIONAL_PRESENCE_IS_0_OR_1):
        join(world.environment, welcome.encode(), [bundle])


# 2.1.2: vectors. The authenticated data of a PrivateMessage is in the clear and in no other vector, so its header can
# take any form, and whoever decodes that form finds a message whose AEAD tags are right.


def _with_header(world: World, length: int, header: bytes) -> bytes:
    alice = world.states["alice"]
    filler = b"\xab" * length
    message = signed(
        alice, ApplicationData(b"hello"), wire_format=WireFormat.PRIVATE_MESSAGE, authenticated_data=filler
    )
    data = private(alice, message).encode()
    # Up to the vector: version, wire format, group_id, epoch, content type.
    start = 4 + len(encode_length(len(GROUP_ID))) + len(GROUP_ID) + 8 + 1
    honest = encode_length(length)
    assert data[start:].startswith(honest + filler)
    return data[:start] + header + data[start + len(honest) :]


def _in_2_bytes(length: int) -> bytes:
    return (0x4000 | length).to_bytes(2, "big")


def _in_4_bytes(length: int) -> bytes:
    return (0x8000_0000 | length).to_bytes(4, "big")


@breaks(rules.VECTOR_LENGTH_IS_MINIMAL)
def test_vector_length_is_minimal() -> None:
    world = World.of("alice", "bob")
    for length in (0, 1, 0x3E, 0x3F):
        bad = _with_header(world, length, _in_2_bytes(length))
        refused_by(world, "bob", rules.VECTOR_LENGTH_IS_MINIMAL, bad)
    for length in (0, 0x3F, 0x40, 0x3FFE, 0x3FFF):
        bad = _with_header(world, length, _in_4_bytes(length))
        refused_by(world, "bob", rules.VECTOR_LENGTH_IS_MINIMAL, bad)
    minimal = {0x3F: b"\x3f", 0x40: b"\x40\x40", 0x3FFF: b"\x7f\xff", 0x4000: b"\x80\x00\x40\x00"}
    for length, header in minimal.items():
        world.process("bob", _with_header(world, length, header))
        world.commit("alice")


@breaks(rules.VECTOR_LENGTH_PREFIX_IS_VALID)
def test_vector_length_prefix_is_valid() -> None:
    world = World.of("alice", "bob")
    for length, header in (
        (0x4000, b"\xc0\x00\x40\x00"),
        (0x4000, b"\xc0\x00\x00\x00\x00\x00\x40\x00"),  # eight bytes, as QUIC has it
        (0, b"\xc0"),
        (0x3F, b"\xff"),
    ):
        refused_by(world, "bob", rules.VECTOR_LENGTH_PREFIX_IS_VALID, _with_header(world, length, header))


# 5.3: X.509 credentials

_ISSUER = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x01")
_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mallory")])


def _certificate(key: Ed25519PublicKey | ec.EllipticCurvePublicKey) -> Certificate:
    builder = x509.CertificateBuilder(_NAME, _NAME, key, 1)
    builder = builder.not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    builder = builder.not_valid_after(dt.datetime(2040, 1, 1, tzinfo=dt.UTC))
    return Certificate(builder.sign(_ISSUER, None).public_bytes(Encoding.DER))


def _with_certificates(world: World, *chain: Certificate) -> KeyPackageBundle:
    return forged_key_package(world.key_package("mallory"), leaf={"credential": X509Credential(chain)})


@breaks(rules.X509_KEY_IS_THE_SIGNATURE_KEY)
def test_x509_key_is_the_signature_key() -> None:
    world = World.of("alice", "bob", "carol")
    others = _certificate(_ISSUER.public_key())
    refused_in_add(world, rules.X509_KEY_IS_THE_SIGNATURE_KEY, _with_certificates(world, others))
    refused_in_tree(world, rules.X509_KEY_IS_THE_SIGNATURE_KEY, _with_certificates(world, others))


@breaks(rules.X509_KEY_IS_THE_SIGNATURE_KEY)
def test_x509_key_is_the_signature_key__other_scheme() -> None:
    world = World.of("alice", "bob", "carol")
    other_scheme = _certificate(ec.derive_private_key(7, ec.SECP256R1()).public_key())
    refused_in_add(world, rules.X509_KEY_IS_THE_SIGNATURE_KEY, _with_certificates(world, other_scheme))


@breaks(rules.X509_KEY_IS_THE_SIGNATURE_KEY)
def test_x509_key_is_the_signature_key__not_first() -> None:
    world = World.of("alice", "bob", "carol")
    key = public_key_object(world.client("mallory").signature_key.public_key)
    assert isinstance(key, Ed25519PublicKey)
    issuer, own = _certificate(_ISSUER.public_key()), _certificate(key)
    world.commit("alice", Add(_with_certificates(world, own, issuer).key_package))
    world.commit("alice", Remove(3))
    refused_in_add(world, rules.X509_KEY_IS_THE_SIGNATURE_KEY, _with_certificates(world, issuer, own))


@breaks(rules.X509_CERTIFICATE_IS_WELL_FORMED)
def test_x509_certificate_is_well_formed() -> None:
    world = World.of("alice", "bob", "carol")
    bundle = world.key_package("mallory")
    key = public_key_object(bundle.signature_key.public_key)
    assert isinstance(key, Ed25519PublicKey)
    der = _certificate(key).cert_data
    version_3, ed25519 = bytes.fromhex("a003020102"), bytes.fromhex("2b6570032100")
    no_version = der.replace(version_3, bytes.fromhex("a003020101"))
    no_algorithm = der.replace(ed25519, bytes.fromhex("2b657f032100"))
    assert der not in {no_version, no_algorithm}
    for data in (b"", b"no certificate", der[:-1], der + b"\0", no_version, no_algorithm):
        bad = _with_certificates(world, Certificate(data))
        with refused(rules.X509_CERTIFICATE_IS_WELL_FORMED):
            commit(world.states["alice"], world.environment, now=world.now, proposals=[Add(bad.key_package)])
        message = _added_unseen(world, bad)
        refused_by(world, "bob", rules.X509_CERTIFICATE_IS_WELL_FORMED, message)


@breaks(rules.X509_CERTIFICATE_IS_WELL_FORMED)
def test_x509_certificate_is_well_formed__empty_chain() -> None:
    world = World.of("alice", "bob", "carol")
    message = _added_unseen(world, _with_certificates(world))
    refused_by(world, "bob", rules.X509_CERTIFICATE_IS_WELL_FORMED, message)


def _added_unseen(world: World, bundle: KeyPackageBundle) -> MLSMessage:
    """Return a Commit by alice that adds what not even the engine of a dishonest member can look into."""
    alice = world.states["alice"]
    return public(alice, signed(alice, Commit((Add(bundle.key_package),), None)))


# 5.3.1: credential validation


@dataclass(frozen=True)
class _Suspicious(UnsafeTrustEveryone):
    """Knows no mallory, and nobody who changes names."""

    def accepts(self, credential: AnyCredential, signature_key: bytes) -> bool:  # noqa: ARG002 - an interface
        return credential != BasicCredential(b"mallory")

    def accepts_successor(self, old: AnyCredential, new: AnyCredential) -> bool:  # noqa: ARG002 - an interface
        return False


def _suspicious_world() -> World:
    world = World.of("alice", "bob", "carol")
    world.set(authentication=_Suspicious())
    return world


@breaks(rules.CREDENTIAL_IS_VALID)
def test_credential_is_valid() -> None:
    world = World.of("alice", "bob", "carol")
    bundle = world.key_package("mallory")
    world.set(authentication=_Suspicious())
    refused_in_add(world, rules.CREDENTIAL_IS_VALID, bundle)
    refused_in_tree(world, rules.CREDENTIAL_IS_VALID, bundle)


@breaks(rules.CREDENTIAL_IS_VALID)
def test_credential_is_valid__own_leaf() -> None:
    world = _suspicious_world()
    with refused(rules.CREDENTIAL_IS_VALID):
        world.found("mallory")
    with refused(rules.CREDENTIAL_IS_VALID):
        world.key_package("mallory")


@breaks(rules.CREDENTIAL_IS_VALID)
def test_credential_is_valid__external_sender() -> None:
    world = _suspicious_world()
    sender = ExternalSender(world.client("mallory").signature_key.public_key, BasicCredential(b"mallory"))
    extensions = (pack_extension(ExternalSenders((sender,))),)
    refused_proposal(world, rules.CREDENTIAL_IS_VALID, GroupContextExtensions(extensions))
    with refused(rules.CREDENTIAL_IS_VALID):
        world.found("alice", extensions=extensions)


@breaks(rules.CREDENTIAL_IS_VALID)
def test_credential_is_valid__external_joiner() -> None:
    world = _suspicious_world()
    alice = world.states["alice"]
    message = forged_external_commit(alice, world.client("mallory"), world.environment).sent_by(alice)
    refused_by(world, "bob", rules.CREDENTIAL_IS_VALID, message)


def _renamed(leaf: LeafNode) -> LeafNode:
    return leaf.replace(credential=BasicCredential(b"somebody else"))


@breaks(rules.CREDENTIAL_IS_A_VALID_SUCCESSOR)
def test_credential_is_a_valid_successor() -> None:
    world = _suspicious_world()
    refused_in_path(world, rules.CREDENTIAL_IS_A_VALID_SUCCESSOR, Path(leaf=_renamed))
    changes = CommitOptions(leaf_changes=LeafChanges(credential=BasicCredential(b"somebody else")))
    with refused(rules.CREDENTIAL_IS_A_VALID_SUCCESSOR):
        commit(world.states["alice"], world.environment, now=world.now, options=changes)


@breaks(rules.CREDENTIAL_IS_A_VALID_SUCCESSOR)
def test_credential_is_a_valid_successor__update() -> None:
    world = _suspicious_world()
    update = forged_update(world.states["bob"], world.environment, credential=BasicCredential(b"somebody else"))
    refused_in_update(world, rules.CREDENTIAL_IS_A_VALID_SUCCESSOR, update)

"""X.509 credentials: a group whose authentication service checks chains of certificates up to a root."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from mls import rules
from mls.errors import RuleError
from mls.group.authentication import UnsafeTrustEveryone
from mls.group.committing import CommitOptions, commit
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import propose_update
from mls.group.received import Committed, MemberUpdated
from mls.registry import CredentialType
from mls.wire.credentials import BasicCredential, Certificate, X509Credential
from mls.wire.extensions import RequiredCapabilities, pack_extension
from mls.wire.proposals import Add
from tests.mls.journey import come_from_outside, talk
from tests.mls.public_keys import public_key_object
from tests.mls.rules.support import refused
from tests.mls.stored import reload
from tests.mls.world import World

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from mls.wire.credentials import AnyCredential

# A root, a person's certificate from the office, and the office's from the root.

ROOT_KEY, OFFICE_KEY, OTHER_KEY = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3))
BEGIN, END = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2040, 1, 1, tzinfo=dt.UTC)


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def certificate(
    subject: str, key: CertificatePublicKeyTypes, issuer: str, issuer_key: Ed25519PrivateKey, *, is_ca: bool = False
) -> x509.Certificate:
    builder = x509.CertificateBuilder(name(issuer), name(subject), key, 1 + len(subject), BEGIN, END)
    builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    return builder.sign(issuer_key, None)


ROOT = certificate("root", ROOT_KEY.public_key(), "root", ROOT_KEY, is_ca=True)
OFFICE = certificate("office", OFFICE_KEY.public_key(), "root", ROOT_KEY, is_ca=True)


def chain(subject: str, key: CertificatePublicKeyTypes, *, by: Ed25519PrivateKey = OFFICE_KEY) -> X509Credential:
    certificates = (certificate(subject, key, "office", by), OFFICE)
    return X509Credential(tuple(Certificate(item.public_bytes(Encoding.DER)) for item in certificates))


@dataclass(frozen=True)
class Verifier:
    """Accepts chains up to the root, and as successors those of the same subject."""

    today: dt.datetime = BEGIN

    def accepts(self, credential: AnyCredential, signature_key: bytes) -> bool:  # noqa: ARG002 - the engine compares it
        match credential:
            case X509Credential(certificates=certificates):
                found = [x509.load_der_x509_certificate(item.cert_data) for item in certificates]
                return all(map(self._is_issued, found, [*found[1:], ROOT]))
            case _:
                return False

    def _is_issued(self, subject: x509.Certificate, issuer: x509.Certificate) -> bool:
        try:
            subject.verify_directly_issued_by(issuer)
        except (InvalidSignature, ValueError):
            return False
        may_issue = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        return may_issue and subject.not_valid_before_utc <= self.today <= subject.not_valid_after_utc

    def accepts_successor(self, old: AnyCredential, new: AnyCredential) -> bool:
        return self._subject(old) == self._subject(new)

    def _subject(self, credential: AnyCredential) -> x509.Name:
        assert isinstance(credential, X509Credential)
        return x509.load_der_x509_certificate(credential.certificates[0].cert_data).subject

    def client_id(self, leaf: object) -> bytes | None:  # noqa: ARG002 - one is not asked to tell
        return None


def certified_world(suite: int, *names: str) -> World:
    """Return a world where these clients have certificates; none is in the group yet."""
    world = World(suite)
    world.set(authentication=Verifier())
    for person in names:
        client = world.client(person)
        world.clients[person] = replace(
            client, credential=chain(person, public_key_object(client.signature_key.public_key))
        )
    return world


def with_credential(world: World, person: str, credential: AnyCredential) -> Add:
    """Return the addition of a client with that credential, whatever is wrong with it."""
    honest = world.environment
    world.clients[person] = replace(world.client(person), credential=BasicCredential(b""))
    world.set(authentication=UnsafeTrustEveryone())
    bundle = world.key_package(person)
    world.environment = honest
    client, package = world.client(person), bundle.key_package
    leaf = package.leaf_node.replace(credential=credential, signature=b"")
    leaf = leaf.replace(
        signature=client.suite.sign_with_label(client.signature_key, "LeafNodeTBS", leaf.to_be_signed(b"", 0))
    )
    package = package.replace(leaf_node=leaf, signature=b"")
    signature = client.suite.sign_with_label(client.signature_key, "KeyPackageTBS", package.to_be_signed())
    return Add(package.replace(signature=signature))


@pytest.mark.parametrize("suite", [1, 2, 4, 5, 7])
def test_a_group_of_people_with_certificates(suite: int) -> None:
    world = certified_world(suite, "alice", "bob", "carol", "dave")
    world.found("alice")
    world.add("alice", "bob", "carol")
    come_from_outside(world, "dave", "bob")
    talk(world)
    world.commit("dave")
    world.states = {person: reload(state) for person, state in world.states.items()}
    talk(world)
    leaf = world.states["alice"].public.tree.leaf(world.leaf("dave"))
    assert leaf is not None
    assert leaf.credential == world.client("dave").credential


@pytest.mark.parametrize("by_proposal", [False, True], ids=["commit", "update"])
def test_a_renewed_certificate(by_proposal: bool) -> None:  # noqa: FBT001 - a parameter
    world = certified_world(1, "alice", "bob", "carol")
    world.found("alice")
    world.add("alice", "bob", "carol")
    key = world.suite.generate_signature_key(world.environment.random)
    changes = LeafChanges(signature_key=key, credential=chain("bob", public_key_object(key.public_key)))
    if by_proposal:
        world.deliver(world.adopt("bob", propose_update(world.states["bob"], world.environment, leaf_changes=changes)))
        received = world.commit("alice")["carol"]
    else:
        received = world.commit("bob", options=CommitOptions(leaf_changes=changes))["carol"]
    assert isinstance(received, Committed)
    update = received.changes[0]
    assert isinstance(update, MemberUpdated)
    assert (update.old.credential, update.leaf.credential) == (world.client("bob").credential, changes.credential)
    talk(world)
    stolen = LeafChanges(signature_key=key, credential=chain("carol", public_key_object(key.public_key)))
    with refused(rules.CREDENTIAL_IS_A_VALID_SUCCESSOR):
        commit(world.states["bob"], world.environment, now=world.now, options=CommitOptions(leaf_changes=stolen))


def test_a_chain_that_does_not_lead_to_the_root() -> None:
    world = certified_world(1, "alice", "mallory")
    world.found("alice")
    key = public_key_object(world.client("mallory").signature_key.public_key)
    office = Certificate(OFFICE.public_bytes(Encoding.DER))
    end_entity = chain("mallory", key).certificates[0]
    for credential in (
        chain("mallory", key, by=OTHER_KEY),
        X509Credential((end_entity,)),
        X509Credential((end_entity, office, office)),
        BasicCredential(b"mallory"),
    ):
        with refused(rules.CREDENTIAL_IS_VALID):
            commit(
                world.states["alice"],
                world.environment,
                now=world.now,
                proposals=[with_credential(world, "mallory", credential)],
            )
    good = with_credential(world, "mallory", X509Credential((end_entity, office)))
    commit(world.states["alice"], world.environment, now=world.now, proposals=[good])
    world.set(authentication=Verifier(END + dt.timedelta(seconds=1)))
    with refused(rules.CREDENTIAL_IS_VALID):
        commit(world.states["alice"], world.environment, now=world.now, proposals=[good])


@pytest.mark.parametrize("suite", [1, 2, 4])
def test_a_certificate_for_another_key(suite: int) -> None:
    world = certified_world(suite, "alice", "bob", "mallory")
    world.found("alice")
    numbers = rsa.RSAPublicNumbers(65537, (1 << 2047) + 12345)
    keys: list[CertificatePublicKeyTypes] = [
        public_key_object(world.client("bob").signature_key.public_key),
        OTHER_KEY.public_key(),
        ec.derive_private_key(7, ec.SECP256R1()).public_key(),
        ec.derive_private_key(7, ec.SECP384R1()).public_key(),
        numbers.public_key(),
    ]
    for key in keys:
        with refused(rules.X509_KEY_IS_THE_SIGNATURE_KEY):
            commit(
                world.states["alice"],
                world.environment,
                now=world.now,
                proposals=[with_credential(world, "mallory", chain("mallory", key))],
            )


GARBAGE = {
    "empty chain": (),
    "empty": (Certificate(b""),),
    "no certificate": (Certificate(b"certainly not"),),
    "truncated": (Certificate(ROOT.public_bytes(Encoding.DER)[:-1]),),
    "trailing": (Certificate(ROOT.public_bytes(Encoding.DER) + b"\0"),),
    "PEM": (Certificate(ROOT.public_bytes(Encoding.PEM)),),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage(kind: str) -> None:
    world = certified_world(1, "alice")
    world.found("alice")
    add = with_credential(world, "mallory", X509Credential(GARBAGE[kind]))
    with refused(rules.X509_CERTIFICATE_IS_WELL_FORMED):
        commit(world.states["alice"], world.environment, now=world.now, proposals=[add])


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("suite", [1, 2])
def test_whatever_is_wrong_with_a_certificate_is_an_error_of_the_engine(suite: int) -> None:
    """Versions, algorithms and curves that nobody knows included: each bit of a certificate is turned."""
    world = certified_world(suite, "alice", "bob")
    world.found("alice")
    world.set(authentication=UnsafeTrustEveryone())
    client = world.client("bob")
    credential = client.credential
    assert isinstance(credential, X509Credential)
    der = credential.certificates[0].cert_data
    broken: set[str] = set()
    for position in range(len(der)):
        for bit in range(8):
            turned = bytearray(der)
            turned[position] ^= 1 << bit
            world.clients["bob"] = replace(client, credential=X509Credential((Certificate(bytes(turned)),)))
            try:
                world.found("bob")
            except RuleError as error:
                broken.add(error.rule.name)
    malformed, other_key = rules.X509_CERTIFICATE_IS_WELL_FORMED.name, rules.X509_KEY_IS_THE_SIGNATURE_KEY.name
    # Another point of a NIST curve is more than one bit away.
    assert broken == ({malformed, other_key} if suite == 1 else {malformed})


def test_certificates_and_names_in_one_group() -> None:
    world = certified_world(1, "bob")
    world.set(authentication=UnsafeTrustEveryone())
    required = RequiredCapabilities((), (), (CredentialType.BASIC, CredentialType.X509))
    world.found("alice", extensions=(pack_extension(required),))
    world.add("alice", "bob", "carol")
    talk(world)


def test_whoever_knows_no_certificates_keeps_them_out() -> None:
    world = certified_world(1, "bob", "carol")
    world.set(authentication=UnsafeTrustEveryone())
    alice, carol = world.client("alice"), world.client("carol")
    basic = alice.capabilities.replace(credentials=(CredentialType.BASIC,))
    world.clients["alice"] = replace(alice, capabilities=basic)
    world.found("alice")
    add = Add(world.key_package("bob").key_package)
    with refused(rules.CREDENTIAL_TYPE_IS_SUPPORTED_BY_ALL):
        commit(world.states["alice"], world.environment, now=world.now, proposals=[add])
    world.clients["carol"] = replace(carol, capabilities=basic)
    with refused(rules.CREDENTIAL_TYPE_IS_IN_OWN_CAPABILITIES):
        world.key_package("carol")

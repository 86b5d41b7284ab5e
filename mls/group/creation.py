"""New groups and new KeyPackages (RFC 9420, sections 10 and 11)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mls import rules
from mls.crypto.suite import cipher_suite
from mls.group.epoch import first_state, initial_state
from mls.group.leaf_validation import (
    PendingChecks,
    check_extension_list,
    check_key_package,
    check_leaf,
    check_leaf_against_members,
    own_support,
)
from mls.group.proposal_list import check_external_senders
from mls.group.state import Transition
from mls.registry import GREASE, MLS10, CredentialType, ExtensionType, ProposalType
from mls.tree import math
from mls.tree.private_tree import PrivateTree
from mls.tree.ratchet_tree import RatchetTree
from mls.wire.credentials import BasicCredential
from mls.wire.extensions import Extension, last_resort
from mls.wire.group_context import GroupContext
from mls.wire.key_package import KeyPackage
from mls.wire.leaf_node import Capabilities, KeyPackageSource, LeafNode, Lifetime
from mls.wire.message import MLSMessage, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mls.crypto.kem import HPKEPrivateKey
    from mls.crypto.random import Random
    from mls.crypto.signature import SignaturePrivateKey
    from mls.crypto.suite import CipherSuite
    from mls.group.environment import Environment
    from mls.wire.credentials import AnyCredential

__all__ = [
    "Client",
    "KeyPackageBundle",
    "create_group",
    "create_key_package",
    "default_capabilities",
    "lifetime_of_days",
]

MANDATORY_SUITE: Final = 1
"""The cipher suite that every client has (section 17.1)."""

DAY: Final = 24 * 60 * 60


def default_capabilities(
    suites: Iterable[int],
    random: Random | None = None,
    *,
    extensions: Iterable[int] = (),
    proposals: Iterable[int] = (),
) -> Capabilities:
    """Return what this engine supports, with the caller's own extension and proposal types.

    With `random`, one GREASE value joins each list (section 13.5). One draw serves all four, so that a large
    group has fifteen kinds of capabilities and not fifty thousand.
    """
    grease = () if random is None else (sorted(GREASE)[random(1)[0] % len(GREASE)],)
    return Capabilities(
        versions=(MLS10,),
        cipher_suites=(*suites, *grease),
        extensions=(ExtensionType.LAST_RESORT, *extensions, *grease),
        proposals=(ProposalType.SELF_REMOVE, *proposals, *grease),
        credentials=(CredentialType.BASIC, CredentialType.X509, *grease),
    )


@dataclass(frozen=True, slots=True)
class Client:
    """Who acts: the identity that goes into the leaves this client makes."""

    suite: CipherSuite
    credential: AnyCredential
    signature_key: SignaturePrivateKey = field(repr=False)
    capabilities: Capabilities
    extensions: tuple[Extension, ...] = ()
    """Leaf extensions."""

    @classmethod
    def basic(
        cls, identity: bytes, random: Random, *, suite: int = MANDATORY_SUITE, experimental: bool = False
    ) -> Client:
        """Return a client with a basic credential and a fresh signature key. Store the key: it is who you are.

        `experimental` admits a suite that is not standardised (`EXPERIMENTAL_CIPHER_SUITES`). Raises `UsageError` for
        one that the engine does not have, or that was not admitted.
        """
        chosen = cipher_suite(suite, experimental=experimental)
        key = chosen.generate_signature_key(random)
        return cls(chosen, BasicCredential(identity), key, default_capabilities([suite], random))

    def sign_leaf(self, encryption_key: HPKEPrivateKey, lifetime: Lifetime) -> LeafNode:
        """Return a leaf for a KeyPackage."""
        unsigned = LeafNode(
            encryption_key.public_key,
            self.signature_key.public_key,
            self.credential,
            self.capabilities,
            KeyPackageSource(lifetime),
            self.extensions,
            b"",
        )
        content = unsigned.to_be_signed(b"", 0)
        return unsigned.replace(signature=self.suite.sign_with_label(self.signature_key, "LeafNodeTBS", content))


@dataclass(frozen=True, slots=True, eq=False)
class KeyPackageBundle:
    """A KeyPackage with its private keys: to be stored until a Welcome answers it, and deleted then."""

    key_package: KeyPackage
    init_key: HPKEPrivateKey = field(repr=False)
    encryption_key: HPKEPrivateKey = field(repr=False)
    signature_key: SignaturePrivateKey = field(repr=False)

    @property
    def message(self) -> MLSMessage:
        """The KeyPackage as it is published."""
        return wrap(self.key_package)

    @property
    def suite(self) -> CipherSuite:
        """The KeyPackage's cipher suite. An experimental one was asked for when the private keys were made."""
        return cipher_suite(self.key_package.cipher_suite, experimental=True)

    @property
    def reference(self) -> bytes:
        """The KeyPackageRef (section 5.2)."""
        return self.suite.key_package_ref(self.key_package.encode())


def lifetime_of_days(days: int, now: int) -> Lifetime:
    """Return a lifetime from an hour before `now` (clocks differ) to `days` days after; `now` in seconds since 1970."""
    return Lifetime(max(0, now - 3600), now + days * DAY)


def create_key_package(
    client: Client,
    environment: Environment,
    *,
    lifetime: Lifetime,
    is_last_resort: bool = False,
    extensions: tuple[Extension, ...] = (),
) -> KeyPackageBundle:
    """Return a fresh KeyPackage. One that `is_last_resort` may be used more than once (section 16.8).

    Raises `RuleError` where others would refuse it, as for extensions that the capabilities do not list.
    """
    suite, random = client.suite, environment.random
    init_key, encryption_key = suite.generate_hpke_key(random), suite.generate_hpke_key(random)
    leaf = client.sign_leaf(encryption_key, lifetime)
    if is_last_resort:
        extensions = (*extensions, last_resort())
    unsigned = KeyPackage(MLS10, suite.number, init_key.public_key, leaf, extensions, b"")
    check_key_package(unsigned, environment, PendingChecks(suite))  # all but the signatures, which are ours
    signature = suite.sign_with_label(client.signature_key, "KeyPackageTBS", unsigned.to_be_signed())
    return KeyPackageBundle(unsigned.replace(signature=signature), init_key, encryption_key, client.signature_key)


def create_group(
    client: Client,
    environment: Environment,
    *,
    group_id: bytes,
    lifetime: Lifetime,
    extensions: tuple[Extension, ...] = (),
) -> Transition[None]:
    """Return epoch 0 of a new group with this client alone (section 11).

    `extensions` are the GroupContext's. Raises `RuleError` where this client does not support them itself.
    """
    suite, random = client.suite, environment.random
    check_extension_list(extensions)
    check_external_senders(extensions, suite, environment)
    types = [extension.extension_type for extension in extensions]
    rules.NEW_GROUP_EXTENSIONS_ARE_SUPPORTED.require(own_support(client.capabilities, types))
    encryption_key = suite.generate_hpke_key(random)
    leaf = client.sign_leaf(encryption_key, lifetime)
    check_leaf(leaf, None, b"", environment, PendingChecks(suite))  # all but the signature, which is ours
    tree = RatchetTree.single(suite, leaf)
    check_leaf_against_members(leaf, tree, extensions)
    context = GroupContext(MLS10, suite.number, group_id, 0, tree.tree_hash(), b"", extensions)
    keys = initial_state(context, tree, random(suite.Nh))
    state = first_state(keys, PrivateTree(math.LeafIndex(0), {math.NodeIndex(0): encryption_key}), client.signature_key)
    return Transition(state, None, ())

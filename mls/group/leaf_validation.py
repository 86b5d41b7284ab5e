"""Whether a leaf node or a KeyPackage is valid, here (RFC 9420, sections 7.3, 10.1 and 13.4).

Checks of one leaf come first, the cheap ones; signatures are collected, to be verified together; what depends on
the other members is checked once the tree is complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning

from mls import rules
from mls.crypto.batch import SignatureCheck, verify_batch
from mls.registry import DEFAULT_EXTENSION_TYPES, DEFAULT_PROPOSAL_TYPES, GREASE, MLS10
from mls.wire.credentials import X509Credential, credential_type
from mls.wire.extensions import Extension, RequiredCapabilities, find_extension
from mls.wire.leaf_node import KeyPackageSource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mls.crypto.suite import CipherSuite
    from mls.group.environment import Environment
    from mls.rules import Rule
    from mls.tree.math import LeafIndex
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.credentials import AnyCredential
    from mls.wire.key_package import KeyPackage
    from mls.wire.leaf_node import Capabilities, LeafNode

__all__ = [
    "PendingChecks",
    "check_credential",
    "check_extension_list",
    "check_key_package",
    "check_leaf",
    "check_leaf_against_members",
    "check_lifetime_is_current",
    "own_support",
    "supports_extensions",
]


class PendingChecks:
    """Signatures that remain to be verified, each with the rule that a bad one breaks."""

    __slots__ = ("_checks", "_rules", "suite")

    def __init__(self, suite: CipherSuite) -> None:
        self.suite = suite
        self._checks: list[SignatureCheck] = []
        self._rules: list[Rule] = []

    def add(self, rule: Rule, check: SignatureCheck) -> None:
        """Put one off."""
        self._rules.append(rule)
        self._checks.append(check)

    def settle(self) -> None:
        """Verify all. Raises `AuthenticationError`."""
        for rule, valid in zip(self._rules, verify_batch(self.suite, self._checks), strict=True):
            rule.require(valid)


def check_extension_list(extensions: tuple[Extension, ...]) -> None:
    """Check that no type occurs twice (section 13.4)."""
    if len(extensions) > 1:
        types = [extension.extension_type for extension in extensions]
        rules.EXTENSION_TYPES_ARE_UNIQUE.require(len(set(types)) == len(types))


def supports_extensions(capabilities: Capabilities, types: Iterable[int]) -> bool:
    """Return whether the capabilities cover these extension types; the default ones need no listing."""
    return all(kind in capabilities.extensions or kind in DEFAULT_EXTENSION_TYPES for kind in types)


def own_support(capabilities: Capabilities, types: Iterable[int]) -> bool:
    """Return whether one's own capabilities cover these extension types: without the GREASE in them (section 13.5)."""
    types = list(types)
    return GREASE.isdisjoint(types) and supports_extensions(capabilities, types)


def check_leaf(
    leaf: LeafNode, index: LeafIndex | None, group_id: bytes, environment: Environment, checks: PendingChecks
) -> None:
    """Check what a leaf says of itself (sections 5.3, 7.2 and 7.3). Its signature joins `checks`.

    `index` is its place in the tree, `None` for a leaf that is still in its KeyPackage.
    """
    suite, capabilities, kind = checks.suite, leaf.capabilities, credential_type(leaf.credential)
    check_extension_list(leaf.extensions)
    rules.CAPABILITIES_OMIT_DEFAULTS.require(
        DEFAULT_EXTENSION_TYPES.isdisjoint(capabilities.extensions)
        and DEFAULT_PROPOSAL_TYPES.isdisjoint(capabilities.proposals)
    )
    rules.CREDENTIAL_TYPE_IS_IN_OWN_CAPABILITIES.require(kind in capabilities.credentials, f"type {kind}")
    rules.LEAF_EXTENSIONS_ARE_IN_OWN_CAPABILITIES.require(
        supports_extensions(capabilities, [extension.extension_type for extension in leaf.extensions])
    )
    rules.ENCRYPTION_KEY_IS_WELL_FORMED.require(suite.is_hpke_public_key(leaf.encryption_key))
    if isinstance(leaf.leaf_node_source, KeyPackageSource):
        lifetime = leaf.leaf_node_source.lifetime
        seconds = lifetime.not_after - lifetime.not_before
        rules.LIFETIME_IS_BOUNDED.require(0 <= seconds <= environment.limits.max_lifetime, f"{seconds} s")
    check_credential(leaf.credential, leaf.signature_key, suite, environment)
    content = leaf.to_be_signed(group_id, 0 if index is None else index)
    checks.add(
        rules.LEAF_SIGNATURE_IS_VALID, SignatureCheck(leaf.signature_key, "LeafNodeTBS", content, leaf.signature)
    )


def check_credential(
    credential: AnyCredential, signature_key: bytes, suite: CipherSuite, environment: Environment
) -> None:
    """Check a credential with the authentication service, and an X.509 one against its key (section 5.3)."""
    if isinstance(credential, X509Credential):
        rules.X509_KEY_IS_THE_SIGNATURE_KEY.require(_end_entity_key(credential, suite) == signature_key)
    rules.CREDENTIAL_IS_VALID.require(environment.authentication.accepts(credential, signature_key))


def _end_entity_key(credential: X509Credential, suite: CipherSuite) -> bytes | None:
    """Return the end-entity certificate's public key as on the wire; `None` if it is of another scheme."""
    rules.X509_CERTIFICATE_IS_WELL_FORMED.require(bool(credential.certificates), "the chain is empty")
    try:
        key = x509.load_der_x509_certificate(credential.certificates[0].cert_data).public_key()
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm, CryptographyDeprecationWarning) as error:
        rules.X509_CERTIFICATE_IS_WELL_FORMED.fail(str(error))
    return suite.signature.public_bytes_or_none(key)


def check_lifetime_is_current(leaf: LeafNode, now: int) -> None:
    """Check that `now` (seconds since 1970) is within a KeyPackage leaf's lifetime: for what one is about to send."""
    if isinstance(leaf.leaf_node_source, KeyPackageSource):
        lifetime = leaf.leaf_node_source.lifetime
        rules.LIFETIME_IS_CURRENT.require(lifetime.not_before <= now <= lifetime.not_after)


def check_key_package(key_package: KeyPackage, environment: Environment, checks: PendingChecks) -> None:
    """Check a KeyPackage as far as it does not depend on the group (section 10.1). Signatures join `checks`."""
    suite, leaf = checks.suite, key_package.leaf_node
    rules.KEY_PACKAGE_VERSION_MATCHES.require(key_package.version == MLS10)
    rules.KEY_PACKAGE_SUITE_MATCHES.require(key_package.cipher_suite == suite.number)
    rules.KEY_PACKAGE_LEAF_SOURCE.require(isinstance(leaf.leaf_node_source, KeyPackageSource))
    check_leaf(leaf, None, b"", environment, checks)
    check_extension_list(key_package.extensions)
    rules.KEY_PACKAGE_EXTENSIONS_ARE_IN_CAPABILITIES.require(
        supports_extensions(leaf.capabilities, [extension.extension_type for extension in key_package.extensions])
    )
    rules.INIT_KEY_IS_WELL_FORMED.require(suite.is_hpke_public_key(key_package.init_key))
    rules.INIT_KEY_DIFFERS_FROM_ENCRYPTION_KEY.require(key_package.init_key != leaf.encryption_key)
    checks.add(
        rules.KEY_PACKAGE_SIGNATURE_IS_VALID,
        SignatureCheck(leaf.signature_key, "KeyPackageTBS", key_package.to_be_signed(), key_package.signature),
    )


def check_leaf_against_members(leaf: LeafNode, tree: RatchetTree, extensions: tuple[Extension, ...]) -> None:
    """Check a leaf of `tree` against the group's parameters and the other members (sections 7.3 and 13.4)."""
    capabilities, census = leaf.capabilities, tree.census
    required = find_extension(extensions, RequiredCapabilities)
    rules.LEAF_SUPPORTS_REQUIRED_CAPABILITIES.require(required is None or _covers(capabilities, required))
    rules.LEAF_SUPPORTS_GROUP_EXTENSIONS.require(
        supports_extensions(capabilities, [extension.extension_type for extension in extensions])
    )
    rules.CREDENTIAL_TYPE_IS_SUPPORTED_BY_ALL.require(credential_type(leaf.credential) in census.common_credentials)
    rules.LEAF_SUPPORTS_CREDENTIALS_IN_USE.require(census.credentials_in_use.issubset(capabilities.credentials))


def _covers(capabilities: Capabilities, required: RequiredCapabilities) -> bool:
    return (
        supports_extensions(capabilities, required.extension_types)
        and all(kind in capabilities.proposals or kind in DEFAULT_PROPOSAL_TYPES for kind in required.proposal_types)
        and all(kind in capabilities.credentials for kind in required.credential_types)
    )

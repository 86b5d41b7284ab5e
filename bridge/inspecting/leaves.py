"""Credentials, leaf nodes and KeyPackages, in words."""

from __future__ import annotations

from typing import assert_never

from bridge.inspecting import names
from bridge.inspecting.explanation import Blob, Code, Explanation, Field, Value, moment
from bridge.inspecting.extensions import explain_extension
from bridge.inspecting.look import Look
from bridge.inspecting.people import explain_credential
from mls.crypto.suite import cipher_suite
from mls.errors import UsageError
from mls.wire.key_package import KeyPackage
from mls.wire.leaf_node import Capabilities, CommitSource, KeyPackageSource, LeafNode, UpdateSource

__all__ = ["explain_key_package", "explain_leaf"]


def explain_key_package(package: KeyPackage, look: Look) -> Explanation:
    """Explain a KeyPackage. Its two signatures are checked, for it carries all that this takes."""
    fields = (
        Field("protocol_version", names.version(package.version)),
        Field("cipher_suite", names.suite(package.cipher_suite)),
        *_reference(package),
        Field("init_key", Blob(package.init_key)),
        Field("leaf_node", explain_leaf(package.leaf_node, look)),
        Field("last_resort", package.is_last_resort),
        Field("extensions", look.several(package.extensions, lambda item: explain_extension(item, look))),
        Field("signature_check", _signatures(package, look)),
    )
    return Explanation("key_package", "KeyPackage", "lets others add its owner to a group, once", fields)


def explain_leaf(leaf: LeafNode, look: Look) -> Explanation:
    """Explain a leaf node."""
    fields = (
        *explain_credential(leaf.credential),
        Field("signature_key", Blob(leaf.signature_key)),
        Field("encryption_key", Blob(leaf.encryption_key)),
        *_source(leaf, look.now),
        Field("capabilities", _capabilities(leaf.capabilities, look)),
        Field("extensions", look.several(leaf.extensions, lambda item: explain_extension(item, look))),
        Field("signature", Blob(leaf.signature)),
    )
    return Explanation("leaf_node", "LeafNode", "one device of somebody, in a group or about to be", fields)


def _reference(package: KeyPackage) -> tuple[Field, ...]:
    try:
        suite = cipher_suite(package.cipher_suite, experimental=True)
    except UsageError:
        return ()
    return (Field("reference", Blob(suite.key_package_ref(package.encode()))),)


def _signatures(package: KeyPackage, look: Look) -> str:
    try:
        suite = cipher_suite(package.cipher_suite, experimental=True)
    except UsageError:
        return "not checked: a cipher suite that is not known"
    leaf = package.leaf_node
    checks = [("KeyPackage", "KeyPackageTBS", package.to_be_signed(), package.signature)]
    if isinstance(leaf.leaf_node_source, KeyPackageSource):
        checks.append(("LeafNode", "LeafNodeTBS", leaf.to_be_signed(b"", 0), leaf.signature))
    else:
        look.problem("KeyPackage", "its leaf does not come from a KeyPackage (RFC 9420, section 10.1)")
    wrong = [
        what
        for what, label, content, signature in checks
        if not suite.verify_with_label(leaf.signature_key, label, content, signature)
    ]
    for what in wrong:
        look.problem(what, "its signature is wrong")
    return f"wrong: of the {' and the '.join(wrong)}" if wrong else "valid"


def _source(leaf: LeafNode, now: int) -> tuple[Field, ...]:
    match leaf.leaf_node_source:
        case KeyPackageSource(lifetime=lifetime):
            current: Value = "current"
            if now < lifetime.not_before:
                current = "not yet valid"
            elif now > lifetime.not_after:
                current = "expired"
            return (
                Field("source", Code(KeyPackageSource.wire_tag or 0, "key_package")),
                Field("not_before", moment(lifetime.not_before)),
                Field("not_after", moment(lifetime.not_after)),
                Field("lifetime", current),
            )
        case UpdateSource():
            return (Field("source", Code(UpdateSource.wire_tag or 0, "update")),)
        case CommitSource(parent_hash=parent_hash):
            return (
                Field("source", Code(CommitSource.wire_tag or 0, "commit")),
                Field("parent_hash", Blob(parent_hash)),
            )
        case _:
            assert_never(leaf.leaf_node_source)


def _capabilities(capabilities: Capabilities, look: Look) -> Explanation:
    fields = (
        Field("versions", look.several(capabilities.versions, names.version)),
        Field("cipher_suites", look.several(capabilities.cipher_suites, names.suite)),
        Field("extensions", look.several(capabilities.extensions, names.extension)),
        Field("proposals", look.several(capabilities.proposals, names.proposal)),
        Field("credentials", look.several(capabilities.credentials, names.credential)),
    )
    return Explanation("capabilities", "Capabilities", "what it supports beyond what everybody does", fields)

"""Leaf nodes (RFC 9420, section 7.2)."""

from __future__ import annotations

from typing import Annotated

from mls.codec import Opaque, Struct, Tagged, UInt16, UInt64, encode_opaque, struct
from mls.registry import LeafNodeSource
from mls.wire.credentials import Credential
from mls.wire.extensions import Extension

__all__ = ["Capabilities", "CommitSource", "KeyPackageSource", "LeafNode", "Lifetime", "UpdateSource"]


@struct(retain=True)
class Capabilities(Struct):
    """What a client supports. Types that are "default" (section 7.2) must not be listed; unknown values may be."""

    versions: tuple[UInt16, ...]
    cipher_suites: tuple[UInt16, ...]
    extensions: tuple[UInt16, ...]
    proposals: tuple[UInt16, ...]
    credentials: tuple[UInt16, ...]


@struct()
class Lifetime(Struct):
    """When a KeyPackage may be used: seconds since 1970-01-01T00:00:00Z, both ends included."""

    not_before: UInt64
    not_after: UInt64


@struct(tag=LeafNodeSource.KEY_PACKAGE)
class KeyPackageSource(Struct):
    """The leaf comes from a KeyPackage."""

    lifetime: Lifetime


@struct(tag=LeafNodeSource.UPDATE)
class UpdateSource(Struct):
    """The leaf comes from an Update proposal."""


@struct(tag=LeafNodeSource.COMMIT)
class CommitSource(Struct):
    """The leaf comes from a Commit's UpdatePath."""

    parent_hash: Opaque


@struct(retain=True)
class LeafNode(Struct):
    """One client's appearance in a group, signed by it.

    `leaf_node_source` is the RFC's field of that name together with what its `select` switches on.
    """

    encryption_key: Opaque
    signature_key: Opaque
    credential: Credential
    capabilities: Capabilities
    leaf_node_source: Annotated[KeyPackageSource | UpdateSource | CommitSource, Tagged(LeafNodeSource)]
    extensions: tuple[Extension, ...]
    signature: Opaque

    def to_be_signed(self, group_id: bytes, leaf_index: int) -> bytes:
        """Return the encoded `LeafNodeTBS`: all but the signature and, outside a KeyPackage, where the leaf is."""
        content = self.encode()[: -len(encode_opaque(self.signature))]
        if isinstance(self.leaf_node_source, KeyPackageSource):
            return content
        return content + encode_opaque(group_id) + leaf_index.to_bytes(4, "big")

"""KeyPackages (RFC 9420, section 10)."""

from __future__ import annotations

from mls.codec import Opaque, Struct, UInt16, encode_opaque, struct
from mls.registry import ExtensionType
from mls.wire.extensions import Extension
from mls.wire.leaf_node import LeafNode

__all__ = ["KeyPackage"]


@struct(retain=True)
class KeyPackage(Struct):
    """What a client publishes so that others can add it while it is away."""

    version: UInt16
    cipher_suite: UInt16
    init_key: Opaque
    leaf_node: LeafNode
    extensions: tuple[Extension, ...]
    signature: Opaque

    def to_be_signed(self) -> bytes:
        """Return the encoded `KeyPackageTBS`: all fields but the signature."""
        return self.encode()[: -len(encode_opaque(self.signature))]

    @property
    def is_last_resort(self) -> bool:
        """Whether this KeyPackage may be used more than once (section 16.8)."""
        return any(extension.extension_type == ExtensionType.LAST_RESORT for extension in self.extensions)

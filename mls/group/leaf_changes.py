"""What a member changes in its own leaf (RFC 9420, sections 7.5 and 12.1.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mls.crypto.signature import SignaturePrivateKey
    from mls.wire.credentials import AnyCredential
    from mls.wire.extensions import Extension
    from mls.wire.leaf_node import Capabilities, LeafNode

__all__ = ["LeafChanges"]


@dataclass(frozen=True, slots=True)
class LeafChanges:
    """What changes besides the encryption key, which always does. `None` leaves a field as it is."""

    signature_key: SignaturePrivateKey | None = field(default=None, repr=False)
    credential: AnyCredential | None = None
    capabilities: Capabilities | None = None
    extensions: tuple[Extension, ...] | None = None

    def apply(self, leaf: LeafNode, key: SignaturePrivateKey) -> tuple[LeafNode, SignaturePrivateKey]:
        """Return the changed leaf, unsigned, and the key that is to sign it."""
        key = self.signature_key or key
        changed = leaf.replace(
            signature_key=key.public_key,
            credential=leaf.credential if self.credential is None else self.credential,
            capabilities=leaf.capabilities if self.capabilities is None else self.capabilities,
            extensions=leaf.extensions if self.extensions is None else self.extensions,
        )
        return changed, key

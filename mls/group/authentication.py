"""The Authentication Service, as the engine needs it (RFC 9420, section 5.3.1; RFC 9750, section 4).

The engine checks signatures; whom a key belongs to, the caller decides. `Client` in the RFC's sense, too: which
leaves stand for the same client (section 12.2), only the application knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mls.wire.credentials import AnyCredential
    from mls.wire.leaf_node import LeafNode

__all__ = ["AuthenticationService", "UnsafeTrustEveryone"]


class AuthenticationService(Protocol):
    """What the caller provides.

    All three are asked of Commits too, where members must not come to different answers: let these depend on the
    arguments alone, and keep what only this client knows out of them.
    """

    def accepts(self, credential: AnyCredential, signature_key: bytes) -> bool:
        """Return whether the credential stands for whom it says, with this signature key (as on the wire)."""

    def accepts_successor(self, old: AnyCredential, new: AnyCredential) -> bool:
        """Return whether the holder of `old` may become the holder of `new`."""

    def client_id(self, leaf: LeafNode) -> bytes | None:
        """Return a name of the client that a leaf stands for; two leaves with one name are one client.

        `None`: this service cannot tell, and equal signature keys alone make a client the same.
        """


class UnsafeTrustEveryone:
    """Believes every credential. For tests, demonstrations, and peers that somebody else has checked."""

    def accepts(self, credential: AnyCredential, signature_key: bytes) -> bool:  # noqa: ARG002 - the point of it
        """Accept anybody."""
        return True

    def accepts_successor(self, old: AnyCredential, new: AnyCredential) -> bool:  # noqa: ARG002 - the point of it
        """Accept anything."""
        return True

    def client_id(self, leaf: LeafNode) -> bytes | None:  # noqa: ARG002 - the point of it
        """Say nothing."""
        return None

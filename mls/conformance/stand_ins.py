"""What the engine asks for and a vector does not give: trees whose leaves have nothing but a signature key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls.group.authentication import UnsafeTrustEveryone
from mls.group.creation import default_capabilities
from mls.group.environment import Environment, Limits
from mls.tree.ratchet_tree import RatchetTree
from mls.wire.credentials import BasicCredential
from mls.wire.leaf_node import KeyPackageSource, LeafNode, Lifetime
from mls.wire.tree import RatchetTreeExtension

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mls.crypto.random import Random
    from mls.crypto.secret import Secret
    from mls.crypto.suite import CipherSuite
    from mls.wire.tree import AnyNode

__all__ = ["LIMITS", "permissive_environment", "tree_of_signers"]

LIMITS = Limits(max_lifetime=1 << 64)
"""The engine's own, but that the leaves in the vectors have lifetimes of any length."""


def permissive_environment(random: Random, psks: Mapping[bytes, Secret] | None = None) -> Environment:
    """Return an environment that believes every credential: the vectors name nobody."""
    return Environment(UnsafeTrustEveryone(), psks=psks or {}, limits=LIMITS, random=random)


def tree_of_signers(suite: CipherSuite, signature_keys: Mapping[int, bytes], random: Random) -> RatchetTree:
    """Return a tree with these signature keys at these leaves, and blank nodes else.

    Raises `RuleError` where a leaf is beyond the limits, or two have the same key.
    """
    last = min(max(signature_keys), LIMITS.max_members)  # further out, what is refused need not be built
    nodes: list[AnyNode | None] = [None] * (2 * last + 1)
    for index, signature_key in signature_keys.items():
        nodes[2 * min(index, last)] = LeafNode(
            suite.generate_hpke_key(random).public_key,
            signature_key,
            BasicCredential(b"stand-in"),
            default_capabilities([suite.number]),
            KeyPackageSource(Lifetime(0, 0)),
            (),
            b"",
        )
    return RatchetTree.from_extension(suite, RatchetTreeExtension(tuple(nodes)), max_members=LIMITS.max_members)

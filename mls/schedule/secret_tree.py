"""The secret tree and its ratchets (RFC 9420, section 9).

The tree is persistent: a step returns a new tree that shares all but one path with the old one. A node is

* a `Secret`, where nothing below it has been derived yet,
* a pair of nodes, where its own secret has been consumed,
* the two `Ratchet`s of a leaf, where that leaf has been used.

So the first message of a sender costs the derivations along its path, each later one a path's worth of pairs,
and the deletion schedule (section 9.2) holds by construction: what was consumed is in no node any more. It is
handed out as spent, to be wiped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mls import rules
from mls.crypto.secret import Secret
from mls.errors import InternalError
from mls.registry import ContentType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mls.crypto.suite import CipherSuite
    from mls.tree.math import LeafIndex

__all__ = ["LeafRatchets", "MessageKey", "Ratchet", "RatchetLimits", "SecretTree", "TreeNode"]

GENERATIONS = 1 << 32
"""A generation is a `uint32`: the ratchet ends there."""


class MessageKey(NamedTuple):
    """A key and a nonce, to be used for one message (`Nk` and `Nn` bytes)."""

    generation: int
    key: bytes
    nonce: bytes

    def __repr__(self) -> str:
        return f"<MessageKey of generation {self.generation}>"


@dataclass(frozen=True, slots=True)
class RatchetLimits:
    """How far a ratchet follows a sender (section 15.3)."""

    out_of_order: int = 128
    """How many skipped generations keep their keys, for messages that come late."""
    forward: int = 1000
    """How many generations may be skipped at once."""


class Ratchet(NamedTuple):
    """One sender's ratchet for one kind of content: its next generation, and the keys that were skipped."""

    generation: int
    secret: Secret
    skipped: Mapping[int, Secret] = {}
    """Key and nonce, joined, by generation; in order of generation."""


class LeafRatchets(NamedTuple):
    """A leaf's two ratchets. `handshake` serves proposals and Commits."""

    handshake: Ratchet
    application: Ratchet


TreeNode: TypeAlias = "Secret | tuple[TreeNode, TreeNode] | LeafRatchets"


class SecretTree:
    """The secrets of one epoch's messages. Immutable."""

    __slots__ = ("leaf_count", "root", "suite")

    def __init__(self, suite: CipherSuite, leaf_count: int, root: TreeNode) -> None:
        """`root` is the epoch's `encryption_secret` in the beginning; `leaf_count` a power of two."""
        self.suite = suite
        self.leaf_count = leaf_count
        self.root = root

    def __repr__(self) -> str:
        return f"<SecretTree: {self.leaf_count} leaves>"

    def secrets(self) -> Iterator[Secret]:
        """Yield each secret that the tree still holds."""
        pending: list[TreeNode] = [self.root]
        while pending:
            match pending.pop():
                case Secret() as secret:
                    yield secret
                case LeafRatchets() as ratchets:
                    for ratchet in ratchets:
                        yield ratchet.secret
                        yield from ratchet.skipped.values()
                case pair:
                    pending += pair

    def next_generation(self, leaf: LeafIndex, kind: ContentType) -> int:
        """Return the generation that the leaf's next message of this kind will have."""
        ratchets, _, _ = self._descend(leaf)
        return ratchets[kind == ContentType.APPLICATION].generation

    def next_key(self, leaf: LeafIndex, kind: ContentType) -> tuple[SecretTree, MessageKey, list[Secret]]:
        """Take the leaf's next key, to encrypt with: the tree without it, the key, the spent secrets.

        Raises `ExhaustedError` after generation 2**32 - 1.
        """
        ratchets, trail, spent = self._descend(leaf)
        ratchet = ratchets[kind == ContentType.APPLICATION]
        following, message_key = self._step(ratchet)
        spent.append(ratchet.secret)
        return self._rebuilt(leaf, kind, ratchets, following, trail), message_key, spent

    def key_for(
        self, leaf: LeafIndex, kind: ContentType, generation: int, limits: RatchetLimits
    ) -> tuple[SecretTree, MessageKey, list[Secret]]:
        """Take the key of one generation, to decrypt with: the tree without it, the key, the spent secrets.

        The caller keeps the new tree only once the message has proven good. Raises `ExhaustedError` where the
        key was used before, was skipped too long ago, or lies too far ahead.
        """
        ratchets, trail, spent = self._descend(leaf)
        ratchet = ratchets[kind == ContentType.APPLICATION]
        skipped = dict(ratchet.skipped)
        if generation < ratchet.generation:
            stored = skipped.pop(generation, None)
            if stored is None:
                rules.MESSAGE_KEY_IS_UNUSED.fail(f"generation {generation}, next is {ratchet.generation}")
            nk = self.suite.Nk
            message_key = MessageKey(generation, bytes(stored.value[:nk]), bytes(stored.value[nk:]))
            spent.append(stored)
            following = Ratchet(ratchet.generation, ratchet.secret, skipped)
            return self._rebuilt(leaf, kind, ratchets, following, trail), message_key, spent
        ahead = generation - ratchet.generation
        rules.GENERATION_IS_WITHIN_FORWARD_LIMIT.require(
            ahead <= limits.forward, f"generation {generation}, next is {ratchet.generation}"
        )
        while True:
            spent.append(ratchet.secret)
            ratchet, message_key = self._step(ratchet)
            if message_key.generation == generation:
                break
            if generation - message_key.generation <= limits.out_of_order:
                skipped[message_key.generation] = Secret(message_key.key + message_key.nonce)
        while len(skipped) > limits.out_of_order:
            spent.append(skipped.pop(next(iter(skipped))))
        following = Ratchet(ratchet.generation, ratchet.secret, skipped)
        return self._rebuilt(leaf, kind, ratchets, following, trail), message_key, spent

    def _step(self, ratchet: Ratchet) -> tuple[Ratchet, MessageKey]:
        """Return the ratchet one generation on, and the key of the generation that it leaves (section 9.1)."""
        suite, generation = self.suite, ratchet.generation
        rules.RATCHET_IS_NOT_EXHAUSTED.require(generation < GENERATIONS)
        key, nonce, following = suite.expand_with_labels(
            ratchet.secret.value, suite.ratchet_step, generation.to_bytes(4, "big")
        )
        return Ratchet(generation + 1, Secret(following), ratchet.skipped), MessageKey(generation, key, nonce)

    def _descend(self, leaf: LeafIndex) -> tuple[LeafRatchets, list[TreeNode], list[Secret]]:
        """Walk to a leaf, deriving what is not derived yet (section 9).

        Returns its ratchets, the sibling at each level from the root down, and the secrets that were consumed.
        """
        suite = self.suite
        node: TreeNode = self.root
        trail: list[TreeNode] = []
        spent: list[Secret] = []
        bit = self.leaf_count >> 1
        while bit:
            if isinstance(node, Secret):
                spent.append(node)
                left: TreeNode = Secret(suite.expand_with_label(node.value, "tree", b"left", suite.Nh))
                right: TreeNode = Secret(suite.expand_with_label(node.value, "tree", b"right", suite.Nh))
            elif isinstance(node, LeafRatchets):
                msg = "the secret tree is deeper than its leaves"
                raise InternalError(msg)
            else:
                left, right = node
            node, other = (right, left) if leaf & bit else (left, right)
            trail.append(other)
            bit >>= 1
        if isinstance(node, Secret):
            spent.append(node)
            kinds = ("handshake", suite.Nh), ("application", suite.Nh)
            handshake, application = suite.expand_with_labels(node.value, kinds)
            node = LeafRatchets(Ratchet(0, Secret(handshake)), Ratchet(0, Secret(application)))
        if not isinstance(node, LeafRatchets):
            msg = "the secret tree is shallower than its leaves"
            raise InternalError(msg)
        return node, trail, spent

    def _rebuilt(
        self, leaf: LeafIndex, kind: ContentType, ratchets: LeafRatchets, changed: Ratchet, trail: list[TreeNode]
    ) -> SecretTree:
        """Return the tree with one ratchet replaced; `trail` holds the siblings on the way to it."""
        handshake, application = ratchets
        node: TreeNode
        if kind == ContentType.APPLICATION:
            node = LeafRatchets(handshake, changed)
        else:
            node = LeafRatchets(changed, application)
        place: int = leaf
        for other in reversed(trail):
            node = (other, node) if place & 1 else (node, other)
            place >>= 1
        return SecretTree(self.suite, self.leaf_count, node)

"""What everything else is built from: tree arithmetic, vector headers, and the labeled functions of the suites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mls.codec import UInt16, UInt32, decode_length, encode_length
from mls.conformance.checks import at, expect, expect_equal
from mls.conformance.fields import Entry, Expected, Hex
from mls.conformance.keys import load_hpke_key, load_signature_key
from mls.crypto.secret import Secret
from mls.crypto.suite import CipherSuite
from mls.tree import math
from mls.tree.math import NodeIndex

if TYPE_CHECKING:
    from collections.abc import Callable

    from mls.crypto.random import Random

__all__ = ["CryptoBasics", "Deserialization", "TreeMath"]


@dataclass(frozen=True, slots=True)
class TreeMath(Entry):
    """Relations between the nodes of a full tree, by node index."""

    n_leaves: UInt32
    n_nodes: Expected[UInt32]
    root: Expected[UInt32]
    left: Expected[tuple[UInt32 | None, ...]]
    right: Expected[tuple[UInt32 | None, ...]]
    parent: Expected[tuple[UInt32 | None, ...]]
    sibling: Expected[tuple[UInt32 | None, ...]]

    def check(self, random: Random) -> None:  # noqa: ARG002 - the interface of every format
        expect(self.n_leaves.bit_count() == 1, "is not a power of two, as full trees have", "n_leaves")
        expect_equal(math.node_count(self.n_leaves), self.n_nodes, "n_nodes")
        root = math.root(self.n_leaves)
        expect_equal(root, self.root, "root")

        def below(function: Callable[[NodeIndex], NodeIndex], node: NodeIndex) -> NodeIndex | None:
            return function(node) if math.level(node) else None

        def above(function: Callable[[NodeIndex], NodeIndex], node: NodeIndex) -> NodeIndex | None:
            return None if node == root else function(node)

        self._check_relation("left", self.left, lambda node: below(math.left, node))
        self._check_relation("right", self.right, lambda node: below(math.right, node))
        self._check_relation("parent", self.parent, lambda node: above(math.parent, node))
        self._check_relation("sibling", self.sibling, lambda node: above(math.sibling, node))

    def _check_relation(
        self, name: str, stated: tuple[int | None, ...], computed: Callable[[NodeIndex], NodeIndex | None]
    ) -> None:
        expect(len(stated) == self.n_nodes, f"has {len(stated)} values for {self.n_nodes} nodes", name)
        with at(name):
            for index, value in enumerate(stated):
                expect_equal(computed(NodeIndex(index)), value, index)


@dataclass(frozen=True, slots=True)
class Deserialization(Entry):
    """A vector's header, and the length that it stands for."""

    vlbytes_header: Hex
    length: Expected[UInt32]

    def check(self, random: Random) -> None:  # noqa: ARG002 - the interface of every format
        with at("vlbytes_header"):
            length = decode_length(self.vlbytes_header)
        expect_equal(length, self.length, "length")
        expect_equal(encode_length(self.length), self.vlbytes_header, "vlbytes_header")


@dataclass(frozen=True, slots=True)
class RefHash:
    """`RefHash(label, value)`."""

    label: str
    value: Hex
    out: Expected[Hex]


@dataclass(frozen=True, slots=True)
class ExpandWithLabel:
    """`ExpandWithLabel(secret, label, context, length)`."""

    secret: Secret
    label: str
    context: Hex
    length: UInt16
    out: Expected[Hex]


@dataclass(frozen=True, slots=True)
class DeriveSecret:
    """`DeriveSecret(secret, label)`."""

    secret: Secret
    label: str
    out: Expected[Hex]


@dataclass(frozen=True, slots=True)
class DeriveTreeSecret:
    """`DeriveTreeSecret(secret, label, generation, length)`."""

    secret: Secret
    label: str
    generation: UInt32
    length: UInt16
    out: Expected[Hex]


@dataclass(frozen=True, slots=True)
class SignWithLabel:
    """`SignWithLabel(priv, label, content)`, which need not give the same signature each time."""

    priv: Hex
    pub: Hex
    content: Hex
    label: str
    signature: Expected[Hex]

    def check(self, suite: CipherSuite) -> None:
        """Verify the vector's signature, and one of our own."""
        valid = suite.verify_with_label(self.pub, self.label, self.content, self.signature)
        expect(valid, "is not valid", "signature")
        with at("priv"):
            key = load_signature_key(suite, self.priv)
        signature = suite.sign_with_label(key, self.label, self.content)
        valid = suite.verify_with_label(self.pub, self.label, self.content, signature)
        expect(valid, "a signature with it does not verify with pub", "priv")


@dataclass(frozen=True, slots=True)
class EncryptWithLabel:
    """`EncryptWithLabel(pub, label, context, plaintext)`, which never gives the same twice."""

    priv: Hex
    pub: Hex
    label: str
    context: Hex
    plaintext: Expected[Hex]
    kem_output: Expected[Hex]
    ciphertext: Expected[Hex]

    def check(self, suite: CipherSuite, random: Random) -> None:
        """Decrypt the vector's ciphertext, and one of our own."""
        with at("priv"):
            key = load_hpke_key(suite, self.priv)
        plaintext = suite.decrypt_with_label(key, self.label, self.context, self.kem_output, self.ciphertext)
        expect(plaintext is not None, "does not decrypt", "ciphertext")
        expect_equal(plaintext, self.plaintext, "plaintext")
        with at("pub"):
            sealed = suite.encrypt_with_label(self.pub, self.label, self.context, self.plaintext, random)
        plaintext = suite.decrypt_with_label(key, self.label, self.context, *sealed)
        expect(plaintext == self.plaintext, "what is encrypted to it does not decrypt with priv", "pub")


@dataclass(frozen=True, slots=True)
class CryptoBasics(Entry):
    """The functions that are a cipher suite's primitives with a label."""

    cipher_suite: CipherSuite
    ref_hash: RefHash
    expand_with_label: ExpandWithLabel
    derive_secret: DeriveSecret
    derive_tree_secret: DeriveTreeSecret
    sign_with_label: SignWithLabel
    encrypt_with_label: EncryptWithLabel

    def check(self, random: Random) -> None:
        suite = self.cipher_suite
        with at("ref_hash"):
            hashing = self.ref_hash
            expect_equal(suite.ref_hash(hashing.label, hashing.value), hashing.out, "out")
        with at("expand_with_label"):
            expanding = self.expand_with_label
            out = suite.expand_with_label(expanding.secret.value, expanding.label, expanding.context, expanding.length)
            expect_equal(out, expanding.out, "out")
        with at("derive_secret"):
            deriving = self.derive_secret
            expect_equal(suite.derive_secret(deriving.secret.value, deriving.label), deriving.out, "out")
        with at("derive_tree_secret"):
            tree = self.derive_tree_secret
            out = suite.derive_tree_secret(tree.secret.value, tree.label, tree.generation, tree.length)
            expect_equal(out, tree.out, "out")
        with at("sign_with_label"):
            self.sign_with_label.check(suite)
        with at("encrypt_with_label"):
            self.encrypt_with_label.check(suite, random)

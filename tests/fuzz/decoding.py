"""Targets for the decoders: whatever the bytes, a value that encodes to them again, or a `DecodeError`."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from mls.codec import Struct, decode_length, encode_length, encode_opaque
from mls.crypto.suite import CIPHER_SUITES
from mls.errors import DecodeError, MlsError
from mls.framing.private import _decode_content
from mls.registry import ContentType
from mls.tree.ratchet_tree import RatchetTree
from mls.wire.extensions import ApplicationId, ExternalPub, ExternalSenders, RequiredCapabilities
from mls.wire.framing import (
    AuthenticatedContent,
    PrivateApplication,
    PrivateCommit,
    PrivateProposal,
    PublicMessage,
    SenderData,
)
from mls.wire.key_package import KeyPackage
from mls.wire.message import MLSMessage
from mls.wire.tree import RatchetTreeExtension
from mls.wire.welcome import GroupInfo, GroupSecrets, Welcome
from tests.fuzz.scene import scene
from tests.fuzz.target import Prepared, Target
from tests.mls.codec.corpus import examples
from tests.mls.codec.grammar import wire_structs
from tests.mls.codec.mutations import varied
from tests.mls.codec.reference import joined, pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["DECODERS"]

MAX_MEMBERS = 64


def is_taken(kind: type[Struct], data: bytes) -> bool:
    """Decode, and return whether that went well."""
    try:
        value = kind.decode(data)
    except DecodeError:
        return False
    assert value.encode() == data, f"{kind.__name__} does not encode to what it was decoded from"
    assert joined(pieces(value)) == data, f"{kind.__name__} is encoded in another way than the RFC's"
    return True


def decoder(name: str, kind: type[Struct], *values: Struct) -> Target:
    """Return the target for a struct that stands alone, with seeds of the engine's and some that are made up."""

    def attack(data: bytes) -> None:
        is_taken(kind, data)

    def prepare() -> Prepared:
        made = [message for message in scene().structs() if isinstance(message, kind)]
        return Prepared(attack, encodings([*values, *made, *relatives(kind)]))

    return Target(name, f"decoding a {kind.__name__}", prepare)


def selected(name: str, about: str, kinds: Sequence[type[Struct]]) -> Target:
    """Return one target for several structs: the first byte says which."""

    def attack(data: bytes) -> None:
        if data:
            is_taken(kinds[data[0] % len(kinds)], data[1:])

    def prepare() -> Prepared:
        seeds = [
            bytes([number]) + encoding for number, kind in enumerate(kinds) for encoding in encodings(relatives(kind))
        ]
        return Prepared(attack, seeds)

    return Target(name, about, prepare)


def relatives(kind: type[Struct]) -> list[Struct]:
    """Return the corpus of a struct, and values that are further from the plain one."""
    random = Random(kind.__name__)
    values = list(examples(kind))
    for value in examples(kind):
        other = value
        for _ in range(5):
            other = varied(other, random)
        values.append(other)
    return values


def encodings(values: Iterable[Struct]) -> list[bytes]:
    """Return the encodings, each once."""
    return list(dict.fromkeys(value.encode() for value in values))


def _tree() -> Prepared:
    """A tree goes on from being decoded to being looked at: its shape, its keys, its hash."""
    suite = CIPHER_SUITES[1]

    def attack(data: bytes) -> None:
        if not is_taken(RatchetTreeExtension, data):
            return
        extension = RatchetTreeExtension.decode(data)
        try:
            tree = RatchetTree.from_extension(suite, extension, max_members=MAX_MEMBERS)
        except MlsError:
            return
        assert tree.to_extension() == extension
        assert len(tree.tree_hash()) == suite.Nh
        assert tree.edit().freeze().tree_hash() == tree.tree_hash()

    trees = [state.public.tree.to_extension() for state in scene().victims]
    return Prepared(attack, encodings([*trees, *relatives(RatchetTreeExtension)]))


def _private_content() -> Prepared:
    """What comes out of a PrivateMessage: content, authentication, and padding. The first byte is the content type."""
    kinds: dict[ContentType, type[Struct]] = {
        ContentType.APPLICATION: PrivateApplication,
        ContentType.PROPOSAL: PrivateProposal,
        ContentType.COMMIT: PrivateCommit,
    }

    def attack(data: bytes) -> None:
        kind = ContentType(data[0] % 3 + 1) if data else ContentType.APPLICATION
        plaintext = data[1:]
        try:
            content, signature, confirmation_tag = _decode_content(kind, plaintext)
        except DecodeError:
            return
        fields = (content, signature) if confirmation_tag is None else (content, signature, confirmation_tag)
        encoding = kinds[kind](*fields).encode()
        assert plaintext[: len(encoding)] == encoding
        assert not any(plaintext[len(encoding) :])

    seeds = [
        bytes([kind - 1]) + encoding + padding
        for kind, struct in kinds.items()
        for encoding in encodings(relatives(struct))
        for padding in (b"", bytes(9))
    ]
    return Prepared(attack, seeds)


def _lengths() -> Prepared:
    """A vector header that stands alone."""

    def attack(data: bytes) -> None:
        try:
            length = decode_length(data)
        except DecodeError:
            return
        assert encode_length(length) == data
        if length < 1 << 16:
            assert encode_opaque(bytes(length)) == data + bytes(length)

    return Prepared(attack, [encode_length(length) for length in (0, 63, 64, 16383, 16384, (1 << 30) - 1)])


def _stored() -> tuple[type[Struct], ...]:
    return tuple(kind for kind in wire_structs() if kind.__module__.startswith("mls.persistence."))


DECODERS = [
    decoder("message", MLSMessage),
    decoder("welcome", Welcome),
    decoder("group-info", GroupInfo),
    decoder("group-secrets", GroupSecrets),
    decoder("key-package", KeyPackage),
    Target("ratchet-tree", "decoding a RatchetTreeExtension, and making a tree of it", _tree),
    Target("private-content", "decoding what comes out of a PrivateMessage", _private_content),
    selected(
        "extensions",
        "decoding what extensions hold",
        [ApplicationId, RequiredCapabilities, ExternalSenders, ExternalPub],
    ),
    selected(
        "parts",
        "decoding what is only ever found inside",
        [PublicMessage, AuthenticatedContent, SenderData],
    ),
    selected("stored", "decoding the parts of a stored state", _stored()),
    Target("lengths", "decoding a vector header", _lengths),
]

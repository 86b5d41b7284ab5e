"""Section 6 (message framing), tags and encryption: each rule broken on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls import rules
from mls.group.joining import join
from mls.group.messaging import protect
from mls.group.processing import process
from mls.registry import WireFormat
from mls.wire.framing import ApplicationData, PrivateMessage, PublicMessage
from mls.wire.message import wrap
from mls.wire.proposals import Add, Remove
from tests.mls.rules.doors import refused_by
from tests.mls.rules.forging import (
    forged_commit,
    forged_external_commit,
    forged_welcome,
    private,
    public,
    signed,
)
from tests.mls.rules.support import breaks, refused
from tests.mls.world import World

if TYPE_CHECKING:
    from mls.wire.framing import AuthenticatedContent
    from mls.wire.welcome import GroupInfo
    from tests.mls.rules.forging import Alteration

BOTH_FORMATS = (WireFormat.PUBLIC_MESSAGE, WireFormat.PRIVATE_MESSAGE)


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


BAD_TAGS: dict[str, Alteration[bytes]] = {
    "one bit": lambda tag: bytes([tag[0] ^ 1]) + tag[1:],
    "last bit": lambda tag: tag[:-1] + bytes([tag[-1] ^ 1]),
    "one byte short": lambda tag: tag[:-1],
    "one byte alone": lambda tag: tag[:1],
    "empty": lambda _: b"",
    "one byte more": lambda tag: tag + b"\0",
    "twice": lambda tag: tag + tag,
    "zeros": lambda tag: bytes(len(tag)),
}
"""What a comparison that looks at some bytes only, or at as many as there are, would take (GHSA-8x3w-qj7j-gqhf)."""


BAD_CIPHERTEXTS: tuple[Alteration[bytes], ...] = (
    _flipped,
    lambda sealed: sealed[:-1],
    lambda sealed: sealed + b"\0",
    lambda _: b"short",
    lambda _: b"",
)


def _world() -> World:
    return World.of("alice", "bob", "carol")


def _sent(world: World, message: AuthenticatedContent) -> bytes:
    """Return alice's message, encoded, as it travels in its wire format."""
    send = public if message.wire_format == WireFormat.PUBLIC_MESSAGE else private
    return send(world.states["alice"], message).encode()


# 6.1: confirmation tags


@breaks(rules.CONFIRMATION_TAG_IS_VALID)
def test_confirmation_tag_is_valid() -> None:
    world = _world()
    for wire_format in BOTH_FORMATS:
        for alter in BAD_TAGS.values():
            message = forged_commit(world.states["alice"], world.environment, wire_format=wire_format).message
            assert message.confirmation_tag is not None
            bad = message.replace(confirmation_tag=alter(message.confirmation_tag))
            refused_by(world, "bob", rules.CONFIRMATION_TAG_IS_VALID, _sent(world, bad))


@breaks(rules.CONFIRMATION_TAG_IS_VALID)
def test_confirmation_tag_is_valid__without_path() -> None:
    world = _world()
    add = Add(world.key_package("dave").key_package)
    for wire_format in BOTH_FORMATS:
        alice = world.states["alice"]
        message = forged_commit(alice, world.environment, add, path=None, wire_format=wire_format).message
        assert message.confirmation_tag is not None
        bad = message.replace(confirmation_tag=message.confirmation_tag[:-1])
        refused_by(world, "bob", rules.CONFIRMATION_TAG_IS_VALID, _sent(world, bad))


@breaks(rules.CONFIRMATION_TAG_IS_VALID)
def test_confirmation_tag_is_valid__external_commit() -> None:
    world = _world()
    for alter in BAD_TAGS.values():
        alice = world.states["alice"]
        message = forged_external_commit(alice, world.client("dave"), world.environment).message
        assert message.confirmation_tag is not None
        bad = public(alice, message.replace(confirmation_tag=alter(message.confirmation_tag)))
        refused_by(world, "bob", rules.CONFIRMATION_TAG_IS_VALID, bad)


@breaks(rules.CONFIRMATION_TAG_IS_VALID)
def test_confirmation_tag_is_valid__welcome() -> None:
    world = _world()
    alice, bundle = world.states["alice"], world.key_package("dave")
    for alter in BAD_TAGS.values():

        def with_bad_tag(info: GroupInfo, alter: Alteration[bytes] = alter) -> GroupInfo:
            return info.replace(confirmation_tag=alter(info.confirmation_tag))

        bad = forged_welcome(alice, bundle, world.environment, info=with_bad_tag)
        with refused(rules.CONFIRMATION_TAG_IS_VALID):
            join(world.environment, bad.encode(), [bundle])


# 6.2: PublicMessages


@breaks(rules.MEMBERSHIP_TAG_IS_VALID)
def test_membership_tag_is_valid() -> None:
    world = _world()
    for alter in BAD_TAGS.values():
        alice = world.states["alice"]
        bad = public(alice, signed(alice, Remove(2)), membership_tag=alter)
        refused_by(world, "bob", rules.MEMBERSHIP_TAG_IS_VALID, bad)


@breaks(rules.MEMBERSHIP_TAG_IS_VALID)
def test_membership_tag_is_valid__commit() -> None:
    world = _world()
    for alter in BAD_TAGS.values():
        alice = world.states["alice"]
        commit = forged_commit(alice, world.environment, wire_format=WireFormat.PUBLIC_MESSAGE)
        bad = public(alice, commit.message, membership_tag=alter)
        refused_by(world, "bob", rules.MEMBERSHIP_TAG_IS_VALID, bad)


@breaks(rules.MEMBERSHIP_TAG_IS_VALID)
def test_membership_tag_is_valid__covers_the_rest() -> None:
    """The tag covers the confirmation tag: in another one's place, it is wrong."""
    world = _world()
    alice = world.states["alice"]
    message = forged_commit(alice, world.environment, wire_format=WireFormat.PUBLIC_MESSAGE).message
    sent = public(alice, message).message
    assert isinstance(sent, PublicMessage)
    refused_by(world, "bob", rules.MEMBERSHIP_TAG_IS_VALID, wrap(sent.replace(confirmation_tag=bytes(32))))


@breaks(rules.MEMBERSHIP_TAG_IS_VALID)
def test_membership_tag_is_valid__own_message() -> None:
    """A tag is checked before a message is taken for one's own."""
    world = _world()
    bob = world.states["bob"]
    bad = public(bob, signed(bob, Remove(2)), membership_tag=_flipped)
    refused_by(world, "bob", rules.MEMBERSHIP_TAG_IS_VALID, bad)


# 6.3: PrivateMessages


def _hello(world: World) -> AuthenticatedContent:
    return signed(world.states["alice"], ApplicationData(b"hello" * 20), wire_format=WireFormat.PRIVATE_MESSAGE)


@breaks(rules.PRIVATE_MESSAGE_DECRYPTS)
def test_private_message_decrypts() -> None:
    world = _world()
    for alter in (
        _flipped,
        lambda sealed: sealed[:-1],
        lambda sealed: sealed + b"\0",
        lambda _: b"short",
        lambda _: b"",
    ):
        bad = private(world.states["alice"], _hello(world), ciphertext=alter)
        refused_by(world, "bob", rules.PRIVATE_MESSAGE_DECRYPTS, bad)


@breaks(rules.PRIVATE_MESSAGE_DECRYPTS)
def test_private_message_decrypts__altered_on_the_way() -> None:
    world = _world()
    sent = protect(world.states["alice"], world.environment, b"hello", authenticated_data=b"to bob").output.message
    assert isinstance(sent, PrivateMessage)
    altered = wrap(sent.replace(authenticated_data=b"to eve"))
    refused_by(world, "bob", rules.PRIVATE_MESSAGE_DECRYPTS, altered)


@breaks(rules.PRIVATE_MESSAGE_DECRYPTS)
def test_private_message_decrypts__uses_up_no_key() -> None:
    """Whoever cannot encrypt for a generation must not be able to spend it either."""
    world = _world()
    sent = protect(world.states["alice"], world.environment, b"hello").output
    altered = sent.message
    assert isinstance(altered, PrivateMessage)
    with refused(rules.PRIVATE_MESSAGE_DECRYPTS):
        world.process("bob", wrap(altered.replace(ciphertext=_flipped(altered.ciphertext))))
    world.process("bob", sent)


@breaks(rules.PADDING_IS_ZERO)
def test_padding_is_zero() -> None:
    world = _world()
    for padding in (b"\x01", b"\x01\0\0", b"\0\0\x01", b"\0" * 1000 + b"\x80", b"\0\x01" * 8):
        for message in (_hello(world), forged_commit(world.states["alice"], world.environment).message):
            bad = private(world.states["alice"], message, padding=padding)
            with refused(rules.PADDING_IS_ZERO):
                process(world.states["bob"], world.environment, bad, now=world.now)
        refused_by(world, "bob", rules.PADDING_IS_ZERO, private(world.states["alice"], _hello(world), padding=padding))


@breaks(rules.SENDER_DATA_DECRYPTS)
def test_sender_data_decrypts() -> None:
    world = _world()
    for alter in (
        _flipped,
        lambda sealed: sealed[:-1],
        lambda sealed: sealed + b"\0",
        lambda _: b"short",
        lambda _: b"",
    ):
        bad = private(world.states["alice"], _hello(world), encrypted_sender_data=alter)
        refused_by(world, "bob", rules.SENDER_DATA_DECRYPTS, bad)


@breaks(rules.SENDER_DATA_DECRYPTS)
def test_sender_data_decrypts__other_ciphertext() -> None:
    """The ciphertext's first bytes give the key of the sender data."""
    world = _world()
    sent = protect(world.states["alice"], world.environment, b"hello").output.message
    assert isinstance(sent, PrivateMessage)
    altered = bytes([sent.ciphertext[0] ^ 1]) + sent.ciphertext[1:]
    refused_by(world, "bob", rules.SENDER_DATA_DECRYPTS, wrap(sent.replace(ciphertext=altered)))


@breaks(rules.SENDER_DATA_NAMES_A_MEMBER)
def test_sender_data_names_a_member() -> None:
    world = _world()
    for leaf in (3, 4, 5, 0x7FFF_FFFF, 0xFFFF_FFFF):
        bad = private(world.states["alice"], _hello(world), leaf=leaf)
        refused_by(world, "bob", rules.SENDER_DATA_NAMES_A_MEMBER, bad)


@breaks(rules.SENDER_DATA_NAMES_A_MEMBER)
def test_sender_data_names_a_member__late() -> None:
    """A late message is from a member of its epoch, whoever came since."""
    world = _world()
    late = private(world.states["alice"], _hello(world), leaf=3)
    world.add("alice", "dave")
    assert world.leaf("dave") == 3
    refused_by(world, "bob", rules.SENDER_DATA_NAMES_A_MEMBER, late)

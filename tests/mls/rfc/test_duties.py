"""What RFC 9420 asks of those who send messages and keep keys, seen from what comes out.

What it asks of those who make leaves and trees is in test_tree_duties.py, Commits and groups in test_group_duties.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mls.codec import encode_opaque
from mls.errors import UsageError
from mls.framing.content import to_be_signed
from mls.framing.private import no_padding, open_sender_data
from mls.framing.public import protect_public
from mls.group.committing import CommitOptions, commit
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import propose, propose_update
from mls.group.processing import process
from mls.group.received import ApplicationMessage, ProposalReceived
from mls.registry import WireFormat
from mls.schedule.secret_tree import RatchetLimits
from mls.tree import math
from mls.tree.math import LeafIndex
from mls.wire.framing import (
    ApplicationData,
    AuthenticatedContent,
    FramedContent,
    Member,
    PrivateContentAAD,
    PrivateMessage,
    PublicMessage,
)
from mls.wire.proposals import GroupContextExtensions, Remove
from tests.mls.rfc.support import say
from tests.mls.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mls.crypto.secret import Secret
    from mls.group.state import GroupState
    from mls.wire.framing import SenderData
    from mls.wire.message import MLSMessage

AS_PUBLIC = CommitOptions(wire_format=WireFormat.PUBLIC_MESSAGE)


def sealed(message: MLSMessage) -> PrivateMessage:
    assert isinstance(message.message, PrivateMessage)
    return message.message


def sender_data(state: GroupState, message: MLSMessage) -> SenderData:
    return open_sender_data(state.suite, sealed(message), state.epoch_secrets.sender_data_secret, state.public.tree)


def plaintext(state: GroupState, message: MLSMessage) -> bytes:
    """Decrypt by the letter of section 6.3.1: the key and nonce of the generation, the nonce's head XORed."""
    private, sender = sealed(message), sender_data(state, message)
    _, key, _ = state.messages.key_for(
        LeafIndex(sender.leaf_index), private.content_type, sender.generation, RatchetLimits()
    )
    head = bytes(a ^ b for a, b in zip(key.nonce[:4], sender.reuse_guard, strict=True))
    aad = PrivateContentAAD(private.group_id, private.epoch, private.content_type, private.authenticated_data).encode()
    opened = state.suite.aead.open(key.key, head + key.nonce[4:], private.ciphertext, aad)
    assert opened is not None
    return opened


def said(world: World, sender: str, generation: int, data: bytes) -> ApplicationMessage:
    """What the others receive when `sender` says `data`."""
    state = world.states[sender]
    leaf = state.public.tree.leaf(state.own_leaf)
    assert leaf is not None
    return ApplicationMessage(state.own_leaf, leaf, state.epoch, generation, data, b"")


def values(secrets: Iterable[Secret]) -> set[bytes]:
    return {bytes(secret.value) for secret in secrets}


# Section 6: messages


def test_messages_are_signed_with_the_key_in_the_tree() -> None:
    world = World.of("a", "b", "c")
    old_key = world.states["a"].signature_key
    new_key = world.suite.generate_signature_key(world.environment.random)
    update = world.adopt(
        "a",
        propose_update(world.states["a"], world.environment, leaf_changes=LeafChanges(signature_key=new_key)),
    )
    for name in ("b", "c"):
        assert isinstance(world.process(name, update), ProposalReceived)
    # Until the Update is committed, the old key stands in the tree, and signs.
    remark = world.adopt("a", propose(world.states["a"], world.environment, Remove(world.leaf("c"))))
    assert isinstance(world.process("b", remark), ProposalReceived)
    assert isinstance(world.process("c", remark), ProposalReceived)
    assert world.states["a"].signature_key is old_key

    references = [item.reference for item in world.states["b"].proposals[:1] if item.reference is not None]
    world.commit("b", references=references)

    assert world.states["a"].signature_key is new_key
    assert isinstance(world.process("b", say(world, "a", b"signed with the new key")), ApplicationMessage)


def test_public_handshakes_have_a_membership_tag() -> None:
    world = World.of("a", "b")
    state = world.states["a"]
    made = commit(state, world.environment, now=world.now, options=AS_PUBLIC).output.message.message
    assert isinstance(made, PublicMessage)
    assert made.confirmation_tag is not None

    tbs = to_be_signed(WireFormat.PUBLIC_MESSAGE, made.content, state.public.context)
    auth = encode_opaque(made.signature) + encode_opaque(made.confirmation_tag)
    assert made.membership_tag == state.suite.mac(state.epoch_secrets.membership_key, tbs + auth)


def test_application_data_is_never_sent_in_the_clear() -> None:
    world = World.of("a", "b")
    state = world.states["a"]

    assert isinstance(say(world, "a", b"a secret word").message, PrivateMessage)
    content = FramedContent(state.group_id, state.epoch, Member(state.own_leaf), b"", ApplicationData(b"word"))
    message = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, content, b"signature", None)
    with pytest.raises(UsageError, match="PrivateMessage"):
        protect_public(state.suite, message, state.public.context, state.epoch_secrets.membership_key)


@pytest.mark.parametrize("padding", [0, 1, 100, 1000])
def test_padding_is_zeros(padding: int) -> None:
    world = World.of("a", "b")
    world.set(padding=no_padding)
    bare = plaintext(world.states["b"], say(world, "a", b"hello"))
    world.set(padding=lambda _: padding)

    message = say(world, "a", b"hello")
    padded = plaintext(world.states["b"], message)

    assert len(padded) == len(bare) + padding
    assert not any(padded[len(bare) :])
    received = world.process("b", message)
    assert isinstance(received, ApplicationMessage)
    assert received.data == b"hello"


def test_each_message_has_a_fresh_reuse_guard() -> None:
    world = World.of("a", "b", "c")
    drawn: list[bytes] = []
    draw = world.environment.random

    def noting(size: int) -> bytes:
        drawn.append(draw(size))
        return drawn[-1]

    world.set(random=noting)
    guards = set()
    for number in range(5):
        drawn.clear()
        message = say(world, "b", b"the same words")
        sender = sender_data(world.states["a"], message)

        assert sender.reuse_guard in drawn
        assert len(sender.reuse_guard) == 4
        assert (sender.leaf_index, sender.generation) == (world.leaf("b"), number)
        assert plaintext(world.states["a"], message)  # the guard in the sender data is the one in the nonce
        guards.add(sender.reuse_guard)
    assert len(guards) == 5


def test_each_state_goes_on_where_the_one_before_it_stopped() -> None:
    world = World.of("a", "b")
    application = [sender_data(world.states["b"], say(world, "a", b"word")).generation for _ in range(4)]
    handshake = []
    for _ in range(3):
        made = propose(world.states["a"], world.environment, GroupContextExtensions(()))
        handshake.append(sender_data(world.states["b"], world.adopt("a", made)).generation)

    assert application == [0, 1, 2, 3]
    assert handshake == [0, 1, 2]


# Section 9.2: what is deleted


def test_what_the_example_of_the_deletion_schedule_consumes_is_gone() -> None:
    world = World.of("a", "b", "c", "d")
    suite, before = world.suite, world.states["a"].messages

    def below(secret: bytes, side: bytes) -> bytes:
        return suite.expand_with_label(secret, "tree", side, suite.Nh)

    def ratchet(secret: bytes, generation: int, label: str, size: int) -> bytes:
        return suite.derive_tree_secret(secret, label, generation, size)

    # The names are those of section 9.2 and of the figure in section 9.1.
    [g] = values(before.secrets())
    e, f = below(g, b"left"), below(g, b"right")
    c, d = below(f, b"left"), below(f, b"right")
    hr0 = suite.expand_with_label(d, "handshake", b"", suite.Nh)
    ar0 = suite.expand_with_label(d, "application", b"", suite.Nh)
    ar1 = ratchet(ar0, 0, "secret", suite.Nh)
    ar2 = ratchet(ar1, 1, "secret", suite.Nh)
    k0_n0, k1_n1 = (
        ratchet(secret, number, "key", suite.Nk) + ratchet(secret, number, "nonce", suite.Nn)
        for number, secret in enumerate((ar0, ar1))
    )
    spent: list[Secret] = list(before.secrets())
    generation_0, generation_1 = say(world, "d", b"late"), say(world, "d", b"early")

    transition = process(world.states["a"], world.environment, generation_1, now=world.now)
    assert values(transition.spent) == {g, f, d, ar0, ar1}
    assert world.adopt("a", transition) == said(world, "d", 1, b"early")

    assert values(world.states["a"].messages.secrets()) == {k0_n0, ar2, hr0, e, c}
    assert {g, f, d, ar0, ar1, k1_n1}.isdisjoint(values(world.states["a"].secrets()))
    assert all(secret.is_wiped for secret in spent)

    assert world.process("a", generation_0) == said(world, "d", 0, b"late")
    assert values(world.states["a"].messages.secrets()) == {ar2, hr0, e, c}


def test_what_led_into_an_epoch_is_not_kept() -> None:
    world = World.of("a", "b", "c")
    before = {name: list(state.secrets()) for name, state in world.states.items()}
    old = {name: state.epoch_secrets for name, state in world.states.items()}

    world.commit("a")

    for name, state in world.states.items():
        past = state.past[0]
        kept = {id(secret) for secret in state.secrets()}
        assert old[name].init_secret.is_wiped
        assert old[name].exporter_secret.is_wiped
        assert old[name].external_secret.is_wiped
        assert old[name].membership_key.is_wiped
        # Of the epoch before, there is what late messages need, and the resumption PSK.
        assert past.sender_data_secret is old[name].sender_data_secret
        assert all(secret.is_wiped or id(secret) in kept for secret in before[name])


def test_outdated_node_keys_are_deleted() -> None:
    world = World.of("a", "b", "c", "d")
    for name in world.states:
        world.commit(name)
    keys = {name: dict(state.private_tree.items()) for name, state in world.states.items()}

    world.commit("b")

    for name, state in world.states.items():
        now = dict(state.private_tree.items())
        for index, key in keys[name].items():
            replaced = index in math.direct_path(LeafIndex(world.leaf("b")), 4) or index == 2 * world.leaf("b")
            assert key.secret.is_wiped == replaced
            assert (now[index] is not key) == replaced
        for index, key in now.items():
            node = state.public.tree.node(index)
            assert node is not None
            assert node.encryption_key == key.public_key


# Section 10: KeyPackages


def test_key_packages_share_no_key() -> None:
    world = World()
    key_packages = [world.key_package("a").key_package for _ in range(20)]

    keys = {key_package.init_key for key_package in key_packages}
    keys |= {key_package.leaf_node.encryption_key for key_package in key_packages}
    assert len(keys) == 40

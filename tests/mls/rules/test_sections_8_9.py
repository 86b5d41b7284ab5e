"""Sections 8 (key schedule), 9 (secret tree) and 15.3 (its limits): each rule broken on purpose."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mls import rules
from mls.crypto.secret import Secret
from mls.group.committing import CommitOptions, commit
from mls.group.environment import Limits
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.joining import join
from mls.group.messaging import propose, protect
from mls.group.processing import process
from mls.group.received import ApplicationMessage
from mls.registry import ResumptionPSKUsage, WireFormat
from mls.schedule.secret_tree import LeafRatchets, RatchetLimits, SecretTree
from mls.wire.framing import ApplicationData
from mls.wire.proposals import ExternalInit, PreSharedKey, Remove
from mls.wire.psk import ExternalPSK, PreSharedKeyID, ResumptionPSK
from tests.mls.rules.doors import assert_goes_on, refused_by, refused_proposal
from tests.mls.rules.forging import (
    dishonest,
    forged_commit,
    forged_external_commit,
    forged_welcome,
    private,
    signed,
)
from tests.mls.rules.support import breaks, refused
from tests.mls.world import GROUP_ID, World, fingerprint

if TYPE_CHECKING:
    from mls.group.state import GroupState
    from mls.schedule.secret_tree import TreeNode
    from mls.wire.message import MLSMessage

ENCRYPTED = WireFormat.PRIVATE_MESSAGE

PSK = Secret(b"known to all members")


def _world(suite: int = 1) -> World:
    return World.of("alice", "bob", "carol", suite=suite)


# 8.3: external initialization


@breaks(rules.EXTERNAL_INIT_IS_WELL_FORMED)
def test_external_init_is_well_formed() -> None:
    world = _world()
    for kem_output in (b"", bytes(32), b"\x05" * 31, b"\x05" * 33):
        refused_by(world, "bob", rules.EXTERNAL_INIT_IS_WELL_FORMED, _external_commit(world, kem_output))


@breaks(rules.EXTERNAL_INIT_IS_WELL_FORMED)
def test_external_init_is_well_formed__point() -> None:
    world = _world(suite=2)
    point = world.suite.generate_hpke_key(world.environment.random).public_key
    compressed = bytes([2 + (point[-1] & 1)]) + point[1:33]
    off_the_curve = point[:-1] + bytes([point[-1] ^ 1])
    for kem_output in (compressed, off_the_curve, point[1:], b"\0", b"\x04" + bytes(64)):
        refused_by(world, "bob", rules.EXTERNAL_INIT_IS_WELL_FORMED, _external_commit(world, kem_output))


@breaks(rules.EXTERNAL_INIT_IS_WELL_FORMED)
def test_external_init_is_well_formed__xwing() -> None:
    world = _world(suite=0x004D)
    key = world.suite.generate_hpke_key(world.environment.random).public_key
    enc, _ = world.suite.kem.encap(key, world.environment.random)
    for kem_output in (enc[:1088] + bytes(32), enc[:-1], enc + b"\0", enc[1088:], key, b""):
        refused_by(world, "bob", rules.EXTERNAL_INIT_IS_WELL_FORMED, _external_commit(world, kem_output))


def _external_commit(world: World, kem_output: bytes) -> MLSMessage:
    alice = world.states["alice"]
    forged = forged_external_commit(
        alice, world.client("dave"), world.environment, external_init=lambda _: (ExternalInit(kem_output),)
    )
    return forged.sent_by(alice)


# 8.4: pre-shared keys


@breaks(rules.PSK_NONCE_HAS_THE_RIGHT_SIZE)
def test_psk_nonce_has_the_right_size() -> None:
    for suite in (1, 7):
        world = _world(suite)
        world.set(psks={b"psk": PSK})
        nh = world.suite.Nh
        for size in (0, 1, nh - 1, nh + 1, 80 - nh):
            external = PreSharedKeyID(ExternalPSK(b"psk"), b"\x05" * size)
            refused_proposal(world, rules.PSK_NONCE_HAS_THE_RIGHT_SIZE, PreSharedKey(external))
            resumption = _resumption(world.states["alice"].epoch, nonce=b"\x05" * size)
            refused_proposal(world, rules.PSK_NONCE_HAS_THE_RIGHT_SIZE, resumption)


@breaks(rules.PSK_NONCE_HAS_THE_RIGHT_SIZE)
def test_psk_nonce_has_the_right_size__external_commit() -> None:
    world = _world()
    world.set(psks={b"psk": PSK})
    psk = PreSharedKeyID(ExternalPSK(b"psk"), bytes(31))
    alice, dave = world.states["alice"], world.client("dave")
    with refused(rules.PSK_NONCE_HAS_THE_RIGHT_SIZE):
        join_externally(dave, world.environment, group_info(alice), psks=[psk])
    with dishonest():
        bad = forged_external_commit(alice, dave, world.environment, PreSharedKey(psk))
    refused_by(world, "bob", rules.PSK_NONCE_HAS_THE_RIGHT_SIZE, bad.sent_by(alice))


@breaks(rules.PSK_IS_AVAILABLE)
def test_psk_is_available() -> None:
    world = _world()
    alice = world.states["alice"]
    psk = PreSharedKeyID(ExternalPSK(b"unknown to bob"), bytes(32))
    with_psk = replace(world.environment, psks={b"unknown to bob": PSK})
    with refused(rules.PSK_IS_AVAILABLE):
        commit(alice, world.environment, now=world.now, proposals=[PreSharedKey(psk)])
    bad = forged_commit(alice, with_psk, PreSharedKey(psk)).sent_by(alice)
    process(world.states["carol"], with_psk, bad, now=world.now)
    refused_by(world, "bob", rules.PSK_IS_AVAILABLE, bad)


@breaks(rules.PSK_IS_AVAILABLE)
def test_psk_is_available__joiner() -> None:
    world = _world()
    alice, bundle = world.states["alice"], world.key_package("dave")
    psk = PreSharedKeyID(ExternalPSK(b"unknown to dave"), bytes(32))
    welcome = forged_welcome(alice, bundle, world.environment, psks=[(psk, PSK)])
    with refused(rules.PSK_IS_AVAILABLE):
        join(world.environment, welcome.encode(), [bundle])
    join(replace(world.environment, psks={b"unknown to dave": PSK}), welcome.encode(), [bundle])
    with refused(rules.PSK_IS_AVAILABLE):
        join_externally(world.client("dave"), world.environment, group_info(alice), psks=[psk])


@breaks(rules.PSK_IS_AVAILABLE)
def test_psk_is_available__resumption() -> None:
    """An epoch's PSK is held by those who were there, and for as long as the limit says."""
    world = _world()
    world.set(limits=Limits(resumption_psks=3))
    world.commit("alice")
    world.add("alice", "dave")
    world.commit("alice")
    assert [key.epoch for key in world.states["bob"].resumption_keys] == [4, 3, 2]
    assert [key.epoch for key in world.states["dave"].resumption_keys] == [4, 3]
    for epoch in (1, 5, 1 << 40):
        with refused(rules.PSK_IS_AVAILABLE):
            commit(world.states["bob"], world.environment, now=world.now, proposals=[_resumption(epoch)])
    alice = world.states["alice"]
    bad = forged_commit(alice, world.environment, _resumption(2)).sent_by(alice)
    process(world.states["bob"], world.environment, bad, now=world.now)
    good = forged_commit(alice, world.environment, _resumption(3)).sent_by(alice)
    process(world.states["dave"], world.environment, good, now=world.now)
    refused_by(world, "dave", rules.PSK_IS_AVAILABLE, bad)


def _resumption(epoch: int, nonce: bytes = bytes(32)) -> PreSharedKey:
    psk = ResumptionPSK(ResumptionPSKUsage.APPLICATION, GROUP_ID, epoch)
    return PreSharedKey(PreSharedKeyID(psk, nonce))


# 9.1: each key once


def _hello(state: GroupState, generation: int) -> MLSMessage:
    message = signed(state, ApplicationData(b"hello"), wire_format=ENCRYPTED)
    return private(state, message, generation=generation)


@breaks(rules.MESSAGE_KEY_IS_UNUSED)
def test_message_key_is_unused() -> None:
    world = _world()
    message = protect(world.states["alice"], world.environment, b"hello").output
    world.process("bob", message)
    refused_by(world, "bob", rules.MESSAGE_KEY_IS_UNUSED, message)
    # The same after two Commits: the epoch is over, its keys are held.
    with refused(rules.MESSAGE_KEY_IS_UNUSED):
        process(world.states["bob"], world.environment, message, now=world.now)


@breaks(rules.MESSAGE_KEY_IS_UNUSED)
def test_message_key_is_unused__out_of_order() -> None:
    world = _world()
    alice = world.states["alice"]
    for generation in (5, 2, 0, 4):
        world.process("bob", _hello(alice, generation))
    for generation in (5, 2, 0, 4):
        state = world.states["bob"]
        before = fingerprint(state)
        with refused(rules.MESSAGE_KEY_IS_UNUSED):
            process(state, world.environment, _hello(alice, generation), now=world.now)
        assert fingerprint(state) == before
    world.process("bob", _hello(alice, 3))
    refused_by(world, "bob", rules.MESSAGE_KEY_IS_UNUSED, _hello(alice, 3))


@breaks(rules.MESSAGE_KEY_IS_UNUSED)
def test_message_key_is_unused__given_up() -> None:
    """Of what was skipped, the newest keys are kept, as many as the limit says."""
    world = _world()
    world.set(limits=Limits(ratchet=RatchetLimits(out_of_order=4, forward=100)))
    alice = world.states["alice"]
    world.process("bob", _hello(alice, 20))
    for generation in (0, 14, 15):
        with refused(rules.MESSAGE_KEY_IS_UNUSED):
            process(world.states["bob"], world.environment, _hello(alice, generation), now=world.now)
    for generation in (16, 19):
        assert isinstance(world.process("bob", _hello(alice, generation)), ApplicationMessage)
    refused_by(world, "bob", rules.MESSAGE_KEY_IS_UNUSED, _hello(alice, 15))


@breaks(rules.MESSAGE_KEY_IS_UNUSED)
def test_message_key_is_unused__handshake() -> None:
    world = _world()
    alice = world.states["alice"]
    again = private(alice, signed(alice, Remove(1), wire_format=ENCRYPTED), generation=0)
    proposal = world.adopt("alice", propose(alice, world.environment, Remove(2)))
    world.deliver(proposal)
    for replayed in (proposal, again):
        with refused(rules.MESSAGE_KEY_IS_UNUSED):
            process(world.states["bob"], world.environment, replayed, now=world.now)
    refused_by(world, "bob", rules.MESSAGE_KEY_IS_UNUSED, proposal)


LAST = (1 << 32) - 1


def _aged(state: GroupState) -> GroupState:
    """Return the state with all ratchets that were used at their last generation."""

    def aged(node: TreeNode) -> TreeNode:
        match node:
            case LeafRatchets():
                return LeafRatchets(*(ratchet._replace(generation=LAST) for ratchet in node))
            case Secret():
                return node
            case (left, right):
                return aged(left), aged(right)

    messages = state.messages
    return replace(state, messages=SecretTree(messages.suite, messages.leaf_count, aged(messages.root)))


@breaks(rules.RATCHET_IS_NOT_EXHAUSTED)
def test_ratchet_is_not_exhausted() -> None:
    """After 2**32 messages a sender must not start over. No peer can bring this about: generations are 32 bits."""
    world = _world()
    world.deliver(world.adopt("alice", protect(world.states["alice"], world.environment, b"first")))
    for name, state in world.states.items():
        world.states[name] = _aged(state)
    world.process("bob", world.adopt("alice", protect(world.states["alice"], world.environment, b"last")))
    alice = world.states["alice"]
    before = fingerprint(alice)
    with refused(rules.RATCHET_IS_NOT_EXHAUSTED):
        protect(alice, world.environment, b"one too many")
    assert fingerprint(alice) == before
    assert_goes_on(world, "bob")
    world.process("bob", protect(world.states["alice"], world.environment, b"first again").output)


@breaks(rules.RATCHET_IS_NOT_EXHAUSTED)
def test_ratchet_is_not_exhausted__handshake() -> None:
    world = _world()
    world.deliver(world.adopt("alice", protect(world.states["alice"], world.environment, b"first")))
    for name, state in world.states.items():
        world.states[name] = _aged(state)
    world.process("bob", world.adopt("alice", propose(world.states["alice"], world.environment, Remove(2))))
    with refused(rules.RATCHET_IS_NOT_EXHAUSTED):
        propose(world.states["alice"], world.environment, Remove(2))
    with refused(rules.RATCHET_IS_NOT_EXHAUSTED):
        commit(world.states["alice"], world.environment, now=world.now, references=())
    # A PublicMessage uses no key: there is a way on.
    world.commit("alice", references=(), options=CommitOptions(wire_format=WireFormat.PUBLIC_MESSAGE))


# 15.3: limits


@breaks(rules.GENERATION_IS_WITHIN_FORWARD_LIMIT)
def test_generation_is_within_forward_limit() -> None:
    world = _world()
    limit = world.environment.limits.ratchet.forward
    # The nearest first: with the rule switched off, the farthest would take a day to reach.
    for generation in (limit + 1, 1 << 31, LAST):
        bad = _hello(world.states["alice"], generation)
        refused_by(world, "bob", rules.GENERATION_IS_WITHIN_FORWARD_LIMIT, bad)
    alice = world.states["alice"]
    for generation in (limit, 2 * limit + 1):
        world.process("bob", _hello(alice, generation))
    refused_by(world, "bob", rules.GENERATION_IS_WITHIN_FORWARD_LIMIT, _hello(alice, 3 * limit + 3))


@breaks(rules.GENERATION_IS_WITHIN_FORWARD_LIMIT)
def test_generation_is_within_forward_limit__handshake() -> None:
    world = _world()
    world.set(limits=Limits(ratchet=RatchetLimits(forward=10)))
    alice = world.states["alice"]
    message = forged_commit(alice, world.environment).message
    bad = private(alice, message, generation=11)
    process(world.states["bob"], world.environment, private(alice, message, generation=10), now=world.now)
    refused_by(world, "bob", rules.GENERATION_IS_WITHIN_FORWARD_LIMIT, bad)


@breaks(rules.GENERATION_IS_WITHIN_FORWARD_LIMIT)
def test_generation_is_within_forward_limit__late() -> None:
    world = _world()
    late = _hello(world.states["alice"], world.environment.limits.ratchet.forward + 1)
    world.commit("alice")
    refused_by(world, "bob", rules.GENERATION_IS_WITHIN_FORWARD_LIMIT, late)

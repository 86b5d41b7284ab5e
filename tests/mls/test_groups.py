"""What concerns a group as a whole: keys from elsewhere, its extensions, and types unknown to us.

In every cipher suite, with each way to send a handshake.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mls.crypto.secret import Secret
from mls.group.creation import Client, create_group, create_key_package, default_capabilities
from mls.group.messaging import external_proposal
from mls.group.received import Committed, ProposalReceived
from mls.group.state import Status
from mls.registry import GREASE, MLS10, CredentialType, ExtensionType, ProposalType, ResumptionPSKUsage
from mls.wire.credentials import UnknownCredential
from mls.wire.extensions import (
    Extension,
    ExternalSender,
    ExternalSenders,
    RequiredCapabilities,
    find_extension,
    pack_extension,
)
from mls.wire.framing import External
from mls.wire.proposals import Add, GroupContextExtensions, PreSharedKey, ReInit, Remove, UnknownProposal
from mls.wire.psk import ExternalPSK, PreSharedKeyID, ResumptionPSK
from tests.mls.journey import come_from_outside, post, talk
from tests.mls.variants import Variant, in_all_variants
from tests.mls.world import GROUP_ID, LIFETIME, World

if TYPE_CHECKING:
    from mls.wire.proposals import AnyProposal

PRIVATE_USE = 0xF0AA
"""A code point of each registry that is an application's own."""


def capable(world: World, *names: str, **lists: tuple[int, ...]) -> None:
    """Let these clients say that they support more than the engine does."""
    for name in names:
        client = world.client(name)
        more = {field: (*getattr(client.capabilities, field), *values) for field, values in lists.items()}
        world.clients[name] = replace(client, capabilities=client.capabilities.replace(**more))


def capable_world(variant: Variant, *names: str, **lists: tuple[int, ...]) -> World:
    """Return a world whose members all support these types too."""
    world = World(variant.suite, seed=variant.suite)
    capable(world, *names, **lists)
    world.found(names[0])
    world.add(names[0], *names[1:], options=variant.options)
    return world


# Pre-shared keys


@in_all_variants
def test_external_psk(variant: Variant) -> None:
    world = variant.world("alice", "bob", "carol")
    world.set(psks={b"password": Secret(b"friend"), b"empty": Secret(bytes(1))})
    psks = [
        PreSharedKey(PreSharedKeyID(ExternalPSK(name), world.environment.random(world.suite.Nh)))
        for name in (b"password", b"empty", b"password")
    ]
    post(world, "bob", psks[0], wire_format=variant.wire_format)
    bundle = world.key_package("dave")
    received = world.commit(
        "alice", psks[1], psks[2], Add(bundle.key_package), joiners=[("dave", bundle)], options=variant.options
    )
    for found in received.values():
        assert isinstance(found, Committed)
        assert [item.proposal for item in found.proposals] == [psks[1], psks[2], Add(bundle.key_package), psks[0]]
    talk(world)


@in_all_variants
def test_a_psk_is_part_of_the_secrets(variant: Variant) -> None:
    authenticators = set()
    for value in (b"friend", b"foe"):
        world = variant.world("alice", "bob")
        world.set(psks={b"password": Secret(value)})
        psk = PreSharedKey(PreSharedKeyID(ExternalPSK(b"password"), bytes(world.suite.Nh)))
        world.commit("alice", psk, options=variant.options)
        authenticators.add(world.states["bob"].epoch_authenticator)
    assert len(authenticators) == 2


@in_all_variants
def test_resumption_psk_of_the_groups_own_past(variant: Variant) -> None:
    world = variant.world("alice", "bob")
    for _ in range(3):
        world.commit("bob", options=variant.options)
    newest = world.states["alice"].epoch
    nonce = bytes(world.suite.Nh)
    for epoch in (newest, 1):
        psk = PreSharedKeyID(ResumptionPSK(ResumptionPSKUsage.APPLICATION, GROUP_ID, epoch), nonce)
        world.commit("alice", PreSharedKey(psk), options=variant.options)
    talk(world)


@in_all_variants
def test_resumption_psk_of_another_group(variant: Variant) -> None:
    world = variant.world("alice", "bob")
    keys = {(b"another group", 7): Secret(b"of another group")}
    world.set(resumption_keys=lambda group_id, epoch: keys.get((group_id, epoch)))
    nonce = bytes(world.suite.Nh)
    psk = PreSharedKeyID(ResumptionPSK(ResumptionPSKUsage.APPLICATION, b"another group", 7), nonce)
    bundle = world.key_package("carol")
    proposals: list[AnyProposal] = [PreSharedKey(psk), Add(bundle.key_package)]
    world.commit("alice", *proposals, joiners=[("carol", bundle)], options=variant.options)
    talk(world)


# The GroupContext's extensions


@in_all_variants
def test_group_context_extensions(variant: Variant) -> None:
    world = capable_world(variant, "alice", "bob", extensions=(PRIVATE_USE,), proposals=(PRIVATE_USE,))
    extensions = (
        pack_extension(RequiredCapabilities((PRIVATE_USE,), (PRIVATE_USE,), (CredentialType.BASIC,))),
        Extension(PRIVATE_USE, b"anything"),
    )
    world.commit("bob", GroupContextExtensions(extensions), options=variant.options)
    assert world.states["alice"].public.context.extensions == extensions
    talk(world)
    capable(world, "carol", extensions=(PRIVATE_USE,), proposals=(PRIVATE_USE,))
    world.add("alice", "carol", options=variant.options)
    assert world.states["carol"].public.context.extensions == extensions
    post(world, "carol", GroupContextExtensions(()), wire_format=variant.wire_format)
    world.commit("alice", options=variant.options)
    assert world.states["bob"].public.context.extensions == ()
    talk(world)


@in_all_variants
def test_extensions_from_the_beginning(variant: Variant) -> None:
    required = RequiredCapabilities((ExtensionType.LAST_RESORT,), (ProposalType.SELF_REMOVE,), (CredentialType.X509,))
    world = variant.world("alice", "bob", extensions=(pack_extension(required),))
    assert find_extension(world.states["bob"].public.context.extensions, RequiredCapabilities) == required
    come_from_outside(world, "carol", "bob", with_tree=variant.with_tree)
    talk(world)


# From outside


@in_all_variants
def test_external_senders(variant: Variant) -> None:
    world = World(variant.suite)
    world.set(psks={b"password": Secret(b"friend")})
    outsiders = [world.client(name) for name in ("nobody", "moderator")]
    senders = ExternalSenders(
        tuple(ExternalSender(client.signature_key.public_key, client.credential) for client in outsiders)
    )
    world.found("alice", extensions=(pack_extension(senders),))
    world.add("alice", "bob", "carol", options=variant.options)
    bundle = world.key_package("dave")
    psk = PreSharedKeyID(ExternalPSK(b"password"), bytes(world.suite.Nh))
    proposals: list[AnyProposal] = [
        Add(bundle.key_package),
        Remove(world.leaf("bob")),
        PreSharedKey(psk),
        GroupContextExtensions(()),
    ]
    context = world.states["alice"].public.context
    for proposal in proposals:
        message = external_proposal(
            context, 1, outsiders[1].signature_key, proposal, authenticated_data=b"rules", experimental=True
        )
        for received in world.deliver(message).values():
            assert isinstance(received, ProposalReceived)
            assert (received.proposed.proposal, received.proposed.sender) == (proposal, External(1))
            assert received.authenticated_data == b"rules"
    world.commit("carol", joiners=[("dave", bundle)], options=variant.options)
    assert world.states.pop("bob").status is Status.REMOVED
    assert world.states["dave"].public.context.extensions == ()
    talk(world)


@in_all_variants
def test_external_sender_closes_the_group(variant: Variant) -> None:
    world = World(variant.suite)
    moderator = world.client("moderator")
    sender = ExternalSender(moderator.signature_key.public_key, moderator.credential)
    world.found("alice", extensions=(pack_extension(ExternalSenders((sender,))),))
    world.add("alice", "bob", options=variant.options)
    reinit = ReInit(b"the next group", MLS10, variant.suite, ())
    context = world.states["bob"].public.context
    world.deliver(external_proposal(context, 0, moderator.signature_key, reinit, experimental=True))
    world.commit("bob", options=variant.options)
    assert {(state.status, state.reinit) for state in world.states.values()} == {(Status.REINITIALIZED, reinit)}


# Types that the engine does not know


@in_all_variants
def test_custom_proposals(variant: Variant) -> None:
    world = capable_world(variant, "alice", "bob", "carol", proposals=(PRIVATE_USE, PRIVATE_USE + 1))
    by_reference, by_value = UnknownProposal(PRIVATE_USE, b"by reference"), UnknownProposal(PRIVATE_USE + 1, b"")
    post(world, "bob", by_reference, wire_format=variant.wire_format)
    received = world.commit("alice", by_value, by_value, options=variant.options)["carol"]
    assert isinstance(received, Committed)
    assert [item.proposal for item in received.proposals] == [by_value, by_value, by_reference]
    assert len(received.changes) == 1, "what the engine does not know needs a path"
    talk(world)


@in_all_variants
def test_custom_credentials(variant: Variant) -> None:
    world = World(variant.suite, seed=variant.suite)
    credential = UnknownCredential(PRIVATE_USE, b"anything")
    capable(world, "alice", "bob", "carol", credentials=(PRIVATE_USE,))
    world.clients["bob"] = replace(world.client("bob"), credential=credential)
    world.found("alice")
    world.add("alice", "bob", options=variant.options)
    come_from_outside(world, "carol", "bob", with_tree=variant.with_tree)
    leaf = world.states["carol"].public.tree.leaf(world.leaf("bob"))
    assert leaf is not None
    assert leaf.credential == credential
    talk(world)


def greased(client: Client, random: bytes) -> Client:
    """Return a client that lists the GREASE values that the engine would draw with this randomness."""
    capabilities = default_capabilities([client.suite.number], lambda size: random[:size])
    return replace(client, capabilities=capabilities)


@in_all_variants
def test_grease(variant: Variant) -> None:
    world = World(variant.suite, seed=variant.suite)
    for number, name in enumerate(("alice", "bob", "carol")):
        world.clients[name] = greased(world.client(name), bytes([number]))
    value = min(GREASE)
    assert value in world.client("alice").capabilities.credentials
    world.clients["alice"] = replace(world.client("alice"), extensions=(Extension(value, b"leaf"),))
    world.found("alice")
    bundle = create_key_package(
        world.client("bob"), world.environment, lifetime=LIFETIME, extensions=(Extension(0x1A1A, b"KeyPackage"),)
    )
    options = replace(variant.options, group_info_extensions=(Extension(0x2A2A, b"GroupInfo"),))
    world.commit("alice", Add(bundle.key_package), joiners=[("bob", bundle)], options=options)
    come_from_outside(world, "carol", "bob", with_tree=variant.with_tree)
    talk(world)
    world.commit("alice", options=variant.options)
    leaf = world.states["carol"].public.tree.leaf(0)
    assert leaf is not None
    assert leaf.extensions == (Extension(value, b"leaf"),)


def test_grease_is_one_value_of_fifteen() -> None:
    drawn = {
        default_capabilities([1], lambda _, byte=byte: bytes([byte])).credentials[-1]  # type: ignore[misc]
        for byte in range(256)
    }
    assert drawn == GREASE
    assert len(GREASE) == 15


# KeyPackages of last resort


@in_all_variants
def test_last_resort_is_used_twice(variant: Variant) -> None:
    world = variant.world("alice")
    last, ordinary = world.key_package("bob", is_last_resort=True), world.key_package("bob")
    groups = []
    for group_id, bundle in ((b"one", last), (b"two", last), (b"three", ordinary)):
        created = create_group(world.client("alice"), world.environment, group_id=group_id, lifetime=LIFETIME)
        world.states = {"alice": created.state}
        world.commit("alice", Add(bundle.key_package), joiners=[("bob", bundle)], options=variant.options)
        assert bundle.init_key.secret.is_wiped == bundle.encryption_key.secret.is_wiped == (bundle is ordinary)
        groups.append(world.states)
    for states in groups:  # what one group wipes is not what the others need
        world.states = states
        world.commit("bob", options=variant.options)
        world.commit("alice", options=variant.options)
        talk(world)

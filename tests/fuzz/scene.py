"""A group frozen in the middle of its life, and every kind of message that its members could be sent next.

Nothing here ever changes: states are immutable, and the targets adopt no state and wipe no secret.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from mls.crypto.secret import Secret
from mls.group.committing import CommitOptions, CommitOutput, commit
from mls.group.creation import default_capabilities
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import external_proposal, leave, new_member_proposal, propose, propose_update, protect
from mls.group.processing import process
from mls.registry import MLS10, ResumptionPSKUsage, WireFormat
from mls.wire.credentials import BasicCredential
from mls.wire.extensions import Extension, ExternalSender, ExternalSenders, RequiredCapabilities, pack_extension
from mls.wire.proposals import Add, GroupContextExtensions, PreSharedKey, ReInit, Remove, UnknownProposal
from mls.wire.psk import ExternalPSK, PreSharedKeyID, ResumptionPSK
from tests.mls.rules import forging
from tests.mls.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mls.codec import Struct
    from mls.group.creation import KeyPackageBundle
    from mls.group.state import GroupState
    from mls.wire.message import MLSMessage
    from mls.wire.proposals import AnyProposal

__all__ = ["FORMATS", "PRIVATE_USE", "Scene", "scene"]

PRIVATE_USE = 0xF1A0
"""An extension and proposal type that all members support and the engine does not know."""

FORMATS = (WireFormat.PUBLIC_MESSAGE, WireFormat.PRIVATE_MESSAGE)


@dataclass(frozen=True)
class Scene:
    """The group, and what can come next."""

    world: World
    """All members are in the same epoch: alice, bob, carol, erin and frank; dave's leaf is blank."""
    victims: tuple[GroupState, ...]
    """Alice, as she is, and as she would be had she heard or done something else before."""
    insider: GroupState
    """Carol, who cheats."""
    witness: GroupState
    """Bob, who must come to the same keys as alice."""
    messages: tuple[MLSMessage, ...]
    bundles: tuple[KeyPackageBundle, ...]
    """Of clients who are not in the group."""
    welcomes: tuple[MLSMessage, ...]
    """For each of them."""
    group_infos: tuple[MLSMessage, ...]

    def structs(self) -> Iterator[Struct]:
        """Yield each message, and what is in it."""
        key_packages = [bundle.message for bundle in self.bundles]
        for message in (*self.messages, *self.welcomes, *self.group_infos, *key_packages):
            yield message
            yield message.message


@cache
def scene() -> Scene:
    """Return the scene, made once."""
    world = _world()
    late = protect(world.states["carol"], world.environment, b"sent before, comes after").output
    world.commit("erin", Remove(world.leaf("dave")))
    del world.states["dave"]
    world.add("bob", "frank", options=CommitOptions(with_path=False))
    bundles = tuple(world.key_package(name) for name in ("newcomer", "another"))
    informed, by_reference = _informed(world, [late, *_proposals_of_others(world)])
    commits = list(_commits(world, bundles))
    alice, carol = world.states["alice"], world.states["carol"]
    infos = tuple(
        group_info(carol, with_tree=with_tree, external_join=external_join)
        for with_tree in (True, False)
        for external_join in (True, False)
    )
    removal, closing = (made.message for made in commits[:2])
    removed, closed = (process(alice, world.environment, made, now=world.now).state for made in (removal, closing))
    pending = commit(alice, world.environment, now=world.now)
    return Scene(
        world=world,
        victims=(alice, informed, pending.state, removed, closed),
        insider=carol,
        witness=world.states["bob"],
        messages=(
            late,
            *_said(world),
            *_proposals(world, bundles),
            *(made.message for made in commits),
            *by_reference,
            pending.output.message,
            *_from_outside(world, bundles, infos[0]),
        ),
        bundles=bundles,
        welcomes=tuple(made.pending.welcome for made in commits if made.pending.welcome is not None),
        group_infos=infos,
    )


def _world() -> World:
    """Return a world of five members, who have all committed and spoken."""
    world = World(seed=9)
    world.set(psks={b"shared": Secret(b"told over tea")})
    capabilities = default_capabilities([world.suite_number], extensions=[PRIVATE_USE], proposals=[PRIVATE_USE])
    for name in ("alice", "bob", "carol", "dave", "erin", "frank", "newcomer", "another", "watcher"):
        world.clients[name] = replace(world.client(name), capabilities=capabilities)
    watcher = ExternalSender(world.client("watcher").signature_key.public_key, BasicCredential(b"watcher"))
    extensions = (
        pack_extension(ExternalSenders((watcher,))),
        pack_extension(RequiredCapabilities((PRIVATE_USE,), (PRIVATE_USE,), ())),
        Extension(PRIVATE_USE, b"whatever this is"),
    )
    world.found("alice", extensions=extensions)
    world.add("alice", "bob", "carol", "dave", "erin")
    for name in ("dave", "bob", "carol", "erin"):
        world.commit(name)
        world.deliver(world.adopt(name, protect(world.states[name], world.environment, b"hello")))
    return world


def _informed(world: World, heard: list[MLSMessage]) -> tuple[GroupState, list[MLSMessage]]:
    """Return alice as she is when she has heard some more, and Commits of carol's, who has heard it too."""
    states = {name: world.states[name] for name in ("alice", "carol")}
    for message in heard:
        for name, state in states.items():
            states[name] = process(state, world.environment, message, now=world.now).state
    made = [
        commit(states["carol"], world.environment, now=world.now, options=CommitOptions(wire_format=wire_format))
        for wire_format in FORMATS
    ]
    return states["alice"], [transition.output.message for transition in made]


def _proposals_of_others(world: World) -> list[MLSMessage]:
    update = propose_update(world.states["bob"], world.environment, leaf_changes=LeafChanges())
    removal = propose(world.states["frank"], world.environment, Remove(world.leaf("erin")))
    return [update.output, removal.output, leave(world.states["frank"], world.environment).output]


def _said(world: World) -> Iterator[MLSMessage]:
    """Yield application messages, alice's own among them."""
    for name in ("alice", "bob", "carol"):
        state = world.states[name]
        for number in range(3):
            made = protect(state, world.environment, bytes(number * 40), authenticated_data=bytes(number))
            state = made.state
            yield made.output


def _contents(world: World, bundles: tuple[KeyPackageBundle, ...]) -> list[AnyProposal]:
    """Return proposals of each kind that carol may make by value."""
    state, nonce = world.states["carol"], world.environment.random(world.suite.Nh)
    resumption = ResumptionPSK(ResumptionPSKUsage.APPLICATION, state.group_id, state.epoch - 1)
    return [
        Add(bundles[0].key_package),
        Remove(world.leaf("erin")),
        PreSharedKey(PreSharedKeyID(ExternalPSK(b"shared"), nonce)),
        PreSharedKey(PreSharedKeyID(resumption, nonce)),
        ReInit(b"another group", MLS10, world.suite_number, ()),
        GroupContextExtensions(state.public.context.extensions[1:]),
        UnknownProposal(PRIVATE_USE, b"what is meant by this is not the engine's business"),
    ]


def _proposals(world: World, bundles: tuple[KeyPackageBundle, ...]) -> Iterator[MLSMessage]:
    """Yield carol's proposals, of each kind and in both wire formats."""
    environment, carol = world.environment, world.states["carol"]
    for proposal in _contents(world, bundles):
        yield forging.public(carol, forging.signed(carol, proposal))
        yield forging.private(carol, forging.signed(carol, proposal, wire_format=WireFormat.PRIVATE_MESSAGE))
    for wire_format in FORMATS:
        yield propose_update(carol, environment, leaf_changes=LeafChanges(), wire_format=wire_format).output
    yield leave(carol, environment).output


def _commits(world: World, bundles: tuple[KeyPackageBundle, ...]) -> Iterator[CommitOutput]:
    """Yield Commits by carol: the first removes alice, the second closes the group."""
    environment, carol = world.environment, world.states["carol"]

    def made(*proposals: AnyProposal, options: CommitOptions = CommitOptions()) -> CommitOutput:  # noqa: B008
        return commit(carol, environment, now=world.now, proposals=proposals, options=options).output

    yield made(Remove(world.leaf("alice")))
    yield made(ReInit(b"another group", MLS10, world.suite_number, ()))
    adds = [Add(bundle.key_package) for bundle in bundles]
    yield made(*adds, options=CommitOptions(external_join=True))
    yield made(*adds, options=CommitOptions(with_path=False, welcome_with_tree=False))
    for wire_format in FORMATS:
        options = CommitOptions(wire_format=wire_format)
        yield made(options=options)
        for proposal in _contents(world, bundles):
            yield made(proposal, options=options)


def _from_outside(world: World, bundles: tuple[KeyPackageBundle, ...], info: MLSMessage) -> Iterator[MLSMessage]:
    """Yield what those may send who are no members."""
    context, environment = world.states["carol"].public.context, world.environment
    for proposal in _contents(world, bundles)[:-1]:
        yield external_proposal(context, 0, world.client("watcher").signature_key, proposal)
    yield new_member_proposal(context, world.client("newcomer").signature_key, bundles[0].key_package)
    yield join_externally(world.client("newcomer"), environment, info).output.message
    back = join_externally(world.client("erin"), environment, info, replaces=world.states["erin"].own_leaf)
    yield back.output.message

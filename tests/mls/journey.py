"""A group's life with every kind of step in it, for what must hold after each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from mls.crypto.secret import Secret
from mls.group.committing import CommitOptions, commit
from mls.group.creation import Client, KeyPackageBundle
from mls.group.epoch import expire
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import drop_proposals, leave, propose_update, protect
from mls.group.received import ApplicationMessage, OwnMessage, ProposalReceived
from mls.group.state import GroupState, Status, Transition
from mls.registry import MLS10, ResumptionPSKUsage, WireFormat
from mls.wire.proposals import Add, PreSharedKey, ReInit, Remove
from mls.wire.psk import ExternalPSK, PreSharedKeyID, ResumptionPSK
from tests.mls.world import GROUP_ID, World, proposing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mls.group.received import Received
    from mls.tree.math import LeafIndex
    from mls.wire.message import MLSMessage
    from mls.wire.proposals import AnyProposal

__all__ = ["Step", "WatchedWorld", "come_from_outside", "live", "post", "say", "talk"]

Output = TypeVar("Output")

Step: TypeAlias = Callable[[str, GroupState | None, Transition[object]], GroupState]
"""Is shown who makes a step, from which state (`None` for the first one in the group), and what it gives. Returns
the state to go on with: the transition's, or that state after a restart."""


def _as_it_is(name: str, before: GroupState | None, transition: Transition[object]) -> GroupState:  # noqa: ARG001
    return transition.state


@dataclass
class WatchedWorld(World):
    """A world that shows each step to somebody, before anything is wiped."""

    watch: Step = _as_it_is

    def found(self, name: str, **options: object) -> GroupState:
        created = super().found(name, **options)  # type: ignore[arg-type]
        self.states[name] = self.watch(name, None, Transition(created, None, ()))
        return self.states[name]

    def adopt(self, name: str, transition: Transition[Output]) -> Output:
        before = None if transition.state.revision == 0 else self.states.get(name)
        state = self.watch(name, before, transition)
        return super().adopt(name, replace(transition, state=state))


def say(world: World, name: str, data: bytes = b"hello", authenticated_data: bytes = b"") -> MLSMessage:
    """Let a member say something; nobody has heard it yet."""
    return world.adopt(
        name, protect(world.states[name], world.environment, data, authenticated_data=authenticated_data)
    )


def talk(world: World) -> None:
    """Let each member say something, and see that all others read it, and know from whom it is."""
    present = [name for name, state in world.states.items() if state.status is Status.ACTIVE]
    for name in present:
        data = b"good morning from " + name.encode()
        state = world.states[name]
        received = world.deliver(say(world, name, data, b"in the clear"), to=present)
        own = received.pop(name)
        assert isinstance(own, OwnMessage)
        assert own.is_known
        for message in received.values():
            assert isinstance(message, ApplicationMessage)
            assert (message.sender, message.sender_leaf) == (state.own_leaf, state.public.tree.leaf(state.own_leaf))
            assert (message.epoch, message.generation) == (state.epoch, own.generation)
            assert (message.data, message.authenticated_data) == (data, b"in the clear")


def post(
    world: World, name: str, proposal: AnyProposal, *, wire_format: WireFormat = WireFormat.PRIVATE_MESSAGE
) -> bytes:
    """Let a member propose something, and all hear it. Returns the proposal's reference."""
    world.deliver(
        world.adopt(name, proposing(world.states[name], world.environment, proposal, wire_format=wire_format))
    )
    reference = world.states[name].proposals[-1].reference
    assert reference is not None
    return reference


def come_from_outside(
    world: World,
    name: str,
    helper: str,
    *,
    client: Client | None = None,
    replaces: LeafIndex | None = None,
    psks: Sequence[PreSharedKeyID] = (),
    self_removes: Sequence[MLSMessage] = (),
    with_tree: bool = True,
) -> dict[str, Received]:
    """Let a client join by an external Commit, with a GroupInfo of a helper's, and all who are there accept it."""
    public = world.states[helper].public
    made = join_externally(
        client or world.client(name),
        world.environment,
        group_info(world.states[helper], with_tree=with_tree).encode(),
        tree=None if with_tree else public.tree.to_extension(),
        replaces=replaces,
        psks=psks,
        self_removes=[message.encode() for message in self_removes],
    )
    received = world.deliver(made.output.message)
    world.states.pop(name, None)
    world.adopt(name, made)
    world.check_agreement()
    return received


def live(world: World) -> None:
    """Take alice, bob and those who come later through every kind of step.

    In the end alice and bob are in a group that was closed by a ReInit, and grace was removed from it.
    """
    world.set(psks={b"shared": Secret(b"told over tea")})
    world.found("alice")
    world.add("alice", "bob", "carol", "dave")
    talk(world)
    talk(world)
    _add_without_path(world)
    _overtake(world)
    _commit_what_was_proposed(world)
    _race(world)
    come_from_outside(world, "frank", "bob")
    come_from_outside(world, "frank", "carol", replaces=world.states["frank"].own_leaf)
    talk(world)
    _leave(world)
    _change_one_s_mind(world)
    grace = world.states.pop("grace")
    world.commit("alice", ReInit(b"the next group", MLS10, world.suite_number, ()))
    world.states["grace"] = grace
    for name in list(world.states):
        world.now += 1_000_000
        world.adopt(name, expire(world.states[name], now=world.now, limits=world.environment.limits))


def _add_without_path(world: World) -> None:
    """Bob adds erin, openly, without a path, and hands her the tree himself."""
    world.add("bob", "erin", options=_plain())
    talk(world)


def _plain() -> CommitOptions:
    return CommitOptions(wire_format=WireFormat.PUBLIC_MESSAGE, with_path=False, welcome_with_tree=False)


def _overtake(world: World) -> None:
    """Messages of alice's come in another order than she sent them, one of them never, one in the next epoch."""
    sent = [say(world, "alice", bytes([number])) for number in range(5)]
    for number in (3, 0, 1):
        world.deliver(sent[number])
    world.commit("carol")
    world.deliver(sent[4])


def _commit_what_was_proposed(world: World) -> None:
    """Alice commits what the others have proposed. Erin is removed by it, and reads a late message."""
    late = say(world, "bob", b"last words")
    update = propose_update(
        world.states["carol"],
        world.environment,
        leaf_changes=LeafChanges(signature_key=world.suite.generate_signature_key(world.environment.random)),
    )
    world.deliver(world.adopt("carol", update))
    nonce = world.environment.random(world.suite.Nh)
    epoch = ResumptionPSK(ResumptionPSKUsage.APPLICATION, GROUP_ID, world.states["bob"].epoch - 1)
    post(
        world, "bob", PreSharedKey(PreSharedKeyID(ExternalPSK(b"shared"), nonce)), wire_format=WireFormat.PUBLIC_MESSAGE
    )
    post(world, "dave", PreSharedKey(PreSharedKeyID(epoch, nonce)))
    post(world, "bob", Remove(world.leaf("erin")))
    world.commit("alice")
    assert world.states["erin"].status is Status.REMOVED
    world.deliver(late)
    del world.states["erin"]
    talk(world)


def _race(world: World) -> None:
    """Dave's Commit is first; alice's, which adds somebody and changes her keys, was too late."""
    bundle: KeyPackageBundle = world.key_package("late")
    lost = commit(world.states["alice"], world.environment, now=world.now, proposals=[Add(bundle.key_package)])
    world.adopt("alice", lost)
    won = commit(world.states["dave"], world.environment, now=world.now)
    world.deliver(world.adopt("dave", won).message)
    assert not world.states["alice"].pending
    talk(world)


def _leave(world: World) -> None:
    """Dave leaves by way of grace, who comes in; frank by a Commit; carol is thrown out."""
    farewell = world.adopt("dave", leave(world.states["dave"], world.environment))
    world.deliver(farewell)
    come_from_outside(world, "grace", "alice", self_removes=[farewell])
    assert world.states.pop("dave").status is Status.REMOVED
    world.deliver(world.adopt("frank", leave(world.states["frank"], world.environment)))
    world.commit("bob")
    assert world.states.pop("frank").status is Status.REMOVED
    world.commit("grace", Remove(world.leaf("carol")))
    assert world.states.pop("carol").status is Status.REMOVED


def _change_one_s_mind(world: World) -> None:
    """Grace proposes her own Update; the others drop it, and alice removes grace in the end."""
    proposed = propose_update(world.states["grace"], world.environment, leaf_changes=LeafChanges())
    message = world.adopt("grace", proposed)
    received = world.deliver(message, to=["alice", "bob"])["alice"]
    assert isinstance(received, ProposalReceived)
    assert received.proposed.reference is not None
    for name in ("alice", "bob"):
        world.adopt(name, drop_proposals(world.states[name], [received.proposed.reference]))
    world.commit("alice", Remove(world.leaf("grace")))

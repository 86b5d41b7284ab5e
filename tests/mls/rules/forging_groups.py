"""What is forged here concerns a group as a whole: lists of proposals, trees, and the groups that follow on others.

The functions named `*_refuse*` hold the proof: each takes something forged that is right in all other respects, and
sees it refused because of one rule, everywhere that it could come in. Then the group must go on as if nothing had
been: the forger's own state was never replaced, so that it sends an honest Commit next.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mls.group.committing import CommitOptions, commit, commit_linked
from mls.group.creation import create_group, default_capabilities
from mls.group.environment import Proposed
from mls.group.external import join_externally
from mls.group.joining import join
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import propose_update
from mls.group.processing import process
from mls.registry import GREASE, ResumptionPSKUsage, WireFormat
from mls.tree.math import LeafIndex, NodeIndex
from mls.tree.parent_hash import parent_hash
from mls.wire.credentials import BasicCredential
from mls.wire.leaf_node import CommitSource
from mls.wire.proposals import Add, PreSharedKey
from mls.wire.psk import ExternalPSK, PreSharedKeyID, ResumptionPSK
from mls.wire.tree import ParentNode
from tests.mls.rules.doors import assert_goes_on
from tests.mls.rules.forging import Path, dishonest, forged_commit, resigned
from tests.mls.rules.support import refused
from tests.mls.world import LIFETIME, World, fingerprint, proposing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mls.crypto.signature import SignaturePrivateKey
    from mls.group.creation import Client, KeyPackageBundle
    from mls.group.state import GroupState
    from mls.rules import Rule
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.credentials import AnyCredential
    from mls.wire.extensions import Extension
    from mls.wire.leaf_node import LeafNode
    from mls.wire.message import MLSMessage
    from mls.wire.proposals import AnyProposal

__all__ = [
    "GREASED",
    "HONEST",
    "UNKNOWN_TYPE",
    "KnowsNames",
    "capable",
    "external_psk",
    "newcomer_refuses",
    "outsider_refuses",
    "pretend_to_support_grease",
    "proposals_are_refused",
    "propose_to_all",
    "resumption_psk",
    "successor",
    "update_to_all",
    "welcome_to",
    "with_forged_path",
    "world_where",
]

HONEST = Path()

UNKNOWN_TYPE = 0xF1A0
"""An extension, proposal or credential type out of the range for private use: nobody supports it but who says so."""

GREASED = min(GREASE)


class KnowsNames:
    """An authentication service for which a basic credential's identity is the client's name."""

    def accepts(self, credential: AnyCredential, signature_key: bytes) -> bool:  # noqa: ARG002 - names alone count
        return isinstance(credential, BasicCredential)

    def accepts_successor(self, old: AnyCredential, new: AnyCredential) -> bool:
        return old == new

    def client_id(self, leaf: LeafNode) -> bytes | None:
        return leaf.credential.identity if isinstance(leaf.credential, BasicCredential) else None


def capable(world: World, *names: str) -> None:
    """Let these clients support `UNKNOWN_TYPE` wherever a type can stand, in the leaves that they make from now on."""
    usual = default_capabilities([world.suite_number], extensions=[UNKNOWN_TYPE], proposals=[UNKNOWN_TYPE])
    capabilities = usual.replace(credentials=(*usual.credentials, UNKNOWN_TYPE))
    for name in names:
        world.clients[name] = replace(world.client(name), capabilities=capabilities)


def pretend_to_support_grease(world: World, *names: str) -> None:
    """Let these clients list a GREASE value, as everybody should, which means that they support nothing (13.5)."""
    for name in names:
        capabilities = default_capabilities([world.suite_number], extensions=[GREASED])
        world.clients[name] = replace(world.client(name), capabilities=capabilities)


def world_where(*supporters: str, others: Sequence[str], extensions: tuple[Extension, ...] = ()) -> World:
    """Return a world in which the first members support `UNKNOWN_TYPE`, and the others do not."""
    world = World()
    capable(world, *supporters)
    world.found(supporters[0], extensions=extensions)
    world.add(supporters[0], *supporters[1:], *others)
    return world


# Proofs


def proposals_are_refused(
    world: World, rule: Rule, *proposals: AnyProposal | Proposed, also: Sequence[Rule] = (), path: Path | None = HONEST
) -> None:
    """See that nobody lets "a" commit these proposals: not the others when it does, nor its own engine.

    `Proposed` are committed by reference. `also` are other rules that the forger must ignore to commit them.
    """
    author = world.states["a"]
    with dishonest(rule, *also):
        message = forged_commit(author, world.environment, *proposals, path=path).sent_by(author)
    others = [name for name in world.states if name != "a"]
    for name in others:
        before = fingerprint(world.states[name])
        with refused(rule):
            process(world.states[name], world.environment, message.encode(), now=world.now)
        assert fingerprint(world.states[name]) == before
    by_value = [item for item in proposals if not isinstance(item, Proposed)]
    references = [item.reference for item in proposals if isinstance(item, Proposed) and item.reference]
    with refused(rule):
        commit(author, world.environment, now=world.now, proposals=by_value, references=references)
    assert_goes_on(world, others[0])


def newcomer_refuses(
    world: World,
    welcome: MLSMessage,
    bundle: KeyPackageBundle,
    rule: Rule,
    *,
    groups: Sequence[bytes] = (),
    previous: GroupState | None = None,
) -> None:
    """See that whoever a Welcome is for does not join by it, and that its KeyPackage is as good as before."""
    with refused(rule):
        join(world.environment, welcome.encode(), [bundle], groups=groups, previous=previous)
    world.commit("a", Add(bundle.key_package), joiners=[("newcomer", bundle)])


def outsider_refuses(world: World, name: str, rule: Rule, group_info: MLSMessage) -> None:
    """See that a client does not make an external Commit with this GroupInfo."""
    with refused(rule):
        join_externally(world.client(name), world.environment, group_info.encode())


# Proposals by reference


def propose_to_all(
    world: World, name: str, proposal: AnyProposal, *, wire_format: WireFormat = WireFormat.PRIVATE_MESSAGE
) -> Proposed:
    """Let a member propose something, and return it as all have it now."""
    made = proposing(world.states[name], world.environment, proposal, wire_format=wire_format)
    world.deliver(world.adopt(name, made))
    return world.states[name].proposals[-1]


def update_to_all(world: World, name: str, leaf_changes: LeafChanges = LeafChanges()) -> Proposed:  # noqa: B008
    """Let a member propose a fresh leaf for itself, and return it as all have it now."""
    made = propose_update(world.states[name], world.environment, leaf_changes=leaf_changes)
    world.deliver(world.adopt(name, made))
    return world.states[name].proposals[-1]


def welcome_to(world: World, bundle: KeyPackageBundle, *more: AnyProposal, with_tree: bool = True) -> MLSMessage:
    """Return the honest Welcome of a Commit by "a" that nobody ever sees."""
    proposals, options = [Add(bundle.key_package), *more], CommitOptions(welcome_with_tree=with_tree)
    made = commit(world.states["a"], world.environment, now=world.now, proposals=proposals, options=options)
    welcome = made.output.pending.welcome
    assert welcome is not None
    return welcome


# PSKs, and groups that follow on others


def external_psk(world: World, name: bytes = b"psk") -> PreSharedKey:
    return PreSharedKey(PreSharedKeyID(ExternalPSK(name), world.environment.random(world.suite.Nh)))


def resumption_psk(
    world: World, usage: ResumptionPSKUsage, state: GroupState, epoch: int | None = None
) -> PreSharedKey:
    """Return a proposal of the PSK of an epoch of a group, the current one unless told otherwise."""
    psk = ResumptionPSK(usage, state.group_id, state.epoch if epoch is None else epoch)
    return PreSharedKey(PreSharedKeyID(psk, world.environment.random(state.suite.Nh)))


def successor(
    world: World,
    client: Client,
    *proposals: AnyProposal,
    usage: ResumptionPSKUsage,
    group_id: bytes,
    extensions: tuple[Extension, ...] = (),
    first_epoch: int = 1,
) -> MLSMessage:
    """Return the Welcome of a new group whose Commit of these proposals leads to `first_epoch`.

    This is what `branch` and `reinitialize` do, but for any client, any members and any PSKs: "a", who is a member
    of the old group, knows what these are.
    """
    created = create_group(client, world.environment, group_id=group_id, lifetime=LIFETIME, extensions=extensions)
    state = created.state
    for _ in range(first_epoch - 1):
        made = commit(state, world.environment, now=world.now)
        state = process(made.state, world.environment, made.output.message, now=world.now).state
    old = {key.epoch: key.psk for key in world.states["a"].resumption_keys}
    environment = replace(world.environment, resumption_keys=lambda _, epoch: old.get(epoch))
    made = commit_linked(state, environment, now=world.now, proposals=proposals, options=CommitOptions(), usage=usage)
    welcome = made.output.pending.welcome
    assert welcome is not None
    return welcome


# Trees


def with_forged_path(
    world: World,
    tree: RatchetTree,
    leaf: int,
    key: SignaturePrivateKey,
    *,
    public_keys: Mapping[int, bytes] | None = None,
    unmerged_leaves: Mapping[int, tuple[int, ...]] | None = None,
) -> RatchetTree:
    """Return the tree as a path by a leaf leaves it: with true hashes, over nodes whose content can be chosen.

    `public_keys` and `unmerged_leaves` are by node index.
    """
    suite, index = world.suite, LeafIndex(leaf)
    old = tree.leaf(leaf)
    assert old is not None
    edit, above = tree.edit(), b""
    edit.blank_path(index)
    for node, child in reversed(tree.filtered_direct_path(index)):
        fresh = suite.generate_hpke_key(world.environment.random).public_key
        parent = ParentNode((public_keys or {}).get(node, fresh), above, (unmerged_leaves or {}).get(node, ()))
        edit.set_parent(NodeIndex(node), parent)
        above = parent_hash(tree, parent, child)
    fresh = suite.generate_hpke_key(world.environment.random).public_key
    changed = old.replace(encryption_key=fresh, leaf_node_source=CommitSource(above))
    edit.set_leaf(index, resigned(suite, changed, key, group_id=world.states["a"].group_id, index=leaf))
    return edit.freeze()

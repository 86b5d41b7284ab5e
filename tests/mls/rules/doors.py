"""The doors through which something bad can come in, and what must hold once it was refused.

Each function takes a bad thing to the doors that it could come through, and sees it refused because of one rule,
with the group none the worse. The worlds it is given have alice, bob and carol in the group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls.group.committing import CommitOptions, commit
from mls.group.external import join_externally
from mls.group.joining import join
from mls.group.processing import process
from mls.group.received import ProposalReceived
from mls.wire.proposals import Add
from tests.mls.rules.forging import (
    Path,
    dishonest,
    forged_commit,
    forged_group_info,
    forged_welcome,
    public,
    signed,
    with_leaf,
)
from tests.mls.rules.support import refused
from tests.mls.world import fingerprint

if TYPE_CHECKING:
    from mls.group.creation import KeyPackageBundle
    from mls.rules import Rule
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.message import MLSMessage
    from mls.wire.proposals import AnyProposal, Update
    from tests.mls.world import World

__all__ = [
    "assert_goes_on",
    "refused_by",
    "refused_in_add",
    "refused_in_path",
    "refused_in_tree",
    "refused_in_update",
    "refused_join",
    "refused_proposal",
]

HONEST = Path()

WITHOUT_PATH = CommitOptions(with_path=False)
"""Without a path where none is required: so that it is not the path that a proposal's effects are seen by."""


def refused_by(world: World, name: str, rule: Rule, message: MLSMessage | bytes) -> None:
    """See that a member refuses a message, that nothing of it stays, and that the group goes on."""
    state = world.states[name]
    before = fingerprint(state)
    data = message if isinstance(message, bytes) else message.encode()
    with refused(rule):
        process(state, world.environment, data, now=world.now)
    assert fingerprint(state) == before, "what was refused left a trace"
    assert_goes_on(world, name)


def assert_goes_on(world: World, name: str) -> None:
    """See that a member still follows the group: another one's Commit, which all take, and one of its own."""
    other = next(member for member in world.states if member != name)
    for author in (other, name):
        world.commit(author, references=())


def refused_proposal(world: World, rule: Rule, proposal: AnyProposal, *, path: Path | None = HONEST) -> None:
    """See that alice does not commit a proposal, and that bob does not follow her if she does, with this path."""
    alice = world.states["alice"]
    with refused(rule):
        commit(alice, world.environment, now=world.now, proposals=[proposal], options=WITHOUT_PATH)
    with dishonest():
        bad = forged_commit(alice, world.environment, proposal, path=path)
    refused_by(world, "bob", rule, bad.sent_by(alice))


def refused_in_add(world: World, rule: Rule, bundle: KeyPackageBundle) -> None:
    """See that nobody adds a KeyPackage."""
    refused_proposal(world, rule, Add(bundle.key_package), path=None)


def refused_in_update(world: World, rule: Rule, update: Update, *, path: Path | None = HONEST) -> None:
    """See that nobody commits bob's Update, and that carol does not follow alice if she does.

    The Update itself waits, as any proposal does that has a true signature. `path` is that of alice's Commit.
    """
    bob = world.states["bob"]
    message = public(bob, signed(bob, update))
    received = [world.process(name, message) for name in ("alice", "carol")]
    assert isinstance(received[0], ProposalReceived)
    proposed = received[0].proposed
    assert proposed.reference is not None
    alice = world.states["alice"]
    with refused(rule):
        commit(alice, world.environment, now=world.now, references=[proposed.reference])
    with dishonest():
        bad = forged_commit(alice, world.environment, proposed, path=path)
    refused_by(world, "carol", rule, bad.sent_by(alice))


def refused_in_path(world: World, rule: Rule, path: Path) -> None:
    """See that bob does not follow a Commit of alice's with this path."""
    alice = world.states["alice"]
    refused_by(world, "bob", rule, forged_commit(alice, world.environment, path=path).sent_by(alice))


def refused_in_tree(world: World, rule: Rule, bundle: KeyPackageBundle) -> None:
    """See that nobody joins a group that has this KeyPackage's leaf in its tree."""
    refused_join(world, rule, with_leaf(world.states["alice"].public.tree, bundle))


def refused_join(world: World, rule: Rule, tree: RatchetTree) -> None:
    """See that nobody joins a group with this tree, invited or not."""
    alice, joiner = world.states["alice"], world.key_package("a newcomer")
    welcome = forged_welcome(alice, joiner, world.environment, tree=with_leaf(tree, joiner))
    with refused(rule):
        join(world.environment, welcome.encode(), [joiner])
    group_info = forged_group_info(alice, tree=tree)
    with refused(rule):
        join_externally(world.client("an outsider"), world.environment, group_info.encode())

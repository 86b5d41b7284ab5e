"""Whole groups, step by step, as Hypothesis would have it: see `tests.mls.delivery` for what must hold.

`GROUP_MACHINE_EXAMPLES` and `GROUP_MACHINE_STEPS` make a longer search.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from mls.errors import RuleError
from mls.group.committing import CommitOptions
from mls.group.epoch import expire
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import leave, propose, propose_add, propose_update
from mls.registry import WireFormat
from mls.wire.framing import PublicMessage
from mls.wire.message import MLSMessage
from mls.wire.proposals import Add, PreSharedKey, Remove, SelfRemove
from mls.wire.psk import ExternalPSK, PreSharedKeyID
from tests.mls.delivery import Delivery, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mls.tree.math import LeafIndex
    from mls.wire.proposals import AnyProposal
    from tests.mls.participants import Member

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace")

Item = TypeVar("Item")

Actor: TypeAlias = tuple[int, bool]

numbers = st.integers(0, 20)
"""Somebody, or something, out of those that there are."""

actors = st.tuples(numbers, st.sampled_from((True, True, True, False)))
"""Who acts, and whether it has read the log to its end before."""

wire_formats = st.sampled_from((WireFormat.PRIVATE_MESSAGE, WireFormat.PUBLIC_MESSAGE))

commit_options = st.builds(
    CommitOptions, wire_format=wire_formats, with_path=st.booleans(), welcome_with_tree=st.booleans()
)


def pick(items: Sequence[Item], number: int) -> Item:
    """Return one of the items."""
    return items[number % len(items)]


class GroupMachine(RuleBasedStateMachine):
    """The steps that clients and the Delivery Service can take."""

    delivery: Delivery

    @initialize(seed=st.integers(0, 5), others=st.integers(1, 5))
    def found(self, seed: int, others: int) -> None:
        """Let alice create the group, and add some at once."""
        self.delivery = Delivery(seed)
        self.delivery.found("alice")
        self.add((0, True), others, CommitOptions())
        self.everybody_follows()
        self.accept(0, others)

    # Who there is

    def actor(self, who: Actor) -> Member:
        """Return an active member; alice is never removed, so there is one."""
        number, reads_first = who
        member = pick(list(self.delivery.members.values()), number)
        if reads_first:
            self.catch_up(member)
        return member if member.is_active else self.delivery.members["alice"]

    def others(self, member: Member) -> list[LeafIndex]:
        """Return the leaves that a member may remove, as it sees the group."""
        return [
            index
            for index, leaf in member.state.members()
            if index != member.state.own_leaf and name_of(leaf) != "alice"
        ]

    def outsiders(self, member: Member) -> list[str]:
        """Return who is not in the group, as a member sees it."""
        inside = {name_of(leaf) for _, leaf in member.state.members()}
        return [name for name in NAMES if name not in inside]

    # Commits

    def commit(self, author: Member, *proposals: AnyProposal, options: CommitOptions) -> None:
        """Commit, unless what waits already does not go together with it."""
        try:
            self.delivery.commit(author, proposals, options=options)
        except RuleError:
            self.delivery.commit(author, proposals, options=options, references=())

    @rule(by=actors, count=st.integers(1, 3), options=commit_options)
    def add(self, by: Actor, count: int, options: CommitOptions) -> None:
        """Add some clients at once."""
        author = self.actor(by)
        bundles = [self.delivery.key_package(name) for name in self.outsiders(author)[:count]]
        if bundles:
            self.commit(author, *(Add(bundle.key_package) for bundle in bundles), options=options)

    @rule(by=actors, whom=numbers, options=commit_options)
    def remove(self, by: Actor, whom: int, options: CommitOptions) -> None:
        """Remove somebody."""
        author = self.actor(by)
        if self.others(author):
            self.commit(author, Remove(pick(self.others(author), whom)), options=options)

    @rule(by=actors, options=commit_options)
    def commit_what_waits(self, by: Actor, options: CommitOptions) -> None:
        """Commit what was proposed, or nothing but fresh keys."""
        self.commit(self.actor(by), options=options)

    @rule(by=actors, wire_format=wire_formats)
    def change_keys(self, by: Actor, wire_format: WireFormat) -> None:
        """Commit a new signature key."""
        world = self.delivery.world
        key = world.suite.generate_signature_key(world.environment.random)
        options = CommitOptions(wire_format=wire_format, leaf_changes=LeafChanges(signature_key=key))
        self.commit(self.actor(by), options=options)

    @rule(by=actors, options=commit_options)
    def inject_psk(self, by: Actor, options: CommitOptions) -> None:
        """Commit a pre-shared key that everybody has."""
        self.commit(self.actor(by), self.psk(), options=options)

    def psk(self) -> PreSharedKey:
        """Return a proposal of it."""
        world = self.delivery.world
        return PreSharedKey(PreSharedKeyID(ExternalPSK(b"shared"), world.environment.random(world.suite.Nh)))

    @rule(first=numbers, second=numbers, options=commit_options)
    def race(self, first: int, second: int, options: CommitOptions) -> None:
        """Let two members, who know all there is, commit at the same time."""
        for member in [self.actor((number, True)) for number in (first, second)]:
            self.commit(member, options=options)

    # Proposals

    def remark(self) -> bytes:
        """Return something to be said beside a proposal that makes it another one each time."""
        return f"proposal {len(self.delivery.log)}".encode()

    @rule(by=actors, wire_format=wire_formats)
    def propose_update(self, by: Actor, wire_format: WireFormat) -> None:
        """Propose fresh keys of one's own."""
        author = self.actor(by)
        environment = self.delivery.world.environment
        made = propose_update(
            author.state,
            environment,
            leaf_changes=LeafChanges(),
            wire_format=wire_format,
            authenticated_data=self.remark(),
        )
        self.delivery.post(author, made)

    @rule(by=actors, whom=numbers, wire_format=wire_formats)
    def propose_add(self, by: Actor, whom: int, wire_format: WireFormat) -> None:
        """Propose to add somebody."""
        author = self.actor(by)
        if self.outsiders(author):
            bundle = self.delivery.key_package(pick(self.outsiders(author), whom))
            environment, now = self.delivery.world.environment, self.delivery.now
            made = propose_add(
                author.state,
                environment,
                bundle.key_package,
                now=now,
                wire_format=wire_format,
                authenticated_data=self.remark(),
            )
            self.delivery.post(author, made)

    @rule(by=actors, whom=numbers, wire_format=wire_formats)
    def propose_remove(self, by: Actor, whom: int, wire_format: WireFormat) -> None:
        """Propose to remove somebody."""
        author = self.actor(by)
        if self.others(author):
            self.propose(author, Remove(pick(self.others(author), whom)), wire_format)

    @rule(by=actors, wire_format=wire_formats)
    def propose_psk(self, by: Actor, wire_format: WireFormat) -> None:
        """Propose a pre-shared key."""
        self.propose(self.actor(by), self.psk(), wire_format)

    def propose(self, author: Member, proposal: AnyProposal, wire_format: WireFormat) -> None:
        """Propose anything for which there is no function of its own."""
        environment = self.delivery.world.environment
        self.delivery.post(
            author,
            propose(author.state, environment, proposal, wire_format=wire_format, authenticated_data=self.remark()),
        )

    @rule(by=actors)
    def leave(self, by: Actor) -> None:
        """Propose one's own removal."""
        author = self.actor(by)
        if author.name != "alice":
            self.delivery.post(
                author, leave(author.state, self.delivery.world.environment, authenticated_data=self.remark())
            )

    # Coming in

    @precondition(lambda self: self.delivery.invitations)
    @rule(whom=numbers, count=st.integers(1, 3))
    def accept(self, whom: int, count: int) -> None:
        """Let some use their Welcomes."""
        for _ in range(min(count, len(self.delivery.invitations))):
            self.delivery.accept(pick(list(self.delivery.invitations), whom))

    @rule(name=st.sampled_from(NAMES[1:]), helper=actors, with_those_who_leave=st.booleans())
    def come(self, name: str, helper: Actor, *, with_those_who_leave: bool) -> None:
        """Come in, or back, by an external Commit."""
        host = self.actor(helper)
        leaving = self.leaving(host.state.epoch, name) if with_those_who_leave else []
        self.delivery.come(name, host, self_removes=leaving)

    def leaving(self, epoch: int, without: str) -> list[bytes]:
        """Return the SelfRemoves in the log that are for an epoch, one for each author."""
        found: dict[str, bytes] = {}
        for entry in self.delivery.log:
            if entry.counts and entry.epoch == epoch and entry.author is not None and entry.author.name != without:
                message = MLSMessage.decode(entry.data).message
                if isinstance(message, PublicMessage) and isinstance(message.content.content, SelfRemove):
                    found[entry.author.name] = entry.data
        return list(found.values())

    # What is sent

    @rule(by=actors, times=st.integers(1, 3))
    def speak(self, by: Actor, times: int) -> None:
        """Say something."""
        for _ in range(times):
            self.delivery.speak(self.actor(by))

    @precondition(lambda self: self.delivery.letters)
    @rule(who=numbers, what=st.integers(0, 100), times=st.integers(1, 2))
    def hear(self, who: int, what: int, times: int) -> None:
        """Hear one message, perhaps again."""
        member = pick(list(self.delivery.members.values()), who)
        for _ in range(times):
            self.delivery.hear(member, pick(self.delivery.letters, what))

    @rule(who=numbers, count=st.integers(1, 4))
    def follow(self, who: int, count: int) -> None:
        """Read on in the log."""
        member = pick(list(self.delivery.members.values()), who)
        for _ in range(count):
            if self.delivery.is_behind(member):
                self.delivery.follow(member)

    @rule()
    def everybody_follows(self) -> None:
        """Let everybody read all there is."""
        for member in self.delivery.members.values():
            self.catch_up(member)

    def catch_up(self, member: Member) -> None:
        """Let a member read all there is."""
        while self.delivery.is_behind(member):
            self.delivery.follow(member)

    @precondition(lambda self: self.delivery.log)
    @rule(what=st.integers(0, 100))
    def repeat(self, what: int) -> None:
        """Put something into the log again."""
        self.delivery.repeat(what % len(self.delivery.log))

    # What befalls them

    @rule(who=numbers)
    def restart(self, who: int) -> None:
        """End a program, and start it again."""
        self.delivery.restart(pick(list(self.delivery.members), who))

    @rule(seconds=st.sampled_from((60, 3600, 30 * 3600)), who=numbers)
    def wait(self, seconds: int, who: int) -> None:
        """Let time pass. One member clears up after it."""
        self.delivery.now += seconds
        member = pick(list(self.delivery.members.values()), who)
        limits = self.delivery.world.environment.limits
        self.delivery.step(member, expire(member.state, now=self.delivery.now, limits=limits))

    def teardown(self) -> None:
        """Look at what has become of them all."""
        if hasattr(self, "delivery"):
            self.delivery.settle()


TestGroups = GroupMachine.TestCase
TestGroups.settings = settings(
    max_examples=int(os.environ.get("GROUP_MACHINE_EXAMPLES", "80")),
    stateful_step_count=int(os.environ.get("GROUP_MACHINE_STEPS", "40")),
    suppress_health_check=[HealthCheck.too_slow],
)

"""A Delivery Service without mercy, its clients, and what the service's order says must come of everything.

Handshake messages stand in one log, in which each member reads on at its own pace: somebody may be far behind,
propose and commit there, and lose. The log decides: the first Commit for an epoch that it holds is the one, whatever
else comes for that epoch is refused by all. Application messages are in no order: any of them reaches any member
at any time, any number of times, or never.

What each message does is known beforehand, from the log alone: `follow` and `hear` compare it with what the engine
does. A member's steps are all stored, part by part, and `restart` goes on with what is stored.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import pytest

from mls.crypto.secret import Secret, wipe
from mls.errors import ExhaustedError, MlsError, UsageError, WrongEpochError
from mls.group.committing import CommitOptions, commit
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.joining import join
from mls.group.messaging import protect
from mls.group.processing import process
from mls.group.received import ApplicationMessage, Committed, MemberAdded, MemberRemoved, OwnMessage, ProposalReceived
from mls.group.state import Status
from mls.wire.credentials import BasicCredential
from tests.mls.outcasts import Outcast, SealedPath, private_keys
from tests.mls.participants import Entry, Invitation, Letter, Member
from tests.mls.world import NOW, World, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mls.group.creation import KeyPackageBundle
    from mls.group.received import Received
    from mls.group.state import GroupState, Transition
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.leaf_node import LeafNode
    from mls.wire.message import MLSMessage
    from mls.wire.proposals import AnyProposal

__all__ = ["Delivery", "name_of"]

Output = TypeVar("Output")


class Delivery:
    """The service and everybody who uses it."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed=seed)
        self.world.set(psks={b"shared": Secret(b"told over tea")})
        self.now = NOW
        self.log: list[Entry] = []
        self.letters: list[Letter] = []
        self.members: dict[str, Member] = {}
        self.invitations: dict[str, Invitation] = {}
        self.bundles: dict[bytes, KeyPackageBundle] = {}
        """By reference to the KeyPackage."""
        self.outcasts: list[Outcast] = []
        self.epoch = 0
        """Of the group, at the log's end."""
        self._agreed: dict[int, tuple[bytes, bytes]] = {}
        self._outputs: dict[int, tuple[object, ...]] = {}

    # Steps

    def step(self, member: Member, transition: Transition[Output]) -> Output:
        """Take a step's result as a caller should: store the state, wipe what is spent, go on."""
        before, after = member.state, transition.state
        assert fingerprint(before) == member.as_it_was, "a step changed its input"
        if after is not before:
            assert after.revision == before.revision + 1
            member.store.save(before, after)
        kept = {id(secret) for secret in after.secrets()}
        assert not any(id(secret) in kept for secret in transition.spent)
        wipe(transition.spent)
        member.state, member.as_it_was = after, fingerprint(after)
        self._check_agreement(after)
        return transition.output

    def restart(self, name: str) -> None:
        """Let a member go on with what it has stored."""
        member = self.members[name]
        reloaded = member.store.load()
        assert fingerprint(reloaded) == member.as_it_was
        member.state = reloaded

    def _check_agreement(self, state: GroupState) -> None:
        """Check that whoever is in an epoch has the same authenticator and context, now and ever."""
        if state.status is not Status.REMOVED:
            mine = state.epoch_authenticator, state.public.context.encode()
            assert self._agreed.setdefault(state.epoch, mine) == mine, f"there are two epochs {state.epoch}"

    # Coming in

    def found(self, name: str) -> None:
        """Let a client create the group."""
        self._enter(name, self.world.found(name), 0)

    def key_package(self, name: str) -> KeyPackageBundle:
        """Return a new KeyPackage of a client's, whose private keys are kept."""
        bundle = self.world.key_package(name)
        self.bundles[bundle.reference] = bundle
        return bundle

    def accept(self, name: str) -> None:
        """Let a client use its Welcome, however late."""
        invitation = self.invitations.pop(name)
        tree = invitation.tree.to_extension()
        made = join(self.world.environment, invitation.welcome, [invitation.bundle], tree=tree)
        wipe(made.spent)
        self._enter(name, made.state, invitation.position)

    def come(self, name: str, helper: Member, *, self_removes: Sequence[bytes]) -> None:
        """Let a client come in, or back, by an external Commit, with the GroupInfo that a member has."""
        tree = helper.state.public.tree
        old = next((index for index, leaf in tree.members() if name_of(leaf) == name), None)
        made = join_externally(
            self.world.client(name),
            self.world.environment,
            group_info(helper.state).encode(),
            replaces=old,
            self_removes=self_removes,
        )
        entry = self._append(made.output.message, helper.state.epoch, None, committed=made.output.committed)
        if entry.counts:
            self._enter(name, made.state, len(self.log))

    def _enter(self, name: str, state: GroupState, position: int) -> None:
        self.members[name] = Member(name, state, position)
        self._check_agreement(state)
        self.invitations.pop(name, None)

    # The log

    def post(self, author: Member, transition: Transition[MLSMessage]) -> None:
        """Put a proposal into the log."""
        epoch = author.state.epoch
        self._append(self.step(author, transition), epoch, author, committed=None)

    def commit(
        self,
        author: Member,
        proposals: Sequence[AnyProposal],
        *,
        options: CommitOptions,
        references: Sequence[bytes] | None = None,
    ) -> None:
        """Let a member commit, where it stands. Raises `RuleError` where the proposals do not fit together."""
        made = commit(
            author.state,
            self.world.environment,
            now=self.now,
            proposals=proposals,
            options=options,
            references=references,
        )
        epoch = author.state.epoch
        output = self.step(author, made)
        following = output.pending.next_epoch
        entry = self._append(output.message, epoch, author, committed=following.committed)
        if not entry.counts or output.pending.welcome is None:
            return
        for change in following.committed.changes:
            if isinstance(change, MemberAdded):
                self._invite(change.leaf, output.pending.welcome.encode(), following.public.tree)

    def _invite(self, leaf: LeafNode, welcome: bytes, tree: RatchetTree) -> None:
        bundle = next(bundle for bundle in self.bundles.values() if bundle.key_package.leaf_node == leaf)
        self.invitations[name_of(leaf)] = Invitation(welcome, bundle, tree, len(self.log))

    def _append(self, message: MLSMessage, epoch: int, author: Member | None, *, committed: Committed | None) -> Entry:
        counts = epoch == self.epoch
        changes = () if committed is None else committed.changes
        removes = frozenset(name_of(change.leaf) for change in changes if isinstance(change, MemberRemoved))
        data = message.encode()
        entry = Entry(data, epoch, author, counts, committed is not None, removes=removes)
        self.log.append(entry)
        if committed is not None and counts:
            self.epoch += 1
            for name in sorted(removes):
                self._cast_out(name)
        return entry

    def _cast_out(self, name: str) -> None:
        """Remember what a client knows whose removal is in the log; it may not have read that yet."""
        self.invitations.pop(name, None)
        if name in self.members:
            self.outcasts.append(Outcast.of(name, self.members[name].state, self.epoch))

    def repeat(self, number: int) -> None:
        """Put an entry into the log once more."""
        entry = self.log[number]
        counts = entry.epoch == self.epoch
        self.log.append(replace(entry, counts=counts, is_repeated=True))

    def is_behind(self, member: Member) -> bool:
        """Return whether there is more in the log for a member."""
        return member.position < len(self.log)

    def follow(self, member: Member) -> None:
        """Let a member read the next entry in the log, and see that it does what it must."""
        number, before = member.position, member.state
        entry = self.log[number]
        member.position += 1
        if not entry.counts or not member.is_active:
            self._refused(before, entry.data, WrongEpochError)
        elif entry.is_repeated:
            self._replayed(before, entry.data)
        else:
            transition = process(before, self.world.environment, entry.data, now=self.now)
            if entry.is_commit:
                self._let_outcasts_try(member, entry, transition.state)
                member.left.insert(0, (entry.epoch, self.now))
                self._check_commit(member, number, transition.output)
            else:
                self._check_proposal(member, entry, transition)
            self.step(member, transition)
            assert member.is_active == (not entry.is_commit or member.name not in entry.removes)
            self._replayed(member.state, entry.data)

    def _check_commit(self, member: Member, number: int, output: Received) -> None:
        entry = self.log[number]
        assert isinstance(output, Committed)
        assert output.epoch == entry.epoch + 1
        assert output.is_own is (entry.author is member)
        assert output.removed_us is (member.name in entry.removes)
        seen = (output.committer, output.proposals, output.changes, output.authenticated_data)
        assert self._outputs.setdefault(number, seen) == seen, "members see different Commits"

    @staticmethod
    def _check_proposal(member: Member, entry: Entry, transition: Transition[Received]) -> None:
        if entry.author is member:
            assert isinstance(transition.output, OwnMessage)
            assert transition.output.is_known
            assert transition.state is member.state
        else:
            assert isinstance(transition.output, ProposalReceived)
            assert transition.state.proposals == (*member.state.proposals, transition.output.proposed)

    def _let_outcasts_try(self, member: Member, entry: Entry, after: GroupState) -> None:
        """See what those who are not in the group any more make of a Commit that a member follows."""
        if entry.author is member or member.name in entry.removes:
            return
        path = SealedPath.of(entry.data, member.state, after)
        if path is None:
            return
        assert path.opened_by(private_keys(member.state)) == 1, "a member finds its own path secret, and no other's"
        for outcast in self.outcasts:
            if outcast.first_epoch <= entry.epoch:
                outcast.learns_nothing_from(path)

    def _refused(self, state: GroupState, data: bytes, error: type[MlsError]) -> None:
        """See that a message is refused, and leaves no trace."""
        frozen = fingerprint(state)
        with pytest.raises(error):
            process(state, self.world.environment, data, now=self.now)
        assert fingerprint(state) == frozen

    def _replayed(self, state: GroupState, data: bytes) -> None:
        """See that a message that was taken once does nothing the second time."""
        frozen = fingerprint(state)
        try:
            after = process(state, self.world.environment, data, now=self.now).state
        except (ExhaustedError, WrongEpochError):
            after = state
        assert after is state
        assert fingerprint(state) == frozen

    # Application messages

    def speak(self, author: Member) -> None:
        """Let a member say something, to whom it may concern."""
        text = f"{author.name} says {len(self.letters)}".encode()
        waiting = bool(author.state.proposals)
        if waiting:
            with pytest.raises(UsageError, match="proposals wait"):
                protect(author.state, self.world.environment, text)
        epoch = author.state.epoch
        made = protect(author.state, self.world.environment, text, while_proposals_wait=waiting)
        message = self.step(author, made)
        self.letters.append(Letter(len(self.letters), message.encode(), text, epoch, author))

    def hear(self, member: Member, letter: Letter) -> None:
        """Give a member an application message, at whatever time, and see that it does what it must."""
        if not self._can_read(member, letter.epoch):
            self._refused(member.state, letter.data, WrongEpochError)
        elif letter.author is not member and letter.number in member.heard:
            self._refused(member.state, letter.data, ExhaustedError)
        else:
            before = member.state
            output = self.step(member, process(before, self.world.environment, letter.data, now=self.now))
            if letter.author is member:
                assert isinstance(output, OwnMessage)
                assert output.is_known
                assert member.state is before
            else:
                assert isinstance(output, ApplicationMessage)
                assert (output.data, output.epoch) == (letter.text, letter.epoch)
                assert name_of(output.sender_leaf) == letter.author.name
                member.heard.add(letter.number)

    def _can_read(self, member: Member, epoch: int) -> bool:
        """Return whether a member has the keys of an epoch: it is in it, or left it not too long ago."""
        if epoch == member.state.epoch and member.state.status is not Status.REMOVED:
            return True
        limits = self.world.environment.limits
        for position, (number, ended_at) in enumerate(member.left):
            if number == epoch:
                age = self.now - ended_at
                return age <= limits.past_grace or (position < limits.past_epochs and age <= limits.past_seconds)
        return False

    # In the end

    def settle(self) -> None:
        """Let everybody read all there is; then all must agree, hear each other, and be heard by nobody else."""
        for member in self.members.values():
            while self.is_behind(member):
                self.follow(member)
        present = [member for member in self.members.values() if member.is_active]
        assert all(member.state.epoch == self.epoch for member in present)
        for member in present:
            self.speak(member)
        for member in self.members.values():
            for letter in self.letters:
                self.hear(member, letter)
        environment = self.world.environment
        for outcast in self.outcasts:
            sent = [(entry.epoch, entry.data) for entry in self.log]
            sent += [(letter.epoch, letter.data) for letter in self.letters]
            for epoch, data in sent:
                if epoch >= outcast.first_epoch:
                    outcast.opens_nothing_of(data, environment, self.now)
            for invitation in self.invitations.values():
                outcast.is_not_welcome(invitation.welcome)


def name_of(leaf: LeafNode) -> str:
    """Return whose leaf it is."""
    assert isinstance(leaf.credential, BasicCredential)
    return leaf.credential.identity.decode()

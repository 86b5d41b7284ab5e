"""The other members of the groups that are measured, all played by our engine in this process.

Each implementation is in a group of its own, always as its last leaf, among the same other members with the same
tree: so none has a shorter path than another, at any size, and one that fails keeps nobody else from going on.

The conditions are those of our own benchmark (`tests.benchmarks.groups`). *Cold*: nobody has committed a path, so
a path is encrypted to every other member by itself. *Warm*: everybody has, and it takes a ciphertext for each level.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mls.group.committing import CommitOptions, commit
from mls.group.creation import create_group, create_key_package, lifetime_of_days
from mls.group.environment import Limits
from mls.group.joining import join
from mls.group.messaging import protect
from mls.group.processing import process
from mls.group.received import ApplicationMessage, Committed
from mls.wire.key_package import KeyPackage
from mls.wire.message import MLSMessage
from mls.wire.proposals import Add
from tests.benchmarks.groups import ENVIRONMENT, GROUP_ID, new_client
from tests.benchmarks.peers.member import Invitation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mls.group.committing import CommitOutput
    from mls.group.creation import KeyPackageBundle
    from mls.group.state import GroupState
    from mls.wire.leaf_node import Lifetime
    from mls.wire.proposals import AnyProposal
    from tests.benchmarks.groups import Groups
    from tests.benchmarks.peers.member import Member
    from tests.benchmarks.peers.rows import RowSeat

__all__ = ["HOST", "Bases", "Host", "Newcomers", "Room", "WrongAnswerError", "identity_of", "lifetime", "open_room"]

HOST = replace(ENVIRONMENT, limits=Limits(max_lifetime=(1 << 64) - 1))
"""Some implementations make KeyPackages that are valid for ever."""


class WrongAnswerError(Exception):
    """An implementation has answered, but its answer does not fit the group."""


def identity_of(number: int) -> bytes:
    """Return the name of a member: the same for all who play it, as it counts on the wire."""
    return f"member-{number:05}@chat.example/phone".encode()


class Host:
    """A member of the group, in this process."""

    def __init__(self, state: GroupState) -> None:
        self.state = state

    @classmethod
    def alone(cls, groups: Groups) -> Host:
        """Create a group."""
        return cls(create_group(new_client(groups.suite, 0), HOST, group_id=GROUP_ID, lifetime=lifetime()).state)

    @classmethod
    def join(cls, welcome: bytes, bundle: KeyPackageBundle) -> Host:
        """Join a group. Raises `MlsError`."""
        return cls(join(HOST, welcome, [bundle]).state)

    def add(self, key_packages: Sequence[bytes], *, with_path: bool) -> bytes:
        """Add whoever the KeyPackages are of; return the Welcome."""
        made = self.make_commit([Add(_key_package(data)) for data in key_packages], with_path=with_path)
        welcome = made.pending.welcome
        assert welcome is not None
        self.follow(made.message.encode())
        return welcome.encode()

    def commit(self) -> bytes:
        """Commit fresh keys, and enter the new epoch."""
        message = self.make_commit([]).message.encode()
        self.follow(message)
        return message

    def make_commit(self, proposals: Sequence[AnyProposal], *, with_path: bool = True) -> CommitOutput:
        """Make a Commit and leave it pending."""
        made = commit(self.state, HOST, now=_now(), proposals=proposals, options=CommitOptions(with_path=with_path))
        self.state = made.state
        return made.output

    def follow(self, message: bytes) -> None:
        """Enter the epoch that somebody's Commit leads to. Raises `MlsError`."""
        self.state = self._after(message)

    def check(self, message: bytes) -> None:
        """See that a Commit could be followed, and stay. Raises `MlsError`."""
        self._after(message)

    def protect(self, data: bytes) -> bytes:
        """Send an application message."""
        made = protect(self.state, HOST, data)
        self.state = made.state
        return made.output.encode()

    def check_message(self, message: bytes, data: bytes) -> None:
        """See that a message says this. Raises `MlsError`, `WrongAnswerError`."""
        opened = process(self.state, HOST, message, now=_now()).output
        if not isinstance(opened, ApplicationMessage) or opened.data != data:
            raise WrongAnswerError("the message that it has sent says something else")

    def agree(self, authenticator: bytes) -> None:
        """See that both are in the same epoch. Raises `WrongAnswerError`."""
        if authenticator != self.state.epoch_authenticator:
            raise WrongAnswerError("it has come to another epoch authenticator than our engine")

    def _after(self, message: bytes) -> GroupState:
        entered = process(self.state, HOST, message, now=_now())
        if not isinstance(entered.output, Committed):
            raise WrongAnswerError(f"its Commit is a {type(entered.output).__name__}")
        return entered.state


class Newcomers:
    """Clients of our engine that wait to be added: others in each turn, so that nobody has met their keys before."""

    def __init__(self, groups: Groups, count: int) -> None:
        self._suite = groups.suite
        self._count = count
        self._turn: int | None = None
        self.bundles: list[KeyPackageBundle] = []
        self.published: list[bytes] = []

    def prepare(self, turn: int) -> None:
        """Have those of this turn ready; they are the same for all implementations."""
        if turn != self._turn:
            self._turn = turn
            clients = (new_client(self._suite, number) for number in range(1, self._count + 1))
            self.bundles = [create_key_package(client, HOST, lifetime=lifetime()) for client in clients]
            self.published = [bundle.message.encode() for bundle in self.bundles]

    def check_welcome(self, welcome: bytes) -> None:
        """See that the last of them can join. Raises `MlsError`."""
        Host.join(welcome, self.bundles[-1])


class Bases:
    """The groups before the implementation that is measured comes in: one member fewer. Made when first asked for."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._made: dict[int, GroupState] = {}

    def of(self, members: int, *, warm: bool) -> GroupState:
        """Return a member of such a group."""
        return self._warm(members) if warm else self._cold(members)

    def _cold(self, members: int) -> GroupState:
        """Return a member of a group of that size where no parent node is there."""
        if members not in self._made:
            host = Host.alone(self._groups)
            if members > 1:
                newcomers = Newcomers(self._groups, members - 1)
                newcomers.prepare(0)
                host.add(newcomers.published, with_path=False)
            self._made[members] = host.state
        return self._made[members]

    def _warm(self, members: int) -> GroupState:
        """Return a member of a group of that size where each member has committed."""
        return self._groups.warm(members).author if members > 1 else self._cold(1)


class Room:
    """A group, with one member that is measured and one that plays all others."""

    def __init__(self, host: Host, member: Member) -> None:
        self.host = host
        self.member = member


def open_room(base: GroupState, seat: RowSeat, *, warm: bool) -> Room:
    """Let an implementation join, as the last leaf. Raises `SeatError`, `MlsError`, `WrongAnswerError`."""
    host = Host(base)
    invitation = Invitation(seat, base.suite.number, identity_of(base.public.tree.member_count))
    welcome = host.add([invitation.key_package], with_path=False)
    member, authenticator, _ = invitation.join(welcome)
    host.agree(authenticator)
    if warm:
        made = member.commit()
        host.follow(made.commit)
        host.agree(member.accept())
    return Room(host, member)


def _key_package(data: bytes) -> KeyPackage:
    body = MLSMessage.decode(data).message
    if not isinstance(body, KeyPackage):
        raise WrongAnswerError(f"its KeyPackage is a {type(body).__name__}")
    return body


def lifetime() -> Lifetime:
    """Return a lifetime from now on."""
    return lifetime_of_days(90, now=_now())


def _now() -> int:
    """Return the time: the implementations look at the clock, too."""
    return int(time.time())

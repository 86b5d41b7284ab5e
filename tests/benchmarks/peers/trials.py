"""The operations that are measured, as trials of one implementation: what goes in and out is bytes, as on a network.

A trial gives the nanoseconds that the implementation says its library took, from input bytes to output bytes. What it
has made is handed to our engine once, and what it has computed is compared each time: nobody is fast by doing
something else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tests.benchmarks.operations import DATA
from tests.benchmarks.peers.host import Bases, Host, Newcomers, Room, WrongAnswerError, identity_of, open_room
from tests.benchmarks.peers.member import Invitation, Made, Member
from tests.interop.seats import Code, SeatError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.groups import Groups
    from tests.benchmarks.peers.rows import RowSeat

__all__ = ["OPERATIONS", "SIZES", "Operation", "Place", "Shared", "Trial"]

SIZES = (2, 10, 100, 1_000)

WARM_UP = 2
"""So often a program does some of everything before what counts."""

WITHOUT_PATH = "without a path, which it cannot be told to make"


class Shared:
    """What all implementations find when they are measured with groups of one size."""

    def __init__(self, groups: Groups, members: int) -> None:
        self.groups = groups
        self.members = members
        self.bases = Bases(groups)
        self.added = Newcomers(groups, members - 1)
        self.joined = Newcomers(groups, members - 2)


@dataclass
class Place:
    """An implementation's program, and the groups that it is in."""

    seat: RowSeat
    shared: Shared
    _rooms: dict[bool, Room] = field(default_factory=dict)
    _alone: Member | None = None

    def warm_up(self) -> None:
        """Let all that follows begin with some work in a group of one, which does not count. Raises `SeatError`."""
        if self._alone is None:
            ((self._alone, _),) = Member.create(self.seat, self.shared.groups.suite.number, identity_of(0))
            self.seat.warm_up = self._alone.warm_up(DATA) * WARM_UP

    def room(self, *, warm: bool) -> Room:
        """Return the cold or the warm group, which it joins when it is first asked for."""
        if warm not in self._rooms:
            base = self.shared.bases.of(self.shared.members - 1, warm=warm)
            self._rooms[warm] = open_room(base, self.seat, warm=warm)
        return self._rooms[warm]

    def leave(self) -> None:
        """Have all groups forgotten. Raises `SeatError`."""
        self.seat.warm_up = ()
        if self._alone is not None:
            self._alone.free()
        for room in self._rooms.values():
            room.member.free()


class Trial(Protocol):
    """One operation of one implementation."""

    wire: dict[str, int]
    """Bytes of each message that the operation has made or taken."""
    note: str
    """How this is not quite what was asked for."""

    def run(self, turn: int, count: int) -> list[int]:
        """Return the nanoseconds of so many more runs. Raises `SeatError`, `MlsError`, `WrongAnswerError`."""


@dataclass
class _Trial:
    place: Place
    wire: dict[str, int] = field(default_factory=dict)
    note: str = ""

    @property
    def is_first(self) -> bool:
        """Whether nothing was measured yet: the first answer is looked at more closely."""
        return not self.wire


class _Create(_Trial):
    def run(self, turn: int, count: int) -> list[int]:  # noqa: ARG002 - all turns are the same
        created = self._create(count)
        for member, _ in created:
            member.free()
        return [ns for _, ns in created]

    def _create(self, count: int) -> list[tuple[Member, int]]:
        return Member.create(self.place.seat, self.place.shared.groups.suite.number, identity_of(0), count)


class _Add(_Create):
    """Add all others in one Commit, with a path: from their KeyPackages to the Commit and the Welcome."""

    def run(self, turn: int, count: int) -> list[int]:  # noqa: ARG002 - one at a time: see `Operation.in_rows`
        newcomers = self.place.shared.added
        newcomers.prepare(turn)
        ((member, _),) = self._create(1)
        made = self._add(member, newcomers)
        member.free()
        if self.is_first:
            newcomers.check_welcome(made.welcome)
            self.wire = {"commit": len(made.commit), "welcome": len(made.welcome)}
        return [made.ns]

    def _add(self, member: Member, newcomers: Newcomers) -> Made:
        seat = self.place.seat
        if seat.makes_any_path:
            try:
                return member.commit(added=newcomers.published)
            except SeatError as error:
                if error.code is not Code.UNIMPLEMENTED:
                    raise
                seat.makes_any_path = False
        self.note = WITHOUT_PATH
        return member.commit(added=newcomers.published, force_path=False)


class _Join(_Trial):
    """Join with all others, who are all added in the same Commit, by a Welcome with the tree."""

    def run(self, turn: int, count: int) -> list[int]:  # noqa: ARG002 - one at a time: see `Operation.in_rows`
        shared, seat = self.place.shared, self.place.seat
        shared.joined.prepare(turn)
        invitation = Invitation(seat, shared.groups.suite.number, identity_of(shared.members - 1))
        host = Host.alone(shared.groups)
        welcome = host.add([*shared.joined.published, invitation.key_package], with_path=True)
        member, authenticator, ns = invitation.join(welcome)
        host.agree(authenticator)
        member.free()
        self.wire = {"welcome": len(welcome)}
        return [ns]


@dataclass
class _InRoom(_Trial):
    warm: bool = False

    @property
    def room(self) -> Room:
        return self.place.room(warm=self.warm)


class _Update(_InRoom):
    """Commit fresh keys of one's own."""

    removed = b""

    def run(self, turn: int, count: int) -> list[int]:  # noqa: ARG002 - all turns are the same
        made = self.room.member.commit_and_discard(count, removed=self.removed)
        if self.is_first:
            self.room.host.check(made[0].commit)
            self.wire = {"commit": len(made[0].commit)}
        return [each.ns for each in made]


class _Remove(_Update):
    """Remove the first member, with the path that this needs."""

    removed = identity_of(0)


class _Process(_InRoom):
    """Follow the Commit of a member in the other half of the tree, who refreshes its keys."""

    def run(self, turn: int, count: int) -> list[int]:  # noqa: ARG002 - each run has the next epoch
        return [self._follow() for _ in range(count)]

    def _follow(self) -> int:
        commit = self.room.host.commit()
        authenticator, ns = self.room.member.follow(commit)
        self.room.host.agree(authenticator)
        self.wire = {"commit": len(commit)}
        return ns


class _Protect(_InRoom):
    """Send 100 bytes."""

    def run(self, turn: int, count: int) -> list[int]:  # noqa: ARG002 - each run has the next message
        sent = self.room.member.protect(DATA, count)
        if self.is_first:
            message, _ = sent[0]
            self.room.host.check_message(message, DATA)
            self.wire = {"message": len(message)}
        return [ns for _, ns in sent]


class _Open(_InRoom):
    """Receive 100 bytes."""

    def run(self, turn: int, count: int) -> list[int]:  # noqa: ARG002 - each run has the next messages
        messages = [self.room.host.protect(DATA) for _ in range(count)]
        opened = self.room.member.open(messages)
        if any(data != DATA for data, _ in opened):
            raise WrongAnswerError("it has read something else than was written")
        self.wire = {"message": len(messages[0])}
        return [ns for _, ns in opened]


@dataclass(frozen=True)
class Operation:
    """One thing that a client does."""

    name: str
    trial: Callable[[Place], Trial]
    alone: bool = False
    """Whether it is the same for groups of any size: there is nobody else."""
    in_rows: bool = True
    """Whether it can be done several times in a turn. Newcomers' keys would not be new to the second run."""


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("create", _Create, alone=True),
        Operation("add", _Add, in_rows=False),
        Operation("join", _Join, in_rows=False),
        Operation("update-cold", lambda place: _Update(place, warm=False)),
        Operation("process-cold", lambda place: _Process(place, warm=False)),
        Operation("update-warm", lambda place: _Update(place, warm=True)),
        Operation("process-warm", lambda place: _Process(place, warm=True)),
        Operation("remove", lambda place: _Remove(place, warm=True)),
        Operation("protect", lambda place: _Protect(place, warm=False)),
        Operation("open", lambda place: _Open(place, warm=False)),
    )
}
"""By name, in the order in which they are measured: `process-cold` leaves a group that is not quite cold any more."""

"""The peak memory of programs that have been members of a group, or have made one: Linux's `VmHWM`.

Each is a fresh process. With the library goes all that it takes to run it (an interpreter, its modules), and the
lines of JSON that it is spoken to in; what a program takes that has only said its name shows how much that is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.operations import DATA
from tests.benchmarks.peers.host import Host, identity_of
from tests.benchmarks.peers.member import Invitation, Member

if TYPE_CHECKING:
    from tests.benchmarks.peers.implementations import Station
    from tests.benchmarks.peers.rows import RowSeat
    from tests.benchmarks.peers.trials import Shared

__all__ = ["Peak", "weigh"]


@dataclass(frozen=True)
class Peak:
    """In bytes: what a program had in memory at the most."""

    started: int
    """When it had said its name."""
    member: int
    """When it had joined, followed a Commit, made one, and sent and received a message."""
    creator: int
    """When it had created the group and added all others."""


def weigh(station: Station, shared: Shared) -> Peak:
    """Weigh an implementation in groups of one size. Raises `SeatError`, `MlsError`, `OSError`."""
    try:
        station.close()
        station.version()
        started = _peak(station.seat())
        _be_member(station.seat(), shared)
        member = _peak(station.seat())
        station.close()
        _be_creator(station.seat(), shared)
        return Peak(started, member, _peak(station.seat()))
    finally:
        station.close()


def _be_member(seat: RowSeat, shared: Shared) -> None:
    shared.joined.prepare(0)
    invitation = Invitation(seat, shared.groups.suite.number, identity_of(shared.members - 1))
    host = Host.alone(shared.groups)
    welcome = host.add([*shared.joined.published, invitation.key_package], with_path=True)
    member, authenticator, _ = invitation.join(welcome)
    host.agree(authenticator)
    member.follow(host.commit())
    member.commit_and_discard(1)
    ((message, _),) = member.protect(DATA)
    host.check_message(message, DATA)
    member.open([host.protect(DATA)])


def _be_creator(seat: RowSeat, shared: Shared) -> None:
    shared.added.prepare(0)
    ((member, _),) = Member.create(seat, shared.groups.suite.number, identity_of(0))
    member.commit(added=shared.added.published, force_path=False)
    member.accept()


def _peak(seat: RowSeat) -> int:
    """Return the peak resident memory of a program that runs."""
    status = Path(f"/proc/{seat.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))

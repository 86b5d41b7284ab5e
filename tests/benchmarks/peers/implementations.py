"""Who is measured: ours and the peers, each as a program of its own that says how long its library took."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from bridge.interop import mls_client_pb2 as pb
from tests.benchmarks.peers.rows import RowSeat
from tests.interop.building import PEERS, BuildError, build
from tests.interop.seats import BROKEN, Code, SeatError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

__all__ = ["OURS", "Implementation", "Kind", "Station", "find"]

OURS = "ours"

SECONDS = 120
"""For one call. A thousand Adds in JavaScript take some ten seconds."""

CHANCES = 2
"""So often a program may break before it is given up: one that hangs costs its whole time limit each time."""


class Kind(Enum):
    """What an implementation runs as. What is to be reached depends on it."""

    OURS = "ours"
    NATIVE = "native"
    SCRIPT = "script"


_KINDS = {OURS: Kind.OURS, "openmls": Kind.NATIVE, "mls-rs": Kind.NATIVE, "ts-mls": Kind.SCRIPT}
"""In the order in which they are reported."""


@dataclass(frozen=True)
class Implementation:
    """One implementation, and the command that runs it."""

    name: str
    kind: Kind
    command: Sequence[str]


def find(peers: Collection[str], say: Callable[[str], None]) -> tuple[list[Implementation], dict[str, str]]:
    """Return ours and these peers, built if need be, and why those that are not there cannot run here."""
    found, missing = [], {}
    for name, kind in _KINDS.items():
        if kind is Kind.OURS:
            command: Sequence[str] = (sys.executable, "-m", "bridge.cli", "interop", "--pipe")
        elif name not in peers:
            continue
        else:
            say(f"building {name}")
            try:
                command = build(PEERS[name]).command
            except BuildError as error:
                say(f"{name}: {error}")
                missing[name] = str(error)
                continue
        found.append(Implementation(name, kind, command))
    return found, missing


class Station:
    """Where an implementation works: its program is started when it is needed, again where one broke."""

    def __init__(self, implementation: Implementation, *, seconds: float = SECONDS) -> None:
        self.name = implementation.name
        self._implementation = implementation
        self._seconds = seconds
        self._seat: RowSeat | None = None
        self._chances = CHANCES
        self._last: SeatError | None = None

    def seat(self) -> RowSeat:
        """Return the running program. Raises `SeatError` if it does not start, or was given up."""
        if self._seat is None:
            if self._chances <= 0:
                raise SeatError(Code.DIED, f"given up after {self._last}")
            try:
                self._seat = RowSeat.start(self.name, self._implementation.command, seconds=self._seconds)
            except SeatError as error:
                self.failed(error)
                raise
        return self._seat

    def failed(self, error: SeatError) -> None:
        """End a program that is of no use any more. One that has merely refused a call goes on."""
        if error.code in BROKEN:
            self._chances -= 1
            self._last = error
            self.close()

    def version(self) -> str:
        """Return what it calls itself. Raises `SeatError`."""
        try:
            return self.seat().call("Name", pb.NameRequest(), pb.NameResponse).name
        except SeatError as error:
            self.failed(error)
            raise

    def close(self) -> None:
        """End the program."""
        if self._seat is not None:
            self._seat.close()
            self._seat = None

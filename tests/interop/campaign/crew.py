"""The seats that one worker keeps from scenario to scenario: starting a program takes longer than most scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.interop import mls_client_pb2 as pb
from tests.interop.seats import BROKEN, Code, GrpcSeat, PipeSeat, SeatError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from tests.interop.seats import Seat

__all__ = ["Crew", "Introduction", "Program", "introduce"]

SECONDS = 30
"""For one call."""

PATIENCE = 10
"""How often in a row a program may break down before nobody starts it again. Otherwise one that always hangs would take
its time limit for each of thousands of scenarios."""


@dataclass(frozen=True)
class Program:
    """How the program behind a seat is started."""

    command: tuple[str, ...]
    serves_grpc: bool
    """Else it speaks on its standard input and output."""
    directory: Path | None = None
    seconds: float = SECONDS

    def start(self, name: str) -> Seat:
        """Start it. Raises `SeatError`."""
        seat = GrpcSeat if self.serves_grpc else PipeSeat
        return seat.start(name, self.command, seconds=self.seconds, directory=self.directory)


@dataclass(frozen=True)
class Introduction:
    """Who a seat says it is."""

    name: str
    """With its version."""
    suites: tuple[int, ...]


class Crew:
    """Seats by name, started when they are needed. Not for two threads at once."""

    def __init__(self, programs: Mapping[str, Program]) -> None:
        self._programs = programs
        self._seats: dict[str, Seat] = {}
        self._broken: dict[str, int] = {}
        self._last: dict[str, SeatError] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all programs; also from another thread, in the middle of a call, which then fails."""
        for seat in list(self._seats.values()):
            seat.close()

    def seat(self, name: str) -> Seat:
        """Return a seat that worked when it was looked at last. Raises `SeatError`."""
        if name not in self._seats:
            if self._broken.get(name, 0) >= PATIENCE:
                last = self._last[name]
                raise SeatError(
                    last.code, f"given up after {PATIENCE} breakdowns in a row, the last one: {last.message}"
                )
            try:
                self._seats[name] = self._programs[name].start(name)
            except SeatError as error:
                self._note(name, error)
                raise
        return self._seats[name]

    def look_after(self, name: str) -> None:
        """Replace a seat that does not answer any more: the next who needs it gets a new one."""
        seat = self._seats.get(name)
        if seat is None:
            return
        try:
            seat.call("Name", pb.NameRequest(), pb.NameResponse)
        except SeatError as error:
            if error.code in BROKEN:
                seat.close()
                del self._seats[name]
                self._note(name, error)

    def praise(self, name: str) -> None:
        """Note that a seat has got through a scenario."""
        self._broken.pop(name, None)

    def _note(self, name: str, error: SeatError) -> None:
        self._broken[name] = self._broken.get(name, 0) + 1
        self._last[name] = error


def introduce(seat: Seat) -> Introduction:
    """Ask a seat who it is. Raises `SeatError`."""
    name = seat.call("Name", pb.NameRequest(), pb.NameResponse).name
    suites = seat.call("SupportedCiphersuites", pb.SupportedCiphersuitesRequest(), pb.SupportedCiphersuitesResponse)
    if not name.strip() or not suites.ciphersuites:
        raise SeatError(Code.NONSENSE, f"says that it is {name!r}, and offers {list(suites.ciphersuites)}")
    return Introduction(name.strip(), tuple(sorted(suites.ciphersuites)))

"""Seats: the implementations that a scenario's actors can be played by, each behind the same calls."""

from tests.interop.seats.over_grpc import GrpcSeat
from tests.interop.seats.over_pipe import PipeSeat
from tests.interop.seats.seat import BROKEN, Code, Seat, SeatError

__all__ = ["BROKEN", "Code", "GrpcSeat", "PipeSeat", "Seat", "SeatError"]

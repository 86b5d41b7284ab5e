"""A seat whose program serves the interoperability interface over gRPC, on a port of 127.0.0.1 that it names itself."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Self, TypeVar

import grpc
from google.protobuf.message import DecodeError

from bridge.interop import mls_client_pb2, mls_extras_pb2
from tests.interop.seats.program import MOMENT, Program
from tests.interop.seats.seat import MAX_ANSWER, STATUSES, Code, SeatError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from google.protobuf.message import Message

__all__ = ["GrpcSeat"]

ADDRESS = re.compile(r"127\.0\.0\.1:\d{1,5}(?=\s)")

PAUSE = 0.02
"""In seconds: how often a program that starts is looked after."""

PATHS = {
    method.name: f"/{service.full_name}/{method.name}"
    for file in (mls_client_pb2, mls_extras_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}

OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", MAX_ANSWER),
    ("grpc.max_send_message_length", -1),
)

M = TypeVar("M", bound="Message")


class GrpcSeat:
    """A program that serves `MLSClient` and `MLSClientExtras`."""

    def __init__(self, name: str, program: Program, address: str, *, seconds: float) -> None:
        self.name = name
        self._program = program
        self._seconds = seconds
        self._channel = grpc.insecure_channel(address, options=OPTIONS)
        self._stubs: dict[str, grpc.UnaryUnaryMultiCallable[Message, bytes]] = {}
        self._closed = False

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        seconds: float = 30,
        start_seconds: float = 30,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> Self:
        """Start a program, and wait until it says at which address it serves. Raises `SeatError`.

        It chooses the port itself: one chosen for it could be somebody else's by the time that it starts, and then
        the calls would go to the wrong program.
        """
        program = Program(command, piped=False, environment=environment, directory=directory)
        try:
            return cls(name, program, _address(program, start_seconds), seconds=seconds)
        except BaseException:
            program.end()
            raise

    def call(self, rpc: str, request: Message, answer: type[M]) -> M:
        if self._closed:
            raise SeatError(Code.DIED, "closed")
        try:
            data = self._stub(rpc)(request, timeout=self._seconds)
        except grpc.RpcError as error:
            raise self._judge(error) from None
        try:
            return answer.FromString(data)
        except DecodeError as error:
            raise SeatError(Code.NONSENSE, f"not a {answer.DESCRIPTOR.name}: {error}") from None

    def close(self) -> None:
        self._closed = True
        self._channel.close()
        self._program.end()

    def _stub(self, rpc: str) -> grpc.UnaryUnaryMultiCallable[Message, bytes]:
        if rpc not in self._stubs:
            self._stubs[rpc] = self._channel.unary_unary(PATHS[rpc], request_serializer=_serialize)
        return self._stubs[rpc]

    def _judge(self, error: grpc.RpcError) -> SeatError:
        """What a failed call says about the seat."""
        status, details = error.code(), error.details() or ""
        if status.name in STATUSES:
            return SeatError(Code(status.name), details)
        if status is grpc.StatusCode.DEADLINE_EXCEEDED:
            return SeatError(Code.TIMEOUT, f"no answer within {self._seconds:g} s")
        if status is grpc.StatusCode.UNAVAILABLE and self._program.has_ended(within=MOMENT):
            return SeatError(Code.DIED, self._program.obituary())
        return SeatError(Code.NONSENSE, f"{status.name}: {details}")


def _serialize(request: Message) -> bytes:
    return request.SerializeToString()


def _address(program: Program, seconds: float) -> str:
    """Wait until a program says where it serves."""
    deadline = time.monotonic() + seconds
    while not (found := ADDRESS.search(program.words())):
        if program.has_ended():
            raise SeatError(Code.DIED, program.obituary())
        if time.monotonic() > deadline:
            raise SeatError(Code.TIMEOUT, f"does not say within {seconds:g} s where it serves: {program.words()}")
        time.sleep(PAUSE)
    return found[0]

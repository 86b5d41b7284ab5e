"""The services over gRPC."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Final

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError

from bridge.interop.errors import CallError, invalid
from bridge.interop.service import MAX_MESSAGE, SERVICES, Service

__all__ = ["AddressError", "Server", "serve"]

MAX_WAITING: Final = 32
"""How many calls are taken at a time, the one at work included. More are refused with RESOURCE_EXHAUSTED."""

GRACE: Final = 0.5
"""How long, in seconds, a call that is being answered may go on after the server was told to stop."""

OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.so_reuseport", 0),  # two servers on one port would share its calls, and each know half of the states
)


class AddressError(Exception):
    """The server cannot listen where it should. Says where."""


class Server:
    """Serves on one address until it is stopped."""

    def __init__(self, service: Service, host: str, port: int) -> None:
        # One thread: two calls on one state must not start from the same keys.
        self._worker = ThreadPoolExecutor(max_workers=1)
        self._server = grpc.server(self._worker, options=OPTIONS, maximum_concurrent_rpcs=MAX_WAITING)
        self._server.add_generic_rpc_handlers([_handlers(service, descriptor) for descriptor in SERVICES])
        name = f"[{host}]" if ":" in host else host
        try:
            self.port: int = self._server.add_insecure_port(f"{name}:{port}")
        except RuntimeError as error:
            msg = f"cannot listen on {name}:{port}: the port is in use, or the address is not one of this machine"
            raise AddressError(msg) from error
        self.address = f"{name}:{self.port}"
        """With the port that was chosen where 0 was asked for."""

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self) -> bool:
        """Take no more calls, and give the one at work a moment. Return whether nothing is at work any more."""
        self._server.stop(GRACE).wait()
        last = self._worker.submit(lambda: None)
        self._worker.shutdown(wait=False)
        try:
            last.result(timeout=GRACE)
        except TimeoutError:
            return False
        return True


def serve(service: Service, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT comes. `announce` is told the address once calls are answered.

    Raises `AddressError`. To be called in the main thread, where Python delivers signals.
    """
    server = Server(service, host, port)
    told, telling = socket.socketpair()
    with told, telling:
        # The system gives a signal to any thread, and this one may sleep on. The byte that Python writes wakes it.
        telling.settimeout(0)
        signal.set_wakeup_fd(telling.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _do_nothing)
        server.start()
        announce(server.address)
        told.recv(1)
        signal.set_wakeup_fd(-1)
    if not server.stop():
        # Python waits for its threads before it ends, and nothing interrupts a step of the engine.
        os._exit(0)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Handle a signal, so that it does not end the program."""


def _handlers(service: Service, descriptor: ServiceDescriptor) -> grpc.GenericRpcHandler:
    """Return the handlers of all methods of a service. Requests and answers come and go as bytes."""
    methods = {method.name: _handler(service, method.name) for method in descriptor.methods}
    return grpc.method_handlers_generic_handler(descriptor.full_name, methods)


def _handler(service: Service, name: str) -> grpc.RpcMethodHandler[bytes, bytes]:
    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            return _answer(service, name, request)
        except CallError as error:
            context.abort(grpc.StatusCode[error.code], error.reason)

    return grpc.unary_unary_rpc_method_handler(answer)


def _answer(service: Service, name: str, request: bytes) -> bytes:
    try:
        make = service.prepare(name, lambda message: message.ParseFromString(request))
    except DecodeError as error:
        raise invalid(f"the request is not what {name} takes: {error}") from error
    return make().SerializeToString()

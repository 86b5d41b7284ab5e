"""Serves the interface over gRPC wrongly: `python -m tests.interop.wrong.grpc_program WAY`."""

from __future__ import annotations

import os
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NoReturn

import grpc

if TYPE_CHECKING:
    from collections.abc import Callable


def hang(context: grpc.ServicerContext) -> bytes:
    time.sleep(600)
    context.abort(grpc.StatusCode.INTERNAL, "woke up")


def die(context: grpc.ServicerContext) -> NoReturn:  # noqa: ARG001 - a handler
    sys.stderr.write("this is the end\n")
    sys.stderr.flush()
    os._exit(7)


def fail(context: grpc.ServicerContext) -> NoReturn:  # noqa: ARG001 - a handler
    raise ValueError("a bug")


WAYS: dict[str, Callable[[grpc.ServicerContext], bytes]] = {
    "garbage": lambda _: b"\xff\xff\xff\xff",
    "other type": lambda _: b"\x0a\x02\xff\xfe",  # field 1: bytes that are no UTF-8, where a name should be
    "huge": lambda _: bytes(65 << 20),
    "unknown status": lambda context: context.abort(grpc.StatusCode.DATA_LOSS, "lost"),
    "unavailable": lambda context: context.abort(grpc.StatusCode.UNAVAILABLE, "out to lunch"),
    "refused": lambda context: context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no"),
    "fail": fail,
    "hang": hang,
    "die": die,
}


def serve(way: str) -> None:
    """Answer `Name` in one way."""

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:  # noqa: ARG001 - a handler
        return WAYS[way](context)

    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Name": grpc.unary_unary_rpc_method_handler(answer)}
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("mls_client.MLSClient", handlers)])
    announce(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    server.wait_for_termination()


def announce(port: int) -> None:
    print(f"listening on 127.0.0.1:{port}", flush=True)  # noqa: T201 - what a seat waits for


def talk_something_else() -> None:
    """Answer every connection with what is not gRPC."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        announce(listener.getsockname()[1])
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"220 mail.example ESMTP\r\n")


def main(way: str) -> None:
    match way:
        case "silent":
            time.sleep(600)
        case "stillborn":
            sys.exit("no such thing here")
        case "something else":
            talk_something_else()
        case _:
            serve(way)


if __name__ == "__main__":
    main(sys.argv[1])

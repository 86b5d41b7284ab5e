"""The engine behind the interface, but one field of one answer is not what it should be.

`python -m tests.interop.wrong.liar grpc|pipe RPC FIELD`
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bridge.interop.host import Host
from bridge.interop.pipe import answer_lines
from bridge.interop.server import serve
from bridge.interop.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

__all__ = ["Liar", "changed", "emptied"]


def changed(truth: bytes) -> bytes:
    """Return other bytes, of the same length."""
    return truth[:-1] + bytes([truth[-1] ^ 1])


def emptied(truth: bytes) -> bytes:  # noqa: ARG001 - whatever it was
    """Return nothing."""
    return b""


class Liar(Service):
    """Answers as the engine does, and changes a field of bytes in the answers to one call."""

    def __init__(self, rpc: str, field: str, lie: Callable[[bytes], bytes] = changed) -> None:
        super().__init__(Host())
        self._rpc, self._field, self._lie = rpc, field, lie

    def prepare(self, name: str, fill: Callable[[Message], object]) -> Callable[[], Message]:
        make = super().prepare(name, fill)

        def lie() -> Message:
            answer = make()
            setattr(answer, self._field, self._lie(getattr(answer, self._field)))
            return answer

        return lie if name == self._rpc else make


def main(channel: str, rpc: str, field: str) -> None:
    """Serve until the end."""
    if channel == "pipe":
        answer_lines(sys.stdin.buffer, sys.stdout.buffer, Liar(rpc, field))
    else:
        serve(Liar(rpc, field), "127.0.0.1", 0, announce=lambda address: print(f"listening on {address}", flush=True))  # noqa: T201 - what a seat waits for


if __name__ == "__main__":
    main(*sys.argv[1:])

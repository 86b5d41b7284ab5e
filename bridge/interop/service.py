"""All calls of both services, and how one is made: a message goes in, a message or a `CallError` comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from google.protobuf.message import Message

from bridge.interop import (
    commits,
    groups,
    messages,
    mls_client_pb2,
    mls_extras_pb2,
    outsiders,
    proposals,
    successors,
)
from bridge.interop.errors import explain
from bridge.interop.host import Call, Host

__all__ = ["CALLS", "MAX_MESSAGE", "SERVICES", "Service"]

MAX_MESSAGE: Final = 1 << 26
"""The largest request or answer, in bytes: 64 MiB. A tree of 10,000 members takes some four."""

SERVICES: Final = (
    mls_client_pb2.DESCRIPTOR.services_by_name["MLSClient"],
    mls_extras_pb2.DESCRIPTOR.services_by_name["MLSClientExtras"],
)

CALLS: Final[Mapping[str, Call]] = {
    **groups.CALLS,
    **messages.CALLS,
    **proposals.CALLS,
    **commits.CALLS,
    **successors.CALLS,
    **outsiders.CALLS,
}
"""Every call of `SERVICES`, by its name."""


class Service:
    """Answers calls. To be made one after the other: two on one state must not start from the same keys."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def prepare(self, name: str, fill: Callable[[Message], object]) -> Callable[[], Message]:
        """Return what makes a call, with the request that `fill` puts its fields into.

        Raises what `fill` raises; what is returned raises `CallError` alone.
        """
        call = CALLS[name]
        request = call.request()
        fill(request)

        def make() -> Message:
            try:
                return call.answer(self._host, request)
            except Exception as error:  # whatever it is, the caller is told, and the server goes on
                raise explain(error) from error

        return make

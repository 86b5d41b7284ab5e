"""A name server that knows what a test tells it (RFC 1035, RFC 2782), and nothing else."""

from __future__ import annotations

import asyncio
import ipaddress
import struct
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

__all__ = ["NameServer"]

_A: Final = 1
_AAAA: Final = 28
_SRV: Final = 33
_NO_SUCH_NAME: Final = 3


class NameServer(asyncio.DatagramProtocol):
    """Answers over UDP on a port of the loopback.

    `services` has the port and the host for each service, as in `_xmpp-client._tcp.example.org`; `hosts` an address for
    each host.
    """

    def __init__(self, services: Mapping[str, Sequence[tuple[int, str]]], hosts: Mapping[str, str]) -> None:
        self._services = services
        self._hosts = hosts
        self._transport: asyncio.DatagramTransport | None = None
        self.asked: list[str] = []
        """The names of all services that were asked for."""

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._transport is not None
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        assert self._transport is not None
        labels, place = [], 12
        while (size := data[place]) != 0:
            labels.append(data[place + 1 : place + 1 + size].decode())
            place += 1 + size
        name, question = ".".join(labels).lower(), data[12 : place + 5]
        (kind,) = struct.unpack("!H", data[place + 1 : place + 3])
        records = self._records(name, kind)
        known = bool(records) or name in self._hosts
        flags = 0x8180 | (0 if known else _NO_SUCH_NAME)
        answer = data[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + question
        for record in records:
            answer += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(record)) + record
        self._transport.sendto(answer, addr)

    def _records(self, name: str, kind: int) -> list[bytes]:
        if kind == _SRV:
            self.asked.append(name)
            return [struct.pack("!HHH", 10, 10, port) + _encoded(host) for port, host in self._services.get(name, ())]
        address = self._hosts.get(name)
        if address is None:
            return []
        found = ipaddress.ip_address(address)
        return [found.packed] if kind == {4: _A, 6: _AAAA}[found.version] else []


def _encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"

"""How many messages go through the relay, beside what the servers take and what a bare relay carries.

One side is flooded, faster than it can be carried; counted is what arrives on the other. In turn, on the same servers
and with events of the same size:

* through our relay;
* through a bare one, which copies as it comes and keeps nothing;
* without any, in rooms of their own: what the source takes of the same flood and shows to somebody else there, and
  what the target takes from one client that keeps the order, and shows. On Matrix that one posts one after the other:
  no relay that keeps the order can be faster.

Floods and those who count are bare clients in all of them: nothing is encrypted, decrypted or stored but by the relay.
"""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Final

from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope
from tests.benchmarks.servers.cargo import ENVELOPES, NOTED, carried
from tests.benchmarks.servers.stage import PEOPLE, BarePlace, Servers, bare, copier

__all__ = ["Flow", "Throughput", "throughput"]

_BODY: Final = 350
"""Bytes of an application message of up to 100 letters or so."""


@dataclass
class Flow:
    """Messages a second, round by round, and milliseconds of CPU to a message."""

    posted: list[float] = field(default_factory=list)
    """Until the source's server had all of them."""
    arrived: list[float] = field(default_factory=list)
    """Until the last one was shown where they shall come out."""
    cpu: dict[str, list[float]] = field(default_factory=dict)
    """By process."""


@dataclass
class Throughput:
    """One direction."""

    source: str
    target: str
    messages: int
    bytes: dict[str, int]
    """Of one message: at the source and, with the relay's note, at the target."""
    flows: dict[str, Flow] = field(
        default_factory=lambda: {name: Flow() for name in ("relay", "bare_relay", "source", "target")}
    )

    @property
    def name(self) -> str:
        """As it is called in tables."""
        return f"{self.source} to {self.target}"


async def throughput(servers: Servers, messages: int, rounds: int, say: Callable[[str], None]) -> list[Throughput]:
    """Flood both directions in all ways, in turn. The first round does not count."""
    found = [_direction(*way, messages) for way in (("Matrix", "XMPP"), ("XMPP", "Matrix"))]
    async with _set(servers) as rooms:
        for number in range(rounds + 1):
            for direction in found:
                say(f"throughput: {direction.name}, round {number} of {rounds}")
                for name in _turned(list(direction.flows), number):
                    flow = direction.flows[name] if number else Flow()
                    await rooms.run(name, direction, flow)
    return found


@dataclass
class _Rooms:
    """A Matrix room and a MUC for each flow, and who floods or pours in each, and who counts."""

    places: dict[str, dict[str, tuple[BarePlace, BarePlace]]]
    pids: dict[str, int]
    """Of the processes that are watched."""

    async def run(self, name: str, direction: Throughput, flow: Flow) -> None:
        """Run one flow, and add what was found."""
        source, target = direction.source, direction.target
        begins_at = target if name == "target" else source
        ends_at = source if name == "source" else target
        speaker, listener = self.places[name][begins_at][0], self.places[name][ends_at][1]
        data = [envelope(EnvelopeKind.APPLICATION, b"flood", os.urandom(_BODY)) for _ in range(direction.messages)]
        texts = [base64.b64encode(one.encode()).decode() for one in data]
        before = {process: _cpu_of(pid) for process, pid in self.pids.items()}
        begin = perf_counter()
        await (speaker.voice.pour(texts) if name == "target" else speaker.voice.flood(texts))
        posted = perf_counter() - begin
        await listener.ear.until_all(texts)
        flow.arrived.append(direction.messages / (perf_counter() - begin))
        flow.posted.append(direction.messages / posted)
        for process, pid in self.pids.items():
            used = (_cpu_of(pid) - before[process]) * 1000 / direction.messages
            flow.cpu.setdefault(process, []).append(used)


@asynccontextmanager
async def _set(servers: Servers) -> AsyncIterator[_Rooms]:
    one_each = {"matrix": ("alice",), "muc": ("carol",)}
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        ours, clear = [await enter(servers.rooms(name, **one_each)) for name in ("flood", "flood-bare")]
        bridge, bare_relay = await enter(ours.bridge_process()), await enter(copier(clear, envelopes=True))
        places = {}
        for name, scene in (("relay", ours), ("bare_relay", clear)):
            alice, carol = await enter(bare(scene, "alice", "carol", cargo=ENVELOPES))
            places[name] = {"Matrix": (alice, alice), "XMPP": (carol, carol)}
        for name, cargo in (("source", ENVELOPES), ("target", NOTED)):
            scene = await enter(servers.rooms(f"flood-{name}", **PEOPLE))
            alice, bob, carol, dave = await enter(bare(scene, "alice", "bob", "carol", "dave", cargo=cargo))
            places[name] = {"Matrix": (alice, bob), "XMPP": (carol, dave)}
        pids = {"relay": bridge.pid, "bare_relay": bare_relay}
        for name, server in (("Synapse", servers.synapse), ("Prosody", servers.prosody)):
            if server.pid is not None:
                pids[name] = server.pid
        yield _Rooms(places, pids)


def _direction(source: str, target: str, messages: int) -> Throughput:
    text = base64.b64encode(envelope(EnvelopeKind.APPLICATION, b"flood", bytes(_BODY)).encode()).decode()
    return Throughput(
        source, target, messages, {"source": carried(ENVELOPES, text)[source], "target": carried(NOTED, text)[target]}
    )


def _turned(names: list[str], number: int) -> list[str]:
    turn = number % len(names)
    return names[turn:] + names[:turn]


def _cpu_of(pid: int) -> float:
    """Return the CPU seconds that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

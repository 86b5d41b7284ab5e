"""A sequencer over a real store, the room that it seals, and the seals in it, checked."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from bridge.order.sealing import SealingSettings
from bridge.order.sequencer import Sequencer, signing_key
from bridge.protocol.bodies import Hello, open_body
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import open_envelope
from bridge.protocol.seal import Seal, SealContent, check_seal, start_of_log
from bridge.service.consumer import Consumer
from bridge.store import Transaction
from mls.crypto.signature import SignaturePrivateKey
from tests.bridge.relay.world import Build, Process, World, posted
from transports.memory import MemoryRoom, RoomKind, RoomRules
from transports.room import Account, RoomAddress

HOME = RoomAddress("memory:home")
BRIDGE, ALICE, EVE = (Account(f"memory:{name}") for name in ("bridge", "alice", "eve"))
COMMIT = EnvelopeKind.HANDSHAKE
DAY = 86_400_000


def home(world: World, rules: RoomRules | None = None, kind: RoomKind = RoomKind.MUC) -> MemoryRoom:
    return world.network.create_room(HOME, members=(ALICE, EVE), rules=rules, kind=kind)


def sequencing(
    sealing: SealingSettings | None = None,
    key: SignaturePrivateKey | None = None,
    on_shown: Callable[[int], None] = lambda _: None,
) -> Build:
    async def build(tx: Transaction, process: Process) -> Sequence[Consumer]:
        chosen = key or await signing_key(tx, HOME, random.Random(str(process.path)).randbytes)
        hello = Hello(b"test", (HOME.encode(),), chosen.public_key, 1 << 20)
        return [
            Sequencer(
                BRIDGE,
                HOME,
                key=chosen,
                hello=hello,
                settings=sealing or SealingSettings(),
                random=process.world.random.randbytes,
                on_shown=on_shown,
            )
        ]

    return build


async def start(
    world: World,
    folder: Path,
    sealing: SealingSettings | None = None,
    *,
    name: str = "s",
    key: SignaturePrivateKey | None = None,
) -> Process:
    return await world.process(folder / f"{name}.db", [(BRIDGE, HOME)], sequencing(sealing, key))


def sequencer(process: Process) -> Sequencer:
    (consumer,) = process.consumers
    assert isinstance(consumer, Sequencer)
    return consumer


def seals(room: MemoryRoom) -> list[SealContent]:
    """The seals in the room, each one once, checked: signature, chain, no hash twice."""
    found: dict[bytes, Seal] = {}
    for data in posted(room, EnvelopeKind.SEAL):
        seal = open_body(Seal, open_envelope(data))
        found.setdefault(seal.content.hash, seal)
    hellos = [open_body(Hello, open_envelope(data)) for data in posted(room, EnvelopeKind.HELLO)]
    (key,) = {hello.sequencer_key for hello in hellos}
    contents = [seal.content for seal in found.values()]
    for seal in found.values():
        check_seal(seal, key)
    if contents:
        previous = start_of_log(contents[0].group_id, key, 0).seal_hash
        for number, content in enumerate(contents, 1):
            assert (content.seq, content.previous) == (number, previous)
            previous = content.hash
    identities = [entry.identity for content in contents for entry in content.entries]
    assert len(identities) == len(set(identities))
    return contents


def sealed(room: MemoryRoom) -> list[bytes]:
    return [entry.identity for content in seals(room) for entry in content.entries]


async def refuse(process: Process) -> None:
    """Do as a publisher does whose room takes nothing of what waits for it, for good."""
    async with process.store.transaction() as tx:
        for waiting in await tx.outbox.waiting(BRIDGE, HOME, 100):
            await tx.outbox.drop(waiting.id)
            sequencer(process).publishing_failed(waiting.entry, "too large")

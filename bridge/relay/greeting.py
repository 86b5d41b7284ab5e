"""A relay's `hello`: in each of its rooms what it is and which rooms it links, kept fresh in the archive.

============================  =======================================================
where                         what
============================  =======================================================
record space `relay`          `instance`: what tells this process's store from others'
record space `relay hello`    what was posted last, and when, by link, account and room
============================  =======================================================
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Final

from bridge.protocol.bodies import Hello
from bridge.protocol.code_points import HASH_SIZE, EnvelopeKind
from bridge.protocol.envelope import envelope, identity_of
from bridge.relay.settings import RelaySettings, Side
from bridge.store.outbox import OutboxEntry
from mls.codec import FixedOpaque, Struct, UInt64, struct
from mls.crypto.random import Random

if TYPE_CHECKING:
    from bridge.store import Transaction

__all__ = ["REPEATED", "greet"]

REPEATED: Final = 7 * 86_400_000
"""Milliseconds after which the same is said again."""

_INSTANCE: Final = b"instance"
_INSTANCE_SIZE: Final = 4
_MAX_SOFTWARE: Final = 64


@struct()
class _Posted(Struct):
    """What was posted last."""

    identity: Annotated[bytes, FixedOpaque(HASH_SIZE)]
    at: UInt64


async def greet(tx: Transaction, source: Side, settings: RelaySettings, *, random: Random, now: int) -> int:
    """Post the `hello` in a room, unless it is there and fresh. Returns when it is to be looked at again."""
    data = envelope(EnvelopeKind.HELLO, b"", await _hello(tx, settings, random)).encode()
    identity = identity_of(data)
    key = f"{settings.link} {source.scope}".encode()  # links that share a room say different things in it
    stored = await tx.records.get("relay hello", key)
    if stored is not None:
        posted = _Posted.decode(stored)
        if posted.identity == identity and now < posted.at + REPEATED:
            return posted.at + REPEATED
    transaction = "hello-" + hashlib.sha256(identity + key + now.to_bytes(8, "big")).hexdigest()[:40]
    await tx.outbox.add(OutboxEntry(source.account, source.room, data, transaction, None, None, "hello", now))
    await tx.records.put("relay hello", key, _Posted(identity, now).encode())
    return now + REPEATED


async def _hello(tx: Transaction, settings: RelaySettings, random: Random) -> Hello:
    """Return what the relay says of itself. Two relays never say the same: the second would pass for a copy."""
    instance = await tx.records.get("relay", _INSTANCE)
    if instance is None:
        instance = random(_INSTANCE_SIZE)
        await tx.records.put("relay", _INSTANCE, instance)
    tag = f" {instance.hex()}"
    software = settings.software.encode()[: _MAX_SOFTWARE - len(tag)].decode(errors="ignore") + tag
    rooms = tuple(room.encode() for room in settings.rooms)
    return Hello(software.encode(), rooms, settings.sequencer_key, settings.max_envelope)

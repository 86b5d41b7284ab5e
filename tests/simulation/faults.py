"""What is done to rooms: by those who run them, by strangers, and by a relay that lies."""

from __future__ import annotations

from random import Random
from typing import Final

import mls
from bridge.member.environment import capabilities, environment
from bridge.protocol.bodies import KeyPackagePurpose, PublishedKeyPackage, open_body
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.identity import Identity
from bridge.protocol.seal import Seal, SealEntry
from tests.simulation.story import What
from transports.memory import MemoryRoom
from transports.room import Account, EnvelopeSeen

__all__ = ["NOBODY", "disturb_archive", "forge_seal", "lie_about_a_key", "post_junk"]

NOBODY: Final = (Account("matrix:u/mallory:one"), Account("xmpp:mallory@three"))
"""Accounts that nobody has."""

_MALFORMED, _PLAINTEXT = 0, 1


def disturb_archive(room: MemoryRoom, what: What, amount: int) -> bytes:
    """Redact an envelope, trim the archive, or tell an event again. Returns the envelope that was redacted, if any."""
    envelopes = _envelopes(room)
    if what is What.TRIM:
        room.trim(amount)
    elif len(envelopes) > amount:
        chosen = envelopes[-1 - amount]
        if what is What.REDACT:
            room.redact(chosen.origin.event_id)
            return chosen.envelope
        room.repeat(chosen.origin.event_id)
    return b""


def post_junk(room: MemoryRoom, stranger: Account, kind: int, random: Random) -> None:
    """Post what is no envelope, or one with a bit that was turned over. Raises `TransportError`."""
    envelopes = _envelopes(room)
    if kind == _MALFORMED:
        room.post_malformed(stranger, "broken base64")
    elif kind == _PLAINTEXT:
        room.post_plaintext(stranger, "hello")
    elif kind % 2 and envelopes:
        broken = bytearray(envelopes[-1 - random.randrange(min(4, len(envelopes)))].envelope)
        broken[random.randrange(len(broken))] ^= 1 << random.randrange(8)
        _post(room, stranger, bytes(broken), random)
    else:
        _post(room, stranger, random.randbytes(random.randrange(1, 60_000)), random)


def forge_seal(room: MemoryRoom, stranger: Account, random: Random) -> None:
    """Post the seal that would come next, with another's signature. Raises `TransportError`."""
    for seen in reversed(_envelopes(room)):
        try:
            opened = open_envelope(seen.envelope)
            if opened.kind != EnvelopeKind.SEAL:
                continue
            newest = open_body(Seal, opened).content
        except ProtocolError:
            continue
        entries = (SealEntry(random.randbytes(32), b""),)
        content = newest.replace(seq=newest.seq + 1, previous=newest.hash, entries=entries)
        forged = Seal(content, random.randbytes(64))
        _post(room, stranger, envelope(EnvelopeKind.SEAL, opened.group_id, forged).encode(), random)
        return


def lie_about_a_key(room: MemoryRoom, liar: Account, kind: int, random: Random, *, now: int) -> None:
    """Post a KeyPackage of the liar's own in the name of nobody, asking to be let in. Raises `TransportError`."""
    name = NOBODY[kind % len(NOBODY)]
    client = capabilities(mls.Client.basic(Identity(name, "mls-bridge").encode(), random.randbytes, suite=1))
    lifetime = mls.lifetime_of_days(30, now=now // 1000)
    bundle = mls.create_key_package(client, environment(random.randbytes), lifetime=lifetime)
    body = PublishedKeyPackage(KeyPackagePurpose.ASK, room.address.encode(), bundle.message.encode())
    _post(room, liar, envelope(EnvelopeKind.KEY_PACKAGE, b"", body).encode(), random)


def _post(room: MemoryRoom, account: Account, data: bytes, random: Random) -> None:
    room.post_envelope(account, data, transaction=random.randbytes(8).hex())


def _envelopes(room: MemoryRoom) -> list[EnvelopeSeen]:
    return [event for event in room.events() if isinstance(event, EnvelopeSeen)]

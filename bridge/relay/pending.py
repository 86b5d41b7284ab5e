"""A copy on its way: what is stored of it while it is held or waits."""

from __future__ import annotations

import hashlib

from bridge.protocol.envelope import identity_of
from bridge.relay.decisions import Copy
from bridge.relay.settings import Side
from bridge.store.outbox import OutboxEntry
from mls.codec import Opaque, Struct, UInt8, UInt64, struct
from transports.room import Account, RelayNote, RoomAddress

__all__ = ["Pending", "transaction_of"]


@struct()
class Pending(Struct):
    """An envelope for another room, and the note that goes with it."""

    envelope: Opaque
    payer: Opaque
    """Who caused it; empty where the network does not tell."""
    room: Opaque
    """Where it was seen; empty for what the relay says itself, without a note."""
    event_id: Opaque
    at: UInt64
    stood_by: UInt8
    """1 where it was another relay's turn."""

    @classmethod
    def of(cls, copy: Copy) -> Pending:
        """Return what is kept of a copy."""
        payer = _bytes(copy.sender or "")
        if copy.note is None:
            return cls(copy.envelope, payer, b"", b"", 0, 0)
        note = copy.note
        return cls(copy.envelope, payer, _bytes(note.room), _bytes(note.event_id), min(max(note.at, 0), _LATEST), 0)

    @property
    def identity(self) -> bytes:
        """The envelope's."""
        return identity_of(self.envelope)

    @property
    def is_claim(self) -> bool:
        """Whether it is what the relay says itself."""
        return not self.room

    def entry(self, target: Side, now: int) -> OutboxEntry:
        """Return the row of the outbox that posts it."""
        return OutboxEntry(
            target.account,
            target.room,
            self.envelope,
            transaction_of(self.identity, target),
            self._note(),
            None,
            "membership" if self.is_claim else "copy",
            now,
        )

    def _note(self) -> RelayNote | None:
        if self.is_claim:
            return None
        sender = Account(_text(self.payer)) if self.payer else None
        return RelayNote(RoomAddress(_text(self.room)), sender, _text(self.event_id), self.at)


def transaction_of(identity: bytes, target: Side) -> str:
    """Return the transaction of an envelope's copy: the same however often it is made."""
    return "copy-" + hashlib.sha256(identity + target.room.encode()).hexdigest()[:40]


_LATEST = (1 << 63) - 1
"""The latest time that is stored: a server's clock may say anything."""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # a server's JSON can hold what UTF-8 cannot


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")

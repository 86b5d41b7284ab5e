"""Every number and name that the room protocol gives a meaning (PROTOCOL.md, section "Code points")."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

from transports.carriers import EME_NAME, MATRIX_EVENT_TYPE, XMPP_NAMESPACE

__all__ = [
    "CLOSE_AFTER",
    "DEFAULT_MEMBER_RIGHTS",
    "EME_NAME",
    "GROUP_INFO_LABEL",
    "GROUP_NUMBER_LABEL",
    "HASH_SIZE",
    "MATRIX_EVENT_TYPE",
    "MAX_ENVELOPE",
    "MAX_FRAGMENTS",
    "MAX_INLINE",
    "MAX_SEALED",
    "MAX_SEAL_ENTRIES",
    "NOTICE_LABEL",
    "ORDER_EXTENSION",
    "PAIR_NUMBER_LABEL",
    "PROBE",
    "PROTOCOL_VERSION",
    "REJOIN_LABEL",
    "SEALED_KINDS",
    "SEAL_LABEL",
    "START_LABEL",
    "TERM_CHANGE_LABEL",
    "VERDICT_LABEL",
    "XMPP_NAMESPACE",
    "EnvelopeKind",
    "Introductions",
    "Mode",
    "Right",
]

PROTOCOL_VERSION: Final = 1
"""The version of envelopes and of the order extension."""

HASH_SIZE: Final = 32
"""Bytes of every hash of the room protocol: SHA-256, whatever the group's cipher suite."""

ORDER_EXTENSION: Final = 0xF0B1
"""The extension type of `Order`, from the range for private use (RFC 9420, section 17.3)."""

MAX_ENVELOPE: Final = 4 << 20
"""The largest envelope in bytes: the Welcome of a group of several thousand members."""

MAX_SEALED: Final = MAX_ENVELOPE - 1024
"""Bytes of the largest envelope that gets a place in the order: it has to fit into an answer (PROTOCOL.md)."""

MAX_FRAGMENTS: Final = 512
"""The most fragments that an envelope is split into."""

MAX_INLINE: Final = 2048
"""The largest envelope in bytes that travels inside the seal that orders it."""

MAX_SEAL_ENTRIES: Final = 64
"""The most envelopes that one seal orders."""

SEAL_LABEL: Final = b"mls-bridge 1 seal"
"""What a sequencer's signature covers before the seal: its key signs nothing else."""

START_LABEL: Final = b"mls-bridge 1 start of log"
"""Hashed with group and key: what the first seal follows on."""

TERM_CHANGE_LABEL: Final = b"mls-bridge 1 term change"
"""What an endorsement of another sequencer's key covers before the change."""

VERDICT_LABEL: Final = "mls-bridge 1 verdict"
"""For `SignWithLabel`: a leaf's word on a Commit that the order has named."""

NOTICE_LABEL: Final = "mls-bridge 1 remove notice"
"""For `SignWithLabel`: who is to be removed."""

REJOIN_LABEL: Final = "mls-bridge 1 rejoin"
"""For `SignWithLabel`: a request for a GroupInfo."""

GROUP_INFO_LABEL: Final = "mls-bridge 1 group info"
"""For `EncryptWithLabel`: the GroupInfo that answers it."""

CLOSE_AFTER: Final = 60_000
"""Milliseconds between a Commit, or the first `nack` of it, and the `close` that settles it, by their seals."""

PAIR_NUMBER_LABEL: Final = b"mls-bridge 1 pair number"
"""Hashed for the 60 digits that two people compare."""

GROUP_NUMBER_LABEL: Final = b"mls-bridge 1 group number"
"""Hashed for the 30 digits of a group's epoch."""

PROBE: Final = 255
"""The kind of an envelope of random bytes, which measures a room: members ignore it, and relays do not copy it."""


class EnvelopeKind(IntEnum):
    """What an envelope carries. Receivers keep quiet about kinds that they do not know, and relays copy them."""

    HELLO = 1
    KEY_PACKAGE = 2
    HANDSHAKE = 3
    APPLICATION = 4
    WELCOME = 5
    GROUP_INFO = 6
    SEAL = 7
    ACK = 8
    NACK = 9
    CLOSE = 10
    REMOVE_NOTICE = 11
    TERM_CHANGE = 12
    REQUEST = 13
    ANSWER = 14
    MEMBERSHIP = 15
    FRAGMENT = 16


SEALED_KINDS: Final = frozenset(
    {
        EnvelopeKind.HANDSHAKE,
        EnvelopeKind.WELCOME,
        EnvelopeKind.ACK,
        EnvelopeKind.NACK,
        EnvelopeKind.CLOSE,
        EnvelopeKind.REMOVE_NOTICE,
    }
)
"""What a sequencer gives a place in the order."""


class Mode(IntEnum):
    """Where a group's order comes from."""

    ROOM = 1
    """The archive of one unclustered MUC, which every member is an occupant of."""
    SEALED = 2
    """A sequencer's seals."""


class Introductions(IntEnum):
    """Whose word lets somebody in from a network that no member is on."""

    MEMBERS = 1
    """Only a member's with the `VOUCH` right, who compared numbers."""
    BRIDGE = 2
    """The relay's. The group is shown to everyone as trusting its bridge."""


class Right(IntFlag):
    """What a member may commit."""

    ADD = 1
    """Add leaves of one's own network."""
    REMOVE = 2
    """Remove leaves of one's own network."""
    VOUCH = 4
    """Add and remove leaves of any network."""
    SETTINGS = 8
    """Change the order extension; close the group."""


DEFAULT_MEMBER_RIGHTS: Final = Right.ADD | Right.REMOVE
"""Any member of a network adds and removes there."""

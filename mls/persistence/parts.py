"""The parts that a stored state is made of.

=====================  =======  ========  =======  ==========================================================
kind                   epoch    place     secret   holds
=====================  =======  ========  =======  ==========================================================
`HEADER`               0        0         no       format version, revision, status, epoch, own leaf, suite, parts
`CONTEXT`              epoch    0         no       GroupContext, for the current and each past epoch
`TREE`                 epoch    0         no       the ratchet tree, likewise
`TRANSCRIPT`           epoch    0         no       confirmation tag and interim transcript hash
`PAST_EPOCH`           epoch    0         no       when a past epoch ended, and the own leaf in it
`EPOCH_SECRETS`        epoch    0         yes      the key schedule's secrets of the current epoch
`SENDER_DATA_SECRET`   epoch    0         yes      that of a past epoch
`SECRET_NODE`          epoch    node      yes      a secret tree node below which nothing is derived
`HANDSHAKE_RATCHET`    epoch    leaf      yes      a sender's ratchet with its skipped keys
`APPLICATION_RATCHET`  epoch    leaf      yes      likewise
`PRIVATE_KEY`          0        node      yes      a ratchet tree node's private key
`SIGNATURE_KEY`        0        0         yes      the private signature key
`RESUMPTION_PSK`       epoch    0         yes      an epoch's resumption PSK
`PROPOSAL`             0        position  no       a proposal that waits for a Commit
`OWN_UPDATE`           0        position  yes      the private half of an Update of one's own
`PENDING_COMMIT`       0        position  yes      a Commit of one's own, with its epoch's secrets
`PENDING_TREE`         0        position  no       the tree that it leads to
`REINIT`               0        0         no       the ReInit that closed the group
=====================  =======  ========  =======  ==========================================================

A message changes the header and one ratchet; the first of a sender in an epoch also the path of secret nodes
above it. Kinds have fixed numbers: they are part of the format.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

__all__ = ["FORMAT_VERSION", "SECRET_KINDS", "Changes", "Part", "PartKey", "PartKind"]

FORMAT_VERSION = 1
"""The version of the encoding, in the header."""


class PartKind(IntEnum):
    """What a part holds."""

    HEADER = 1
    CONTEXT = 2
    TREE = 3
    TRANSCRIPT = 4
    PAST_EPOCH = 5
    EPOCH_SECRETS = 6
    SENDER_DATA_SECRET = 7
    SECRET_NODE = 8
    HANDSHAKE_RATCHET = 9
    APPLICATION_RATCHET = 10
    PRIVATE_KEY = 11
    SIGNATURE_KEY = 12
    RESUMPTION_PSK = 13
    PROPOSAL = 14
    OWN_UPDATE = 15
    PENDING_COMMIT = 16
    PENDING_TREE = 17
    REINIT = 18


SECRET_KINDS = frozenset(
    {
        PartKind.EPOCH_SECRETS,
        PartKind.SENDER_DATA_SECRET,
        PartKind.SECRET_NODE,
        PartKind.HANDSHAKE_RATCHET,
        PartKind.APPLICATION_RATCHET,
        PartKind.PRIVATE_KEY,
        PartKind.SIGNATURE_KEY,
        PartKind.RESUMPTION_PSK,
        PartKind.OWN_UPDATE,
        PartKind.PENDING_COMMIT,
    }
)
"""What must be encrypted at rest, and overwritten when it is deleted."""


class PartKey(NamedTuple):
    """Where a part belongs within its state."""

    kind: PartKind
    epoch: int = 0
    place: int = 0
    """A node, a leaf, or a position in a list."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a stored state."""

    key: PartKey
    data: bytes

    @property
    def is_secret(self) -> bool:
        """Whether the data must be kept secret."""
        return self.key.kind in SECRET_KINDS

    def __repr__(self) -> str:
        return f"Part({self.key.kind.name}, {self.key.epoch}, {self.key.place}: {len(self.data)} bytes)"


@dataclass(frozen=True, slots=True)
class Changes:
    """What to do to a stored state, in one transaction, so that it becomes a newer one."""

    revision_before: int | None
    """The revision that must be stored now; `None` where nothing must be. If another one is, somebody else has
    made a step meanwhile: applying these changes would use its keys twice."""
    revision_after: int
    put: tuple[Part, ...]
    delete: tuple[PartKey, ...]

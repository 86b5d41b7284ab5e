"""Pre-shared key identifiers (RFC 9420, section 8.4)."""

from __future__ import annotations

from typing import Annotated

from mls.codec import Opaque, Struct, Tagged, UInt16, UInt64, struct
from mls.registry import PSKType, ResumptionPSKUsage

__all__ = ["ExternalPSK", "PSKLabel", "PreSharedKeyID", "ResumptionPSK"]


@struct(tag=PSKType.EXTERNAL)
class ExternalPSK(Struct):
    """A key that the application provides."""

    psk_id: Opaque


@struct(tag=PSKType.RESUMPTION)
class ResumptionPSK(Struct):
    """The `resumption_psk` of some group's epoch."""

    usage: ResumptionPSKUsage
    psk_group_id: Opaque
    psk_epoch: UInt64


@struct()
class PreSharedKeyID(Struct):
    """Which key to inject, and a nonce (`KDF.Nh` bytes) that makes each injection different."""

    psk: Annotated[ExternalPSK | ResumptionPSK, Tagged(PSKType)]
    psk_nonce: Opaque


@struct()
class PSKLabel(Struct):
    """The context under which one of `count` keys enters the key schedule."""

    id: PreSharedKeyID
    index: UInt16
    count: UInt16

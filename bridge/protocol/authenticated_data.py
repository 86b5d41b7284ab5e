"""What members say in every message, readable and signed: how far they know the log.

PROTOCOL.md, "Authenticated data".
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from bridge.protocol.bodies import LogPosition
from bridge.protocol.code_points import HASH_SIZE, Mode
from bridge.protocol.errors import ProtocolError
from mls.codec import FixedOpaque, Struct, Tagged, struct
from mls.errors import DecodeError

__all__ = ["AuthenticatedData", "LastCommit", "LogHead", "SealHead", "open_authenticated_data"]


@struct(tag=Mode.ROOM)
class LastCommit(Struct):
    """Mode `room`: the identity of the last Commit's envelope that the sender has applied; zeros before the first."""

    identity: Annotated[bytes, FixedOpaque(HASH_SIZE)]


@struct(tag=Mode.SEALED)
class SealHead(Struct):
    """Mode `sealed`: the newest seal that the sender knows."""

    position: LogPosition


LogHead: TypeAlias = LastCommit | SealHead


@struct()
class AuthenticatedData(Struct):
    """`authenticated_data` of every Commit and application message."""

    head: Annotated[LogHead, Tagged(Mode)]


def open_authenticated_data(data: bytes) -> AuthenticatedData:
    """Decode a message's authenticated data. Raises `ProtocolError`."""
    try:
        return AuthenticatedData.decode(data)
    except DecodeError as error:
        raise ProtocolError(f"authenticated data of another protocol: {error}") from error

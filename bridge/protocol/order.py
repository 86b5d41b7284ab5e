"""The order extension: what a group says of itself in its GroupContext (PROTOCOL.md, "The order extension").

It stands in every group, in `required_capabilities` too. Whether a Commit is valid depends on it and on the tree, never
on what somebody's server shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from bridge.protocol.code_points import ORDER_EXTENSION, PROTOCOL_VERSION, Introductions, Mode, Right
from bridge.protocol.errors import ProtocolError
from mls.codec import Constant, Opaque, Struct, UInt8, UInt16, UInt32, UInt64, struct
from mls.errors import DecodeError
from mls.wire.extensions import Extension

__all__ = ["Admin", "Order", "Retention", "find_order", "pack_order"]

_KEY = 32
_MAX_LIST = 256


@struct()
class Admin(Struct):
    """Somebody with rights beyond everybody's."""

    account: Opaque
    """The account's URI, in UTF-8."""
    rights: UInt8


@struct()
class Retention(Struct):
    """How long keys of past epochs are kept for late messages: the engine's `Limits`."""

    grace: UInt32
    """Seconds during which an epoch is kept whatever the number of epochs since."""
    epochs: UInt16
    seconds: UInt32
    epochs_max: UInt16
    """At least 1: a Commit may turn out to count for nothing (PROTOCOL.md, "Verdicts")."""


@struct(retain=True)
class Order(Struct):
    """A group's order, rights and limits."""

    version: Annotated[int, Constant(1, PROTOCOL_VERSION, "the order extension's version")]
    mode: Mode
    room: Opaque
    """The canonical room URI: where the group was founded. It outlives a room's upgrade."""
    rooms: tuple[Opaque, ...]
    """URIs of the rooms that the group spans, the home room first."""
    term: UInt64
    sequencer: Opaque
    """The sequencer's Ed25519 key, 32 bytes; empty in mode `room`."""
    standby: tuple[Opaque, ...]
    """Keys that may take over."""
    quorum: UInt8
    """How many of standby keys and admins an unplanned takeover needs; 0: none is possible."""
    admins: tuple[Admin, ...]
    member_rights: UInt8
    """What every member may do."""
    introductions: Introductions
    retention: Retention

    @property
    def home(self) -> bytes:
        """The URI of the room whose order counts."""
        return self.rooms[0]

    def rights_of(self, account: str) -> Right:
        """Return what that account's leaves may commit."""
        name = account.encode()
        own = next((admin.rights for admin in self.admins if admin.account == name), 0)
        return Right((self.member_rights | own) & sum(Right))


def pack_order(order: Order) -> Extension:
    """Return the GroupContext extension that carries `order`."""
    return Extension(ORDER_EXTENSION, order.encode())


def find_order(extensions: Sequence[Extension]) -> Order:
    """Return the order of a group. Raises `ProtocolError` where there is none, or one that makes no sense."""
    found = [item.extension_data for item in extensions if item.extension_type == ORDER_EXTENSION]
    if len(found) != 1:
        raise ProtocolError("a group without an order extension: none of this protocol")
    try:
        order = Order.decode(found[0])
    except DecodeError as error:
        raise ProtocolError(f"a malformed order extension: {error}") from error
    _check(order)
    return order


def _check(order: Order) -> None:
    if not order.room or not order.rooms or not all(order.rooms):
        raise ProtocolError("an order extension without its rooms")
    if len(set(order.rooms)) != len(order.rooms):
        raise ProtocolError("an order extension that names a room twice")
    if max(len(order.rooms), len(order.standby), len(order.admins)) > _MAX_LIST:
        raise ProtocolError(f"an order extension with more than {_MAX_LIST} rooms, keys or admins")
    if len(order.sequencer) != (_KEY if order.mode is Mode.SEALED else 0):
        raise ProtocolError("an order extension whose sequencer key does not fit its mode")
    if any(len(key) != _KEY for key in order.standby):
        raise ProtocolError("an order extension with a standby key that is none")
    if order.mode is Mode.ROOM and len(order.rooms) != 1:
        raise ProtocolError("mode `room` with more than one room")
    if order.retention.epochs_max == 0:
        raise ProtocolError("a retention without a single epoch: there is no way back from a Commit that is void")
    try:
        for text in (order.room, *order.rooms, *(admin.account for admin in order.admins)):
            text.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("an order extension whose URIs are not UTF-8") from error

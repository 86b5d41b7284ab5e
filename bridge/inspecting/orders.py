"""The order extension and what messages say of the log, in words."""

from __future__ import annotations

from typing import assert_never

from bridge.inspecting import names
from bridge.inspecting.explanation import Blob, Code, Explanation, Field
from bridge.inspecting.look import Look, text
from bridge.protocol.authenticated_data import LastCommit, SealHead, open_authenticated_data
from bridge.protocol.bodies import LogPosition
from bridge.protocol.code_points import ORDER_EXTENSION, Right
from bridge.protocol.errors import ProtocolError
from bridge.protocol.order import Admin, Retention, find_order
from mls.wire.extensions import Extension

__all__ = ["explain_authenticated_data", "explain_order", "explain_position"]


def explain_order(data: bytes, look: Look) -> Explanation:
    """Explain the order extension's data. Raises `ProtocolError`."""
    order = find_order((Extension(ORDER_EXTENSION, data),))
    fields = (
        Field("version", order.version),
        Field("mode", names.named(order.mode)),
        Field("room", text(order.room)),
        Field("rooms", look.texts(order.rooms)),
        Field("term", order.term),
        Field("sequencer", Blob(order.sequencer)),
        Field("standby", look.several(order.standby, Blob)),
        Field("quorum", order.quorum),
        Field("admins", look.several(order.admins, _admin)),
        Field("member_rights", _rights(order.member_rights)),
        Field("introductions", names.named(order.introductions)),
        Field("retention", _retention(order.retention)),
    )
    return Explanation("order", "Order extension", "where the group's order comes from, and who may do what", fields)


def explain_position(position: LogPosition) -> Explanation:
    """Explain a place in a group's log."""
    fields = (
        Field("term", position.term),
        Field("seq", position.seq),
        Field("seal_hash", Blob(position.seal_hash)),
    )
    return Explanation("log_position", "Position in the log", "", fields)


def explain_authenticated_data(data: bytes) -> Field:
    """Return what a message's authenticated data is: readable for all, and of any application."""
    try:
        head = open_authenticated_data(data).head
    except ProtocolError:
        return Field("authenticated_data", Blob(data))
    match head:
        case LastCommit(identity=identity):
            return Field("last_commit", Blob(identity))
        case SealHead(position=position):
            return Field("knows_the_log_up_to", explain_position(position))
        case _:
            assert_never(head)


def _admin(admin: Admin) -> Explanation:
    fields = (Field("account", text(admin.account)), Field("rights", _rights(admin.rights)))
    return Explanation("admin", "Admin", "", fields)


def _rights(bits: int) -> Code:
    held = [str(right.name) for right in Right if bits & right]
    unknown = bits & ~sum(Right)
    if unknown:
        held.append(f"{unknown:#x}, which is not known")
    return Code(bits, " | ".join(held) or "none")


def _retention(retention: Retention) -> Explanation:
    fields = (
        Field("grace_seconds", retention.grace),
        Field("epochs", retention.epochs),
        Field("seconds", retention.seconds),
        Field("epochs_max", retention.epochs_max),
    )
    return Explanation("retention", "Retention", "how long keys of past epochs are kept", fields)

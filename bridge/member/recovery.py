"""What a member keeps on its way back into a group that it has lost, and of those whom it helps back.

One record of the store beside the others, empty most of the time.
"""

from __future__ import annotations

from typing import Annotated

from bridge.member.memory import Identifier
from bridge.order.log import Log
from bridge.protocol.asking import Nonce
from bridge.protocol.bodies import LogPosition
from mls.codec import Constant, Opaque, Struct, UInt8, UInt32, UInt64, struct

__all__ = ["Answered", "Pending", "Recovery", "Returning", "nothing_lost"]


@struct()
class Returning(Struct):
    """A member on its way back."""

    tries: UInt32
    """How often it has asked."""
    asked_at: UInt64
    """When it asked last; 0: it has not yet."""
    nonce: Nonce
    """Of the request."""
    head: LogPosition
    """The newest seal that this member knew when it asked."""
    private_key: Opaque
    """HPKE, for the answer alone."""
    commit: Identifier
    """Identity of the external Commit's envelope; zeros where none is made yet."""
    walk: Log | None
    """The log from where the GroupInfo stands: whoever answered may lie about that, so it counts on arrival alone."""
    has_rival: UInt8
    """1 once the order has named another handshake of the epoch that it leads out of, before it."""


@struct()
class Pending(Struct):
    """Somebody who wants to come back, and whom this member can help."""

    nonce: Nonce
    signature_key: Opaque
    """The requester's: its leaf may be another by the time, or gone."""
    public_key: Opaque
    asked_at: UInt64
    due: UInt64
    """When this member answers, if nobody has by then."""
    has_answer: UInt8
    """1 once there was something that says that it answers."""


@struct()
class Answered(Struct):
    """Whom this member has helped last."""

    signature_key: Opaque
    at: UInt64


@struct()
class Recovery(Struct):
    """One record of the store, in this encoding."""

    version: Annotated[int, Constant(1, 1, "the version of what is stored of a recovery")]
    returning: Returning | None
    returned: tuple[UInt64, ...]
    """When this member lost the thread, the newest first."""
    behind_since: UInt64
    """Since when a part of the order is missing; 0: nothing is, or the thread was lost for another reason."""
    pending: tuple[Pending, ...]
    answered: tuple[Answered, ...]


def nothing_lost() -> Recovery:
    """Return what a member keeps that has lost nothing, and knows of nobody who has."""
    return Recovery(1, None, (), 0, (), ())

"""The outermost struct, MLSMessage (RFC 9420, section 6)."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from mls.codec import Constant, Struct, Tagged, struct
from mls.registry import MLS10, WireFormat
from mls.wire.framing import PrivateMessage, PublicMessage
from mls.wire.key_package import KeyPackage
from mls.wire.welcome import GroupInfo, Welcome

__all__ = ["AnyMessage", "MLSMessage", "wrap"]

AnyMessage: TypeAlias = PublicMessage | PrivateMessage | Welcome | GroupInfo | KeyPackage


@struct()
class MLSMessage(Struct):
    """What travels: a version, a wire format, and the struct that it names."""

    version: Annotated[int, Constant(2, MLS10, "the protocol version")]
    message: Annotated[
        AnyMessage,
        Tagged(
            WireFormat,
            size=2,
            cases={
                WireFormat.PUBLIC_MESSAGE: PublicMessage,
                WireFormat.PRIVATE_MESSAGE: PrivateMessage,
                WireFormat.WELCOME: Welcome,
                WireFormat.GROUP_INFO: GroupInfo,
                WireFormat.KEY_PACKAGE: KeyPackage,
            },
        ),
    ]


def wrap(message: AnyMessage) -> MLSMessage:
    """Return `message` as an MLSMessage of version `mls10`."""
    return MLSMessage(MLS10, message)

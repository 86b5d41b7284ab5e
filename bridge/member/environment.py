"""What the engine consults for a group of this protocol: who may be a member, what may be committed, what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mls
from bridge.member.rights import why_not
from bridge.member.settings import DEFAULT_PADDING, DEFAULT_RETENTION
from bridge.protocol.code_points import MAX_ENVELOPE, ORDER_EXTENSION
from bridge.protocol.errors import ProtocolError
from bridge.protocol.identity import identity_of_credential
from mls.wire.extensions import RequiredCapabilities, pack_extension

if TYPE_CHECKING:
    from bridge.protocol.order import Retention
    from mls.crypto.random import Random
    from mls.framing.private import Padding
    from mls.wire.credentials import AnyCredential
    from mls.wire.extensions import Extension
    from mls.wire.leaf_node import LeafNode

__all__ = ["RoomAuthentication", "capabilities", "environment", "required_capabilities"]


class RoomAuthentication:
    """The Authentication Service (RFC 9420, section 5.3.1): well-formed identities, and nobody becomes another.

    Whether a key really is its account's is no question of validity, on which all members must agree: it is asked when
    somebody is added, and shown (`bridge.member.people`).
    """

    def accepts(self, credential: AnyCredential, signature_key: bytes) -> bool:  # noqa: ARG002 - see above
        try:
            identity_of_credential(credential)
        except ProtocolError:
            return False
        return True

    def accepts_successor(self, old: AnyCredential, new: AnyCredential) -> bool:
        return old == new

    def client_id(self, leaf: LeafNode) -> bytes | None:
        try:
            return identity_of_credential(leaf.credential).encode()
        except ProtocolError:
            return None


def environment(
    random: Random, retention: Retention = DEFAULT_RETENTION, padding: int = DEFAULT_PADDING
) -> mls.Environment:
    """Return the engine's environment under a group's retention limits, and with one's own padding."""
    limits = mls.Limits(
        past_grace=retention.grace,
        past_epochs=retention.epochs,
        past_seconds=retention.seconds,
        past_epochs_max=retention.epochs_max,
        max_message=MAX_ENVELOPE,
    )
    return mls.Environment(
        RoomAuthentication(), proposal_rules=why_not, padding=_padding(padding), limits=limits, random=random
    )


def capabilities(client: mls.Client) -> mls.Client:
    """Return the client with the capabilities that groups of this protocol require."""
    own = client.capabilities
    extensions = (*own.extensions, ORDER_EXTENSION)
    return mls.Client(client.suite, client.credential, client.signature_key, own.replace(extensions=extensions))


def required_capabilities() -> Extension:
    """Return the `required_capabilities` of every group: who does not know the order extension cannot follow it."""
    return pack_extension(RequiredCapabilities((ORDER_EXTENSION,), (), ()))


def _padding(unit: int) -> Padding:
    """Return what fills a message up to the next of `unit`, twice as many, ... bytes; 0: not at all."""

    def pad(size: int) -> int:
        target = unit or size
        while target < size:
            target *= 2
        return target - size

    return pad

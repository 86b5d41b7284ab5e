"""How somebody, a message or a connection stands."""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "DeliveryState",
    "LinkState",
    "Verification",
]


class Verification(StrEnum):
    """What vouches for somebody, weakest first."""

    BRIDGE = "bridge"
    """The bridge's word."""
    NETWORK = "network"
    """Their own network saw that account post the key."""
    FIRST_USE = "first-use"
    """The key is the one that was first seen."""
    COMPARED = "compared"
    """A person compared the numbers."""


class DeliveryState(StrEnum):
    """How far a message of one's own has come."""

    WAITING = "waiting"
    """Here, to be sent."""
    SENT = "sent"
    """In the room."""
    DELIVERED = "delivered"
    """A member on each linked network has it."""
    FAILED = "failed"
    """Given up; the reason says why."""


class LinkState(StrEnum):
    """How the connection to a network stands."""

    CONNECTING = "connecting"
    CATCHING_UP = "catching-up"
    LIVE = "live"
    LOST = "lost"

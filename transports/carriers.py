"""The names under which envelopes travel on each network: part of the room protocol (PROTOCOL.md, section "Carriers").

They belong to this project; no registry assigns them.
"""

from __future__ import annotations

from typing import Final

__all__ = ["EME_NAME", "MATRIX_EVENT_TYPE", "MATRIX_MAX_ENVELOPE", "XMPP_MAX_ENVELOPE", "XMPP_NAMESPACE"]

MATRIX_EVENT_TYPE: Final = "mls-bridge.envelope.v1"
"""The type of a Matrix room event whose content carries an envelope."""

MATRIX_MAX_ENVELOPE: Final = 45_000
"""Bytes of an envelope in one Matrix event: 60,000 in base64, and an event has 65,536 with all its fields."""

XMPP_NAMESPACE: Final = "mls-bridge:envelope:1"
"""The XML namespace of the element that carries an envelope in an XMPP message."""

XMPP_MAX_ENVELOPE: Final = 120_000
"""Bytes of an envelope in one stanza: 160,000 in base64, well below the 262,144 that servers take by default."""

EME_NAME: Final = "MLS"
"""What clients without MLS are told that a message is encrypted with (XEP-0380)."""

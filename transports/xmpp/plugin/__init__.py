"""A slixmpp plugin that carries envelopes in messages, usable by any slixmpp bot by itself.

import transports.xmpp.plugin

client.register_plugin("mls_bridge_envelope")
client.add_event_handler("mls_bridge_envelope", lambda message: ...)
client.plugin["mls_bridge_envelope"].send_envelope("tea@muc.example.org", envelope)
"""

from __future__ import annotations

from slixmpp.plugins.base import register_plugin

from transports.xmpp.plugin.plugin import EnvelopePlugin
from transports.xmpp.plugin.stanza import (
    ARCHIVED_BODY,
    CarriedEnvelope,
    Envelope,
    MalformedEnvelopeError,
    envelope_message,
    read_envelope,
)

__all__ = [
    "ARCHIVED_BODY",
    "CarriedEnvelope",
    "Envelope",
    "EnvelopePlugin",
    "MalformedEnvelopeError",
    "envelope_message",
    "read_envelope",
]

register_plugin(EnvelopePlugin)

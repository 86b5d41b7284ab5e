"""Rooms on XMPP: MUCs (XEP-0045) with an archive (XEP-0313), through slixmpp, as a client or as a component.

`XmppTransport` is the transport; `transports.xmpp.plugin` carries envelopes for any slixmpp bot by itself.
"""

from __future__ import annotations

from transports.xmpp.checks import check
from transports.xmpp.login import ClientLogin, ComponentLogin, Tls
from transports.xmpp.pace import Pace
from transports.xmpp.transport import XmppTransport

__all__ = ["ClientLogin", "ComponentLogin", "Pace", "Tls", "XmppTransport", "check"]

"""The relay: copies envelopes between linked rooms. It holds no key, and what it copies it cannot open.

`bridge.relay.decisions` decides what is copied where, `bridge.relay.turns` which of several relays does it.
"""

from __future__ import annotations

from bridge.relay.relay import Relay
from bridge.relay.settings import Counted, RelaySettings, Side

__all__ = ["Counted", "Relay", "RelaySettings", "Side"]

"""What these tests stand on besides the real servers."""

from __future__ import annotations

import pytest

from bridge.servers import XmppServer


@pytest.fixture(params=["prosody", "ejabberd"])
def xmpp(request: pytest.FixtureRequest) -> XmppServer:
    """Prosody, and then ejabberd."""
    found: XmppServer = request.getfixturevalue(request.param)
    return found

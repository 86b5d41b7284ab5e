"""The registration that makes this program an appservice of a homeserver: not rate limited, with users of its own."""

from __future__ import annotations

import re
import secrets
from typing import Final

__all__ = ["registration"]

_LOCALPART: Final = re.compile(r"[a-z0-9._=/+-]{1,128}")


def registration(
    *, localpart: str, server_name: str, as_token: str | None = None, hs_token: str | None = None
) -> dict[str, object]:
    """Return the registration, to be written as YAML and named in the homeserver's `app_service_config_files`.

    `localpart` is the user that the program acts as, `server_name` what stands behind the colon of user ids. That user
    is in the appservice's namespace, and is not its `sender_localpart`: Synapse answers a sender's `/sync` with an
    internal error. `url` is null: the homeserver need not reach us, for we sync like any client. The tokens are made
    here unless they are given, to write the same registration again. Raises `ValueError` for a localpart that no user
    id may have.
    """
    if not _LOCALPART.fullmatch(localpart):
        raise ValueError(f"a user's name is of a-z, 0-9 and ._=/+-, at most 128 of them: {localpart[:80]!a}")
    return {
        "id": f"mls-bridge-{localpart}",
        "url": None,
        "as_token": as_token or secrets.token_urlsafe(32),
        "hs_token": hs_token or secrets.token_urlsafe(32),
        "sender_localpart": f"_{localpart}_appservice",
        "rate_limited": False,
        "namespaces": {
            "users": [{"exclusive": True, "regex": f"@{re.escape(localpart)}:{re.escape(server_name)}"}],
            "aliases": [],
            "rooms": [],
        },
    }

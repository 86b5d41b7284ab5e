"""What people write for somebody, as far as its form says whom it means."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["HOW_TO_NAME", "account_meant", "is_account"]

HOW_TO_NAME: Final = "Give the account in full, as in @alice:example.org or alice@example.org"

_MATRIX_USER: Final = re.compile(r"@([^\s:/?#@%]+:[A-Za-z0-9.:\[\]-]+)")
_JID: Final = re.compile(r"[^\s:/?#@%]+@[^\s/?#@%]+")


def account_meant(person: str) -> str:
    """Return an id of Matrix, or a JID, as the URI of that account; anything else as it is."""
    if user := _MATRIX_USER.fullmatch(person):
        return f"matrix:u/{user[1]}"
    return f"xmpp:{person}" if _JID.fullmatch(person) else person


def is_account(person: str) -> bool:
    """Whether this is the URI of an account, and no name."""
    return person.startswith(("matrix:", "xmpp:"))

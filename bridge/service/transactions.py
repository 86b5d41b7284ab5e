"""How the fragments of an envelope are published: each with a transaction of its own, made from the envelope's."""

from __future__ import annotations

import re
from typing import Final

from bridge.protocol.code_points import MAX_FRAGMENTS

__all__ = ["MAX_TRANSACTION", "of_fragment", "of_whole"]

_FRAGMENT: Final = re.compile(r"-f\d{1,3}\Z")

MAX_TRANSACTION: Final = 64 - len(f"-f{MAX_FRAGMENTS - 1}")
"""Characters of an envelope's transaction: a transport takes 64."""


def of_fragment(transaction: str, index: int) -> str:
    """Return the transaction of one fragment of an envelope."""
    return f"{transaction}-f{index}"


def of_whole(transaction: str) -> str:
    """Return the transaction of an envelope, from that of one of its fragments."""
    return _FRAGMENT.sub("", transaction)

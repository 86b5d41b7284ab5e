"""One official entry of each format, in which every expected field occurs, and neither too small nor too large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.vectors.official import entries

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EXAMPLES", "example"]

EXAMPLES: Final[Mapping[str, tuple[str, int]]] = {
    "tree-math": ("tree-math.json", 3),
    "crypto-basics": ("crypto-basics.json", 1),
    "secret-tree": ("secret-tree.json", 7),
    "message-protection": ("message-protection.json", 3),
    "key-schedule": ("key-schedule.json", 4),
    "psk_secret": ("psk_secret.json", 58),
    "transcript-hashes": ("transcript-hashes.json", 6),
    "welcome": ("welcome.json", 0),
    "tree-operations": ("tree-operations.json", 3),
    "tree-validation": ("tree-validation.json", 9),
    "treekem": ("treekem.json", 23),
    "messages": ("messages.json", 100),
    "passive-client": ("passive-client-handling-commit.json", 6),
    "deserialization": ("deserialization.json", 9),
}


def example(format_name: str) -> dict[str, object]:
    """Return the entry. It is everybody's: make a changed one with `replaced`."""
    file, position = EXAMPLES[format_name]
    return entries(file)[position]

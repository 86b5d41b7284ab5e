"""The formats, and which of them a file is in.

No two formats have the same fields, so the fields of its entries tell a file's format, whatever its name. A file may
be broken: the format is the one that some entry comes closest to; of several such, the one of most entries.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from mls.conformance.fields import declaration
from mls.conformance.framing import MessageProtection
from mls.conformance.groups import PassiveClient, Welcome
from mls.conformance.messages import Messages
from mls.conformance.primitives import CryptoBasics, Deserialization, TreeMath
from mls.conformance.schedule import KeySchedule, PskSecret, SecretTree, TranscriptHashes
from mls.conformance.treekem import TreeKEM
from mls.conformance.trees import TreeOperations, TreeValidation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from mls.conformance.fields import Entry

__all__ = ["FORMATS", "recognise"]

FORMATS: Final[Mapping[str, type[Entry]]] = {
    "tree-math": TreeMath,
    "crypto-basics": CryptoBasics,
    "secret-tree": SecretTree,
    "message-protection": MessageProtection,
    "key-schedule": KeySchedule,
    "psk_secret": PskSecret,
    "transcript-hashes": TranscriptHashes,
    "welcome": Welcome,
    "tree-operations": TreeOperations,
    "tree-validation": TreeValidation,
    "treekem": TreeKEM,
    "messages": Messages,
    "passive-client": PassiveClient,
    "deserialization": Deserialization,
}
"""The official formats, in the order of their documentation."""

ENOUGH: Final = 0.5
"""More than this share of an entry's and a format's fields must be in both."""


def recognise(value: object) -> str | None:
    """Return the name of the format that a file's JSON value is in, `None` if it is in none.

    A file of vectors is an array, and at least one of its elements is an object with most of a format's fields.
    """
    if not isinstance(value, list):
        return None
    kinds = Counter(frozenset(entry) for entry in value if isinstance(entry, dict))
    found = [
        (_likeness(keys, declaration(entry_type).fields.keys()), count, name)
        for keys, count in kinds.items()
        for name, entry_type in FORMATS.items()
    ]
    likeness, _, name = max(found, key=lambda candidate: candidate[:2], default=(0.0, 0, ""))
    return name if likeness > ENOUGH else None


def _likeness(keys: AbstractSet[str], fields: AbstractSet[str]) -> float:
    """Return which share of all their names are in both."""
    return len(keys & fields) / len(keys | fields)

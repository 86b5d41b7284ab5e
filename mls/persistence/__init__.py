"""States as bytes: in parts, so that a step rewrites only what it changed.

`changes(before, after)` says which parts to put and which to delete; `load` makes a state of the parts again.
Whoever stores them applies the changes in one transaction, and only if the stored revision is the one that the
step started from (`Changes.revision_before`).
"""

from __future__ import annotations

from mls.persistence.bundles import decode_key_package_bundle, encode_key_package_bundle
from mls.persistence.loading import load
from mls.persistence.parts import Changes, Part, PartKey, PartKind
from mls.persistence.saving import changes

__all__ = [
    "Changes",
    "Part",
    "PartKey",
    "PartKind",
    "changes",
    "decode_key_package_bundle",
    "encode_key_package_bundle",
    "load",
]

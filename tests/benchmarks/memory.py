"""What a state weighs: the sizes of all objects that can be reached from it, each counted once.

Left out is what a process has once and for all (classes, functions, modules, cipher suites) and what Python does
not see: the key objects' buffers inside OpenSSL, some hundreds of bytes for each private key that is parsed.
"""

from __future__ import annotations

import gc
import sys
from enum import Enum
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import NamedTuple

from mls.crypto.kem import Kem
from mls.crypto.signature import SignatureScheme
from mls.crypto.suite import CipherSuite

__all__ = ["Weight", "weigh"]

_SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType, Enum, CipherSuite, Kem, SignatureScheme)


class Weight(NamedTuple):
    """Bytes, and the number of objects that they are in."""

    bytes: int
    objects: int


def weigh(*roots: object) -> Weight:
    """Weigh what can be reached from `roots`, together."""
    seen: dict[int, object] = {}
    pending: list[object] = list(roots)
    while pending:
        item = pending.pop()
        if id(item) in seen or isinstance(item, _SHARED):
            continue
        seen[id(item)] = item
        pending += gc.get_referents(item)
    return Weight(sum(sys.getsizeof(item) for item in seen.values()), len(seen))

"""Many signatures at once.

Verification releases the interpreter's lock, so a second thread makes a batch almost twice as fast on two cores.
Small batches are not worth the hand-over.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mls.crypto.suite import CipherSuite

__all__ = ["SignatureCheck", "verify_batch"]

_WORTH_A_THREAD = 16
_MAX_THREADS = 8


class SignatureCheck(NamedTuple):
    """One `VerifyWithLabel` to be done."""

    public_key: bytes
    label: str
    content: bytes
    signature: bytes


def verify_batch(suite: CipherSuite, checks: Sequence[SignatureCheck]) -> list[bool]:
    """Return, for each check in its order, whether the signature is valid."""
    worthwhile = min(_MAX_THREADS, len(checks) // _WORTH_A_THREAD)
    threads = min(worthwhile, os.cpu_count() or 1) if worthwhile > 1 else 1  # counting is slow: only for many
    if threads < 2:
        return _verify(suite, checks)
    size = -(-len(checks) // threads)
    shares = [checks[start : start + size] for start in range(0, len(checks), size)]
    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(_verify, suite, share) for share in shares[1:]]
        results = _verify(suite, shares[0])
        for other in others:
            results += other.result()
    return results


def _verify(suite: CipherSuite, checks: Sequence[SignatureCheck]) -> list[bool]:
    return [suite.verify_with_label(*check) for check in checks]

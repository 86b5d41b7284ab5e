"""All targets, by name."""

from __future__ import annotations

from tests.fuzz.decoding import DECODERS
from tests.fuzz.receiving import RECEIVERS

__all__ = ["TARGETS"]

TARGETS = {target.name: target for target in (*DECODERS, *RECEIVERS)}

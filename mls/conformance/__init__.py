"""The MLS working group's test vectors, run against this engine.

Each format is declared once, as a dataclass that says what its entries hold and checks them. Nothing here reads
files: `recognise` and `run` take what a JSON decoder makes of one.
"""

from __future__ import annotations

from mls.conformance.registry import FORMATS, recognise
from mls.conformance.running import Failure, Result, run

__all__ = ["FORMATS", "Failure", "Result", "recognise", "run"]

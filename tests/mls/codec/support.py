"""What the codec's tests are run with."""

from __future__ import annotations

import pytest

from tests.mls.codec.grammar import is_retained, wire_structs

__all__ = ["every_retained_struct", "every_struct"]

every_struct = pytest.mark.parametrize("kind", wire_structs(), ids=lambda kind: kind.__name__)
every_retained_struct = pytest.mark.parametrize(
    "kind", [kind for kind in wire_structs() if is_retained(kind)], ids=lambda kind: kind.__name__
)

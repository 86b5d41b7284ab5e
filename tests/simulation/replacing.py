"""Something else in place of a function, for a while: how the simulator looks on, and how faults are planted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["replaced"]


@contextmanager
def replaced(where: object, **names: object) -> Iterator[None]:
    """Let attributes of a module or a class be others within this block. Raises `AttributeError` for an unknown one."""
    before = {name: vars(where)[name] if name in vars(where) else getattr(where, name) for name in names}
    for name, instead in names.items():
        setattr(where, name, instead)
    try:
        yield
    finally:
        for name, original in before.items():
            setattr(where, name, original)

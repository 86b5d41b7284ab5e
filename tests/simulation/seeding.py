"""Randomness: everything that any program draws follows from the seed, its name, and which of its lives it is."""

from __future__ import annotations

from random import Random as PythonRandom

from mls.crypto.random import Random

__all__ = ["bytes_of", "stream"]


def stream(seed: int, *names: object) -> PythonRandom:
    """Return one of the seed's independent streams. The same names give the same stream, in every process."""
    return PythonRandom(" ".join(map(str, (seed, *names))))


def bytes_of(seed: int, *names: object) -> Random:
    """Return a stream as the engine takes randomness: a function from a number of bytes to that many."""
    return stream(seed, *names).randbytes

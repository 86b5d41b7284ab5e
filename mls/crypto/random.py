"""Randomness is an argument: a function from a number of bytes to that many bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Random", "system_random"]

Random: TypeAlias = Callable[[int], bytes]

system_random: Random = os.urandom
"""The operating system's generator: the one to use outside of simulations."""

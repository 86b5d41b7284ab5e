"""A source of choices that reads them off bytes, so that whoever finds the bytes makes the choices."""

from __future__ import annotations

from random import Random

__all__ = ["Choices"]


class Choices(Random):
    """Takes its bits from `data`, from the front; they are all zero when it is used up."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._data = data
        self._position = 0

    def getrandbits(self, k: int, /) -> int:
        """Return the next `k` bits."""
        size = -(-k // 8)
        taken = self._data[self._position : self._position + size].ljust(size, b"\x00")
        self._position += size
        return int.from_bytes(taken, "big") >> (8 * size - k)

    def random(self) -> float:
        """Return a number from 0 to 1, as fine as two bytes allow."""
        return self.getrandbits(16) / (1 << 16)

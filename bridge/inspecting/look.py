"""One look at some bytes: what it is given, what it found to be wrong, and how much more it may tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, TypeVar

from bridge.inspecting.explanation import Blob, Explanation, Several, Value
from bridge.protocol.errors import ProtocolError
from mls.errors import MlsError

__all__ = ["MAX_DEPTH", "Look", "text"]

MAX_DEPTH: Final = 4
"""Envelopes inside seals inside envelopes: nobody sends more than two."""

_MAX_ITEMS: Final = 64
"""The most that is told of one list; the rest is counted."""

_MAX_STRUCTURES: Final = 2000
"""The most list items that are told altogether: what bounds time and output for lists in lists in lists."""

Item = TypeVar("Item")


class Look:
    """Collects problems on the way. One look is for one attempt at one input."""

    def __init__(self, *, now: int, sequencer_key: bytes | None = None) -> None:
        """Take the time in seconds since 1970, and the key that seals should be signed with, if it is known."""
        self.now = now
        self.sequencer_key = sequencer_key
        self.problems: list[str] = []
        self.depth = 0
        self._left = _MAX_STRUCTURES

    def again(self) -> Look:
        """Return another look with the same settings, for the next attempt."""
        return Look(now=self.now, sequencer_key=self.sequencer_key)

    def problem(self, where: str, what: object) -> None:
        """Note what is wrong inside something that could be read as a whole."""
        self.problems.append(f"{where}: {what}")

    def several(self, values: Sequence[Item], explain: Callable[[Item], Value]) -> Several:
        """Explain a list, as much of it as may be told."""
        shown: list[Value] = []
        for value in islice(values, _MAX_ITEMS):
            if self._left == 0:
                break
            self._left -= 1
            shown.append(explain(value))
        return Several(tuple(shown), len(values))

    def inside(self, where: str, data: bytes, explain: Callable[[bytes], Explanation]) -> Explanation | Blob:
        """Explain bytes that another structure carries; where that fails, note why, and show them as bytes."""
        try:
            return explain(data)
        except (MlsError, ProtocolError) as error:
            self.problem(where, error)
            return Blob(data)

    def texts(self, values: Iterable[bytes]) -> Several:
        """Return a list of UTF-8 texts."""
        return self.several(tuple(values), text)


def text(data: bytes) -> str:
    """Return bytes that should be UTF-8 as text, whatever they are."""
    return data.decode(errors="replace")

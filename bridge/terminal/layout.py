"""Lines of a terminal, at any width, that nobody's text can imitate.

```text
-- Monday, 23 November 2026
14:03   bob #12: tea at four?
14:04 + carol #13, to #12 <bob: tea at four?>
      | four is fine, and there may even be some cake left
14:04 -- dave was added by bob
14:05 !! nothing came from the bridge for a minute
```

What somebody wrote stands behind their name, or behind a bar. What the program says stands behind `--`, alarms behind
`!!`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from bridge.content import harmless

__all__ = ["INDENT", "Layout", "local_time"]

INDENT: Final = 6
"""Columns of the time, and of the space behind it."""

MIN_WIDTH: Final = 20
MAX_CHARACTERS: Final = 4000
MAX_LINES: Final = 80
"""Of one message: more would push everything else off the screen."""


def local_time(at_ms: int, zone: tzinfo | None) -> datetime:
    """Return the time on the clock here (`zone` `None`: the system's). Servers can say any number: some time it is."""
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC).astimezone(zone)


class Layout:
    """Builds lines of `width` columns."""

    def __init__(self, width: int) -> None:
        self.width = max(width, MIN_WIDTH)
        self._console = Console(width=self.width)  # only ever asked to wrap

    def message(self, head: Text, body: str, *, style: str = "") -> list[Text]:
        """Return what somebody wrote: in one line with its head where it fits, else behind a bar below it."""
        lines = self._cut(harmless(body))
        if len(lines) == 1 and head.cell_len + 2 + cell_len(lines[0]) <= self.width and "\t" not in body:
            return [Text.assemble(head, ": ", (lines[0], style))]
        return [*self._wrap(head, 0, Text(" " * INDENT)), *self.behind(Text("| ", style="dim"), lines, style=style)]

    def notice(self, at: str, text: str, *, sign: str = "--", style: str = "dim") -> list[Text]:
        """Return what the program says. `text` may hold names and accounts: they are harmless when they come here."""
        first, *rest = self._wrap(Text(text, style=style), INDENT + 3, Text())
        begin = Text.assemble((f"{at:5} ", "dim"), (f"{sign} ", style), first)
        return [begin, *(Text.assemble(" " * INDENT, (f"{sign} ", style), line) for line in rest)]

    def behind(self, bar: Text, lines: Iterable[str], *, style: str = "") -> list[Text]:
        """Return lines of text, each of them behind `bar` however often it wraps."""
        begin = Text.assemble(" " * INDENT, bar)
        return [
            Text.assemble(begin, wrapped)
            for line in lines
            for wrapped in self._wrap(Text(line, style=style), begin.cell_len, Text())
        ]

    def _wrap(self, text: Text, used: int, continued: Text) -> list[Text]:
        wrapped = text.wrap(self._console, self.width - used - continued.cell_len, overflow="fold", tab_size=4)
        lines = list(wrapped) or [Text()]
        for line in lines:
            line.rstrip()
        return [lines[0], *(Text.assemble(continued, line) for line in lines[1:])]

    @staticmethod
    def _cut(text: str) -> list[str]:
        """Return the lines of `text`, as many as a screen bears, with a note where there are more."""
        lines = text[:MAX_CHARACTERS].split("\n")
        if len(text) <= MAX_CHARACTERS and len(lines) <= MAX_LINES:
            return lines
        return [*lines[:MAX_LINES], f"[cut here: {len(text):,} characters in all]"]

r"""Text of others, made safe to print on a terminal.

A terminal obeys what it prints: an escape sequence moves the cursor, renames the window, answers on the input line.
And Unicode can turn a line around, hide letters, or pile marks over the lines above. So that nothing acts and
nothing hides:

* control characters are shown as their pictures (ESC as \u241b), others that do not show as their number, `<U+202E>`;
* line ends of all kinds become `\n`; a tab stays one;
* of a pile of combining marks, the first few stay.

What Persian, Arabic, Indic scripts and emoji need stays: joiners, direction *marks*, the tags of flags.
Making harmless what is harmless changes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["harmless", "harmless_line"]

MAX_MARKS: Final = 8
"""Combining marks on one letter: more than any script writes."""

LINE_ENDS: Final = re.compile("\r\n|[\r\x85\u2028\u2029]")

# Flags of England, Scotland and Wales are a black flag and tags; elsewhere tags are letters that nobody sees.
FLAG: Final = "\U0001f3f4[\U000e0030-\U000e007a]{1,6}\U000e007f"

UNSHOWN: Final = re.compile(
    f"(?P<flag>{FLAG})"
    "|(?P<control>[\x00-\x08\x0b-\x1f\x7f])"
    "|(?P<hidden>["
    "\x80-\x9f"  # control characters of eight bits
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u3164\uffa0"  # letters and hyphens that do not show
    "\u200b\u2060-\u2064\ufeff"  # spaces of no width
    "\u202a-\u202e\u2066-\u2069\u206a-\u206f"  # what turns or encloses a line
    "\ufff9-\ufffb"  # notes between the lines
    "\U000e0000-\U000e007f"  # tags
    "])"
    "|(?P<broken>[\ud800-\udfff])"
)

MARKS: Final = re.compile(f"[^\x00-\u02ff]{{{MAX_MARKS + 1},}}")


def harmless(text: str) -> str:
    """Return `text` so that printing it does nothing but show it. It may have several lines."""
    return MARKS.sub(_thin, UNSHOWN.sub(_show, LINE_ENDS.sub("\n", text)))


def harmless_line(text: str, *, limit: int) -> str:
    """Return `text` as one line of at most `limit` characters, for a name or an address: no line end, no tab."""
    line = " ".join(harmless(text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "\u2026"


def _show(found: re.Match[str]) -> str:
    match found.lastgroup:
        case "flag":
            return found[0]
        case "control":
            return "\u2421" if found[0] == "\x7f" else chr(0x2400 + ord(found[0]))
        case "broken":
            return "\ufffd"
        case _:
            return f"<U+{ord(found[0]):04X}>"


def _thin(found: re.Match[str]) -> str:
    """Return the run of characters with no more than `MAX_MARKS` combining marks in a row."""
    kept: list[str] = []
    marks = 0
    for character in found[0]:
        marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        if marks <= MAX_MARKS:
            kept.append(character)
    return "".join(kept)

"""Every MUST, SHALL and REQUIRED in the text of RFC 9420, by section and ordinal.

The text is the Markdown that the RFC was made from, `rfc9420.md`. How occurrences are counted:

* Sections are numbered as the RFC numbers them: from the headings between the marks "middle" and "back".
  Appendices follow with letters. Lines in code blocks (between lines of `~~~`) are no headings.
* Each occurrence of the whole words MUST, SHALL and REQUIRED counts, in the text as in code blocks and tables, with
  a NOT that follows as part of it. One sentence may hold several: each has its own ordinal in its section.
* The terminology's boilerplate (BCP 14) counts for nothing: the Markdown has a directive in its place.
* A sentence is what its digest is made of: it ends at a full stop, a question mark, a colon or a semicolon before a
  space, or where its paragraph, list item or table row ends. White space is normalised first.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Occurrence", "count_by_section", "occurrences", "sections"]

_HEADING = re.compile(r"(#+) ")
_ITEM = re.compile(r"\s*(?:[*+-]|\d+\.|:|\|)\s")
_KEYWORD = re.compile(r"\b(?:MUST|SHALL)(?: NOT)?\b|\bREQUIRED\b")
_SENTENCE_END = re.compile(r"(?<=[.?:;]) ")
_FENCE = "~~~"
_MIDDLE, _BACK = "--- middle", "--- back"


class Occurrence(NamedTuple):
    """One keyword in the text."""

    section: str
    ordinal: int
    """Its place among the section's keywords, from 1 on."""
    keyword: str
    digest: str
    """The first 12 hexadecimal digits of the SHA-256 of the sentence that holds it."""
    sentence: str


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Yield each section's number and its own text, without that of its subsections, in order."""
    numbers: list[int] = []
    in_code = in_body = is_appendix = False
    lines: list[str] = []
    for line in text.splitlines():
        in_code ^= line.startswith(_FENCE)
        heading = None if in_code else _HEADING.match(line)
        if line == _MIDDLE:
            in_body = True
        elif line == _BACK or (heading and in_body):
            if numbers:
                yield _number(numbers, is_appendix=is_appendix), "\n".join(lines)
            lines = []
            if heading:
                depth = len(heading[1])
                numbers = [*numbers[: depth - 1], numbers[depth - 1] + 1 if len(numbers) >= depth else 1]
            else:
                numbers, is_appendix = [], True
        else:
            lines.append(line)
    if numbers:
        yield _number(numbers, is_appendix=is_appendix), "\n".join(lines)


def _number(numbers: list[int], *, is_appendix: bool) -> str:
    first = chr(ord("A") + numbers[0] - 1) if is_appendix else str(numbers[0])
    return ".".join([first, *map(str, numbers[1:])])


def _sentences(text: str) -> Iterator[str]:
    paragraph: list[str] = []
    for line in [*text.splitlines(), ""]:
        if paragraph and (not line.strip() or _ITEM.match(line)):
            yield from _SENTENCE_END.split(" ".join(" ".join(paragraph).split()))
            paragraph = []
        if line.strip():
            paragraph.append(line)


def occurrences(text: str) -> Iterator[Occurrence]:
    """Yield every keyword of the text, in its order."""
    for section, body in sections(text):
        ordinal = 0
        for sentence in _sentences(body):
            digest = hashlib.sha256(sentence.encode()).hexdigest()[:12]
            for keyword in _KEYWORD.findall(sentence):
                ordinal += 1
                yield Occurrence(section, ordinal, keyword, digest, sentence)


def count_by_section(text: str) -> dict[str, int]:
    """Return how many keywords each section has, sections without any left out."""
    return dict(Counter(item.section for item in occurrences(text)))

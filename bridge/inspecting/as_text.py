"""An explanation as lines for people, each made of parts that the terminal may show in different styles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias, assert_never

from bridge.content import harmless_line
from bridge.inspecting.explanation import Blob, Code, Drawing, Encrypted, Explanation, Field, Moment, Several, Value
from bridge.inspecting.kinds import Finding

__all__ = ["Line", "Style", "finding_as_text"]

Style: TypeAlias = str
"""One of `title`, `name`, `value`, `quiet`, `problem`."""

Line: TypeAlias = tuple[tuple[str, Style], ...]

_STEP: Final = "  "
_LONGEST_TEXT: Final = 400
_SHORT: Final = 8
"""Bytes of a hash or key that are shown unless all are asked for."""


def finding_as_text(finding: Finding, *, full: bool) -> Iterator[Line]:
    """Yield the lines. Nothing in them steers a terminal. `full` shows all of hashes, keys and ids."""
    carried = "" if finding.carried_as == ("raw",) else f", from {' in '.join(reversed(finding.carried_as))}"
    yield (("Taken for: ", "name"), (f"{finding.taken_for}, {_bytes(finding.size)}{carried}", "value"))
    yield ()
    yield from _explanation("", finding.explanation, full=full)
    if finding.problems:
        yield ()
        yield (("What is wrong:", "problem"),)
        for problem in finding.problems:
            yield ((_STEP, "value"), (_shown(problem), "problem"))


def _explanation(indent: str, explanation: Explanation, *, full: bool, before: str = "") -> Iterator[Line]:
    about = f": {explanation.about}" if explanation.about else ""
    yield ((f"{indent}{before}", "name"), (explanation.title, "title"), (about, "quiet"))
    for field in explanation.fields:
        yield from _field(f"{indent}{_STEP}", field, full=full)


def _field(indent: str, field: Field, *, full: bool) -> Iterator[Line]:
    label = f"{field.name.replace('_', ' ')}: "
    match field.value:
        case Explanation():
            yield from _explanation(indent, field.value, full=full, before=label)
        case Several(items=items, total=total):
            if all(_is_short(item) for item in items):
                yield ((f"{indent}{label}", "name"), (_row(items, total, full=full), "value"))
                return
            yield ((f"{indent}{label}", "name"), (str(total), "value"))
            yield from _items(f"{indent}{_STEP}", items, total, full=full)
        case Drawing(lines=lines):
            yield ((f"{indent}{label}".rstrip(), "name"),)
            for line in lines:
                yield ((f"{indent}{_STEP}", "name"), (line, "value"))
        case value:
            yield ((f"{indent}{label}", "name"), (_plain(value, full=full), "value"))


def _items(indent: str, items: tuple[Value, ...], total: int, *, full: bool) -> Iterator[Line]:
    for number, item in enumerate(items, 1):
        if isinstance(item, Explanation):
            yield from _explanation(indent, item, full=full, before=f"{number}. ")
        else:
            yield ((f"{indent}{number}. ", "name"), (_plain(item, full=full), "value"))
    if total > len(items):
        yield ((f"{indent}and {total - len(items)} more", "quiet"),)


def _row(items: tuple[Value, ...], total: int, *, full: bool) -> str:
    shown = [_plain(item, full=full) for item in items]
    if total > len(items):
        shown.append(f"and {total - len(items)} more")
    return ", ".join(shown) or "none"


def _is_short(value: Value) -> bool:
    return isinstance(value, int | Code)


def _plain(value: Value, *, full: bool) -> str:  # noqa: PLR0911 - one for each sort of value
    """Return a value that takes no more than a line."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case str():
            return _shown(value)
        case Blob(data=data):
            return _blob(data, full=full)
        case Encrypted(size=size):
            return f"encrypted: {_bytes(size)}"
        case Code(number=number, name=name):
            return f"{number} (0x{number:04x}), which is not known" if name is None else f"{name} ({number})"
        case Moment(milliseconds=milliseconds):
            return value.utc or f"{milliseconds} ms after 1970: beyond all calendars"
        case Several() | Drawing() | Explanation():
            return "..."
        case _:
            assert_never(value)


def _blob(data: bytes, *, full: bool) -> str:
    if not data:
        return "empty"
    shown = data.hex() if full or len(data) <= 2 * _SHORT else f"{data[:_SHORT].hex()}..."
    return f"{shown} ({_bytes(len(data))})"


def _bytes(size: int) -> str:
    return "1 byte" if size == 1 else f"{size:,} bytes"


def _shown(text: str) -> str:
    return harmless_line(text, limit=_LONGEST_TEXT)

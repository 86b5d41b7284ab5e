"""Content as text for a person at a terminal: harmless, bounded, and with the name of whatever cannot be shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from bridge.content.coding import decode
from bridge.content.errors import ContentError
from bridge.content.harmless import harmless, harmless_line
from bridge.content.media_types import Medium, medium
from bridge.content.model import (
    Disposition,
    ExternalPart,
    MessageId,
    MimiContent,
    MultiPart,
    NestedPart,
    NullPart,
    PartSemantics,
    SinglePart,
)

__all__ = ["MAX_TEXT", "Kind", "Rendered", "render"]

MAX_TEXT: Final = 65_536
"""In characters, the note at the end of what was cut included."""

MAX_SHOWN_PARTS: Final = 20
MAX_NAME: Final = 100
MAX_URL: Final = 1000
MAX_REACTION: Final = 40
KIND_OF_SIZE: Final = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


class Kind(StrEnum):
    """What a message does."""

    MESSAGE = "message"
    EDIT = "edit"
    DELETION = "deletion"
    REACTION = "reaction"


@dataclass(frozen=True, slots=True)
class Rendered:
    """What to show of a message. Whether its sender may edit or delete what it `replaces` is not looked at here."""

    text: str
    """Harmless on a terminal. Empty for a deletion."""
    markdown: bool
    """Whether all of it is Markdown; it reads as plain text, too."""
    in_reply_to: MessageId | None
    replaces: MessageId | None
    kind: Kind


def render(content: MimiContent) -> Rendered:
    """Return what to show of `content`. Every content can be shown in some way."""
    kind = _kind(content)
    body = _choose(content.body)
    match kind:
        case Kind.DELETION:
            text = ""
        case Kind.REACTION:
            text = harmless_line(_show(body, nested=False).replace("\n", " "), limit=MAX_REACTION)
        case Kind.MESSAGE | Kind.EDIT:
            text = _cut(_show(body, nested=False))
        case _:
            assert_never(kind)
    return Rendered(
        text=text,
        markdown=isinstance(body, SinglePart) and medium(body.content_type) is Medium.MARKDOWN,
        in_reply_to=content.in_reply_to,
        replaces=content.replaces,
        kind=kind,
    )


def _kind(content: MimiContent) -> Kind:
    if content.replaces is not None:
        return Kind.DELETION if isinstance(content.body, NullPart) else Kind.EDIT
    if content.body.disposition == Disposition.REACTION and content.in_reply_to is not None:
        return Kind.REACTION
    return Kind.MESSAGE


def _choose(part: NestedPart) -> NestedPart:
    """Return the part to show of alternatives: the sender's first that can be shown, else the first."""
    while isinstance(part, MultiPart) and part.semantics is PartSemantics.CHOOSE_ONE:
        part = next((entry for entry in part.parts if _is_shown(entry)), part.parts[0])
    return part


def _is_shown(part: NestedPart) -> bool:
    """Whether a person gets to see what the part says, and not only its name."""
    match part:
        case NullPart() | ExternalPart():
            return False
        case SinglePart():
            return medium(part.content_type) is not Medium.OTHER
        case MultiPart():
            wanted = all if part.semantics is PartSemantics.SINGLE_UNIT else any
            return wanted(_is_shown(entry) for entry in part.parts)
        case _:
            assert_never(part)


def _show(part: NestedPart, *, nested: bool) -> str:
    """Return the text of a part that is chosen. `nested` says that it stands inside of another one already."""
    match part:
        case NullPart():
            return "[nothing]"
        case SinglePart():
            return _show_single(part, nested=nested)
        case ExternalPart():
            return _show_external(part)
        case MultiPart() if nested:
            return f"[{len(part.parts)} more parts inside]"
        case MultiPart():
            return _show_parts(part)
        case _:
            assert_never(part)


def _show_single(part: SinglePart, *, nested: bool) -> str:
    shown = medium(part.content_type)
    match shown:
        case Medium.TEXT | Medium.MARKDOWN:
            return harmless(part.content[: 4 * (MAX_TEXT + 1)].decode(errors="replace"))
        case Medium.MESSAGE if not nested:
            return _show_message(part.content)
        case Medium.MESSAGE | Medium.OTHER:
            return f"[{_type(part.content_type)}, {_size(len(part.content))}: cannot be shown here]"
        case _:
            assert_never(shown)


def _show_message(encoded: bytes) -> str:
    """Return the text of a message that is passed on inside of another one. Who wrote it is anybody's claim."""
    try:
        body = _choose(decode(encoded).body)
    except ContentError:
        return "[a message passed on, which cannot be read]"
    return "[a message passed on]\n" + _show(body, nested=True)


def _show_external(part: ExternalPart) -> str:
    words = [harmless_line(part.filename, limit=MAX_NAME), _type(part.content_type)]
    if part.size:
        words.append(_size(part.size))
    what = ", ".join(word for word in words if word) or "a link"
    description = harmless_line(part.description, limit=MAX_NAME)
    url = harmless_line(part.url, limit=MAX_URL)
    encrypted = " (encrypted)" if part.enc_alg else ""
    return f"[{what}{encrypted}{': ' if description else ''}{description}]\n{url}"


def _show_parts(part: MultiPart) -> str:
    if part.semantics is PartSemantics.SINGLE_UNIT and not _is_shown(part):
        return f"[{len(part.parts)} parts that belong together: cannot be shown here]"
    shown = [_show(_choose(entry), nested=True) for entry in part.parts[:MAX_SHOWN_PARTS]]
    if len(part.parts) > MAX_SHOWN_PARTS:
        shown.append(f"[{len(part.parts) - MAX_SHOWN_PARTS} more parts]")
    return "\n".join(shown)


def _cut(text: str) -> str:
    """Return `text`, cut at `MAX_TEXT` with a note that says so."""
    if len(text) <= MAX_TEXT:
        return text
    note = f"\n[cut here, after {MAX_TEXT:,} characters]"
    return text[: MAX_TEXT - len(note)] + note


def _type(content_type: str) -> str:
    return harmless_line(content_type, limit=MAX_NAME)


def _size(size: int) -> str:
    """Return a size as people read it: 708.2 MB."""
    steps = 0
    shown = float(size)
    while shown >= 1000 and steps < len(KIND_OF_SIZE) - 1:
        shown /= 1000
        steps += 1
    return f"{shown:.1f} {KIND_OF_SIZE[steps]}" if steps else f"{size} bytes"

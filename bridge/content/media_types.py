"""The media types that a MIMI client writes and reads."""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = ["MARKDOWN", "MIMI_CONTENT", "PLAIN_TEXT", "Medium", "medium"]

PLAIN_TEXT: Final = "text/plain;charset=utf-8"
MARKDOWN: Final = "text/markdown;variant=GFM-MIMI"
MIMI_CONTENT: Final = "application/mimi-content"

CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})


class Medium(Enum):
    """What can be shown of a media type."""

    TEXT = "text"
    MARKDOWN = "Markdown"
    MESSAGE = "a message within"
    OTHER = "nothing but its name"


def medium(content_type: str) -> Medium:
    """Return what can be shown of `content_type`, however it is spelled. Text in another encoding is not read."""
    essence, *parameters = (piece.strip().lower() for piece in content_type.split(";"))
    charsets = {
        value.strip('"') for name, _, value in (piece.partition("=") for piece in parameters) if name == "charset"
    }
    if not charsets <= CHARSETS:
        return Medium.OTHER
    match essence:
        case "text/plain":
            return Medium.TEXT
        case "text/markdown":
            return Medium.MARKDOWN
        case "application/mimi-content":
            return Medium.MESSAGE
        case _:
            return Medium.OTHER

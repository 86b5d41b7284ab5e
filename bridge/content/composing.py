"""What people do, as MIMI content: write, edit, delete, react."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from bridge.content.media_types import MARKDOWN, PLAIN_TEXT
from bridge.content.model import (
    ROOM_URI,
    SENDER_URI,
    Disposition,
    ExtensionKey,
    ExtensionValue,
    MessageId,
    MimiContent,
    NullPart,
    SinglePart,
)

__all__ = ["Stamp", "delete", "edit", "reaction", "text"]

# Code is left alone: in it a bracket stands for itself. Else one that could open a tag is escaped, unless it is the one
# of an autolink, `<https://example.org>` or `<alice@example.org>`.
BRACKETS: Final = re.compile(
    r"(?P<code>(?<!`)(?P<ticks>`++).*?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<link><(?:[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*|[\w.+-]{1,64}@[\w.-]{1,255})>)"
    r"|(?P<tag><(?=[A-Za-z/!?]))",
    re.DOTALL | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every message bears: 16 fresh random bytes, who sends it, and into which room."""

    salt: bytes
    sender_uri: str
    room_uri: str


def text(
    body: str, stamp: Stamp, *, markdown: bool = False, reply_to: MessageId | None = None, topic: bytes = b""
) -> MimiContent:
    """Return a message. In Markdown, what would be an HTML tag is escaped, as GFM-MIMI asks of the sender."""
    return _content(stamp, _written(body, markdown=markdown), in_reply_to=reply_to, topic_id=topic)


def edit(
    body: str,
    stamp: Stamp,
    *,
    replaces: MessageId,
    markdown: bool = False,
    reply_to: MessageId | None = None,
    topic: bytes = b"",
) -> MimiContent:
    """Return a new version of a message. `replaces` is the first one; `reply_to` and `topic` are as that had them."""
    part = _written(body, markdown=markdown)
    return _content(stamp, part, replaces=replaces, in_reply_to=reply_to, topic_id=topic)


def delete(stamp: Stamp, *, replaces: MessageId, reply_to: MessageId | None = None, topic: bytes = b"") -> MimiContent:
    """Return the deletion of a message, or of a reaction. `replaces` is its first version."""
    part = NullPart(Disposition.RENDER)
    return _content(stamp, part, replaces=replaces, in_reply_to=reply_to, topic_id=topic)


def reaction(emoji: str, stamp: Stamp, *, to: MessageId) -> MimiContent:
    """Return a reaction to a message. Several are several messages: run together they could mean something else."""
    return _content(stamp, SinglePart(Disposition.REACTION, PLAIN_TEXT, _utf8(emoji)), in_reply_to=to)


def _written(body: str, *, markdown: bool) -> SinglePart:
    written = BRACKETS.sub(_escape, body) if markdown else body
    return SinglePart(Disposition.RENDER, MARKDOWN if markdown else PLAIN_TEXT, _utf8(written))


def _escape(found: re.Match[str]) -> str:
    return "&lt;" if found["tag"] else found[0]


def _utf8(body: str) -> bytes:
    """Return `body` in UTF-8; a lone surrogate, which is no character, becomes a question mark."""
    return body.encode(errors="replace")


def _content(
    stamp: Stamp,
    body: SinglePart | NullPart,
    *,
    in_reply_to: MessageId | None,
    replaces: MessageId | None = None,
    topic_id: bytes = b"",
) -> MimiContent:
    extensions: Mapping[ExtensionKey, ExtensionValue] = {SENDER_URI: stamp.sender_uri, ROOM_URI: stamp.room_uri}
    return MimiContent(
        salt=stamp.salt,
        body=body,
        replaces=replaces,
        topic_id=topic_id,
        in_reply_to=in_reply_to,
        extensions=MappingProxyType(extensions),
    )

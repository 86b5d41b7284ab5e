"""What a message says: MIMI content (draft-ietf-mimi-content), written, read and shown."""

from __future__ import annotations

from bridge.content.coding import MAX_SIZE, SALT_SIZE, decode, encode
from bridge.content.composing import Stamp, delete, edit, reaction, text
from bridge.content.errors import ContentError
from bridge.content.harmless import harmless, harmless_line
from bridge.content.identifying import MESSAGE_ID_SIZE, message_id
from bridge.content.model import (
    Disposition,
    Expiration,
    ExtensionKey,
    ExtensionValue,
    ExternalPart,
    MessageId,
    MimiContent,
    MultiPart,
    NestedPart,
    NullPart,
    PartSemantics,
    SinglePart,
)
from bridge.content.rendering import MAX_TEXT, Kind, Rendered, render

__all__ = [
    "MAX_SIZE",
    "MAX_TEXT",
    "MESSAGE_ID_SIZE",
    "SALT_SIZE",
    "ContentError",
    "Disposition",
    "Expiration",
    "ExtensionKey",
    "ExtensionValue",
    "ExternalPart",
    "Kind",
    "MessageId",
    "MimiContent",
    "MultiPart",
    "NestedPart",
    "NullPart",
    "PartSemantics",
    "Rendered",
    "SinglePart",
    "Stamp",
    "decode",
    "delete",
    "edit",
    "encode",
    "harmless",
    "harmless_line",
    "message_id",
    "reaction",
    "render",
    "text",
]

"""The id of a message: whoever holds the message computes it, and nobody else can choose it."""

from __future__ import annotations

import hashlib
from typing import Final

from bridge.content.errors import ContentError
from bridge.content.model import MessageId

__all__ = ["MESSAGE_ID_SIZE", "SHA_256", "message_id"]

SHA_256: Final = 1
"""IANA's number in the registry of named information hashes."""

MESSAGE_ID_SIZE: Final = 32


def message_id(encoded: bytes, *, sender_uri: str, room_uri: str, salt: bytes) -> MessageId:
    """Return the id of the message that is `encoded`, sent by `sender_uri` into `room_uri`.

        0x01 || SHA256(uint16(len(senderUri)) || senderUri || uint16(len(roomUri)) || roomUri || message || salt)[0..30]

    The salt stands in the message too; the draft hashes it a second time. Raises `ContentError` for a URI that is no
    text, or has more than 65,535 bytes.
    """
    uris = _with_length(sender_uri, "senderUri") + _with_length(room_uri, "roomUri")
    digest = hashlib.sha256(uris + encoded + salt).digest()
    return MessageId(bytes([SHA_256]) + digest[: MESSAGE_ID_SIZE - 1])


def _with_length(uri: str, where: str) -> bytes:
    try:
        encoded = uri.encode()
    except UnicodeEncodeError as error:
        raise ContentError("not Unicode text", where=where) from error
    if len(encoded) > 0xFFFF:
        raise ContentError("more than 65,535 bytes", where=where)
    return len(encoded).to_bytes(2) + encoded

"""MIMI content as bytes, and back, with its limits.

`decode` raises `ContentError` and nothing else, on any bytes, in time and memory that grow with their number alone.
What it returns encodes to the same bytes. An unknown disposition, media type or language is no error; an unknown hash
of a message id, a part semantics that the draft does not have, or too many parts are.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, assert_never

from cbor2 import CBORTag

from bridge.content import cbor
from bridge.content.errors import ContentError
from bridge.content.identifying import MESSAGE_ID_SIZE, SHA_256
from bridge.content.model import (
    ROOM_URI,
    SENDER_URI,
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

__all__ = ["MAX_NESTING", "MAX_PARTS", "MAX_SIZE", "MAX_TOPIC", "SALT_SIZE", "decode", "encode"]

MAX_SIZE: Final = 1 << 19
"""In bytes, of the whole content. What is larger belongs into an `ExternalPart`."""

MAX_NESTING: Final = 4
"""Levels of parts, and of what stands in the extensions."""

MAX_PARTS: Final = 1024
MAX_TOPIC: Final = 4096
MAX_EXTENSION_NAME: Final = 255
SALT_SIZE: Final = 16

NULL, SINGLE, EXTERNAL, MULTI = range(4)


def encode(content: MimiContent) -> bytes:
    """Return the one encoding of `content`. Raises `ContentError` where it breaks a rule or a limit of the draft."""
    _check(content)
    expires = content.expires
    extensions: dict[int | str | bytes, ExtensionValue] = {}
    extensions.update(content.extensions.items())
    encoded = cbor.encode(
        (
            content.salt,
            content.replaces,
            content.topic_id,
            None if expires is None else (expires.is_relative, expires.time),
            content.in_reply_to,
            extensions,
            _flatten(content.body),
        ),
        where="content",
    )
    if len(encoded) > MAX_SIZE:
        raise ContentError(f"more than {MAX_SIZE} bytes", where="content")
    return encoded


def decode(data: bytes) -> MimiContent:
    """Return the content that `data` encodes. Raises `ContentError`."""
    if len(data) > MAX_SIZE:
        raise ContentError(f"more than {MAX_SIZE} bytes", where="content")
    fields = _array(cbor.decode(data, where="content"), "content")
    if len(fields) != 7:
        raise ContentError(f"an array of {len(fields)}, not of 7", where="content")
    salt, replaces, topic_id, expires, in_reply_to, extensions, body = fields
    content = MimiContent(
        salt=_bytes(salt, "salt"),
        replaces=_message_id(replaces, "replaces"),
        topic_id=_bytes(topic_id, "topicId"),
        expires=_expiration(expires),
        in_reply_to=_message_id(in_reply_to, "inReplyTo"),
        extensions=_extensions(extensions),
        body=_part(body, "body", 1),
    )
    _check(content)
    return content


# --- Rules that hold in both directions -------------------------------------------------------------------------------


def _check(content: MimiContent) -> None:
    if len(content.salt) != SALT_SIZE:
        raise ContentError(f"{len(content.salt)} bytes, not {SALT_SIZE}", where="salt")
    _check_message_id(content.replaces, "replaces")
    _check_message_id(content.in_reply_to, "inReplyTo")
    if len(content.topic_id) > MAX_TOPIC:
        raise ContentError(f"more than {MAX_TOPIC} bytes", where="topicId")
    if content.expires is not None:
        _check_number(content.expires.time, 32, "expires")
    for key, value in content.extensions.items():
        _check_extension(key, value)
    _check_part(content.body, "body", 1, 0)


def _check_message_id(value: MessageId | None, where: str) -> None:
    if value is not None and len(value) != MESSAGE_ID_SIZE:
        raise ContentError(f"{len(value)} bytes, not {MESSAGE_ID_SIZE}", where=where)
    if value is not None and value[0] != SHA_256:
        raise ContentError(f"unknown hash algorithm {value[0]}", where=where)


def _check_extension(key: ExtensionKey, value: ExtensionValue) -> None:
    where = f"extensions[{key if isinstance(key, int) else ascii(key[:40])}]"
    if isinstance(key, bool) or key == 0:
        raise ContentError("neither a number other than 0 nor a name", where=where)
    if isinstance(key, str) and not 1 <= len(_utf8(key, where)) <= MAX_EXTENSION_NAME:
        raise ContentError(f"a name of no bytes, or of more than {MAX_EXTENSION_NAME}", where=where)
    if key in {SENDER_URI, ROOM_URI} and not isinstance(value, str):
        raise ContentError("not text", where=where)
    _check_levels(value, where, 2)


def _check_levels(value: ExtensionValue, where: str, level: int) -> None:
    inner: tuple[ExtensionValue, ...]
    match value:
        case tuple():
            inner = value
        case Mapping():
            inner = tuple(value.values())
        case CBORTag():
            inner = (value.value,)
        case _:
            return
    if level > MAX_NESTING:
        raise ContentError(f"nested more than {MAX_NESTING} deep", where=where)
    for entry in inner:
        _check_levels(entry, where, level + 1)


def _check_part(part: NestedPart, where: str, level: int, count: int) -> int:
    """Return how many parts there are up to and with this one and what it holds; `count` were before it."""
    if level > MAX_NESTING:
        raise ContentError(f"nested more than {MAX_NESTING} deep", where=where)
    count += 1
    if count > MAX_PARTS:
        raise ContentError(f"more than {MAX_PARTS} parts", where=where)
    _check_number(part.disposition, 8, f"{where}.disposition")
    match part:
        case NullPart() | SinglePart():
            pass
        case ExternalPart():
            _check_number(part.expires, 32, f"{where}.expires")
            _check_number(part.size, 64, f"{where}.size")
            _check_number(part.enc_alg, 16, f"{where}.encAlg")
            _check_number(part.hash_alg, 8, f"{where}.hashAlg")
        case MultiPart():
            if len(part.parts) < 2:
                raise ContentError("fewer than 2 parts", where=where)
            for index, entry in enumerate(part.parts):
                count = _check_part(entry, f"{where}.parts[{index}]", level + 1, count)
        case _:
            assert_never(part)
    return count


def _check_number(value: int, bits: int, where: str) -> None:
    if not 0 <= value < 1 << bits:
        raise ContentError(f"not a number of {bits} bits", where=where)


def _utf8(text: str, where: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ContentError("not Unicode text", where=where) from error


# --- Parts as arrays --------------------------------------------------------------------------------------------------


def _flatten(part: NestedPart) -> tuple[ExtensionValue, ...]:
    match part:
        case NullPart():
            return (part.disposition, part.language, NULL)
        case SinglePart():
            return (part.disposition, part.language, SINGLE, part.content_type, part.content)
        case ExternalPart():
            where = (part.url, part.expires, part.size)
            protection = (part.enc_alg, part.key, part.nonce, part.aad, part.hash_alg, part.content_hash)
            words = (part.description, part.filename)
            head = (part.disposition, part.language, EXTERNAL, part.content_type)
            return (*head, *where, *protection, *words)
        case MultiPart():
            parts = tuple(_flatten(entry) for entry in part.parts)
            return (part.disposition, part.language, MULTI, int(part.semantics), parts)
        case _:
            assert_never(part)


def _part(item: ExtensionValue, where: str, level: int) -> NestedPart:
    if level > MAX_NESTING:
        raise ContentError(f"nested more than {MAX_NESTING} deep", where=where)
    fields = _array(item, where)
    if len(fields) < 3:
        raise ContentError(f"an array of {len(fields)}, which is no part", where=where)
    disposition, language = _int(fields[0], f"{where}.disposition"), _text(fields[1], f"{where}.language")
    match _int(fields[2], f"{where}.cardinality"), fields[3:]:
        case 0, ():
            return NullPart(disposition, language)
        case 1, (content_type, content):
            return SinglePart(
                disposition, _text(content_type, f"{where}.contentType"), _bytes(content, f"{where}.content"), language
            )
        case 2, rest if len(rest) == 12:
            return _external(disposition, language, rest, where)
        case 3, (semantics, parts):
            return MultiPart(
                disposition,
                _semantics(semantics, f"{where}.partSemantics"),
                tuple(
                    _part(entry, f"{where}.parts[{index}]", level + 1)
                    for index, entry in enumerate(_array(parts, f"{where}.parts"))
                ),
                language,
            )
        case cardinality, rest:
            raise ContentError(f"cardinality {cardinality} with {len(rest)} fields, which is no part", where=where)


def _external(disposition: int, language: str, fields: tuple[ExtensionValue, ...], where: str) -> ExternalPart:
    content_type, url, expires, size, enc_alg, key, nonce, aad, hash_alg, content_hash, description, filename = fields
    return ExternalPart(
        disposition=disposition,
        language=language,
        content_type=_text(content_type, f"{where}.contentType"),
        url=_text(url, f"{where}.url"),
        expires=_int(expires, f"{where}.expires"),
        size=_int(size, f"{where}.size"),
        enc_alg=_int(enc_alg, f"{where}.encAlg"),
        key=_bytes(key, f"{where}.key"),
        nonce=_bytes(nonce, f"{where}.nonce"),
        aad=_bytes(aad, f"{where}.aad"),
        hash_alg=_int(hash_alg, f"{where}.hashAlg"),
        content_hash=_bytes(content_hash, f"{where}.contentHash"),
        description=_text(description, f"{where}.description"),
        filename=_text(filename, f"{where}.filename"),
    )


def _semantics(item: ExtensionValue, where: str) -> PartSemantics:
    number = _int(item, where)
    try:
        return PartSemantics(number)
    except ValueError as error:
        raise ContentError(f"unknown: {number}", where=where) from error


def _expiration(item: ExtensionValue) -> Expiration | None:
    if item is None:
        return None
    match _array(item, "expires"):
        case (bool() as is_relative, time):
            return Expiration(is_relative, _int(time, "expires"))
        case _:
            raise ContentError("not an array of a truth value and a time", where="expires")


def _extensions(item: ExtensionValue) -> Mapping[ExtensionKey, ExtensionValue]:
    if not isinstance(item, Mapping):
        raise ContentError("not a map", where="extensions")
    extensions: dict[ExtensionKey, ExtensionValue] = {}
    for key, value in item.items():
        if isinstance(key, bytes):
            raise ContentError("a key of bytes", where="extensions")
        extensions[key] = value
    return MappingProxyType(extensions)


def _message_id(item: ExtensionValue, where: str) -> MessageId | None:
    return None if item is None else MessageId(_bytes(item, where))


def _array(item: ExtensionValue, where: str) -> tuple[ExtensionValue, ...]:
    if not isinstance(item, tuple):
        raise ContentError("not an array", where=where)
    return item


def _int(item: ExtensionValue, where: str) -> int:
    if not isinstance(item, int) or isinstance(item, bool):
        raise ContentError("not a number", where=where)
    return item


def _text(item: ExtensionValue, where: str) -> str:
    if not isinstance(item, str):
        raise ContentError("not text", where=where)
    return item


def _bytes(item: ExtensionValue, where: str) -> bytes:
    if not isinstance(item, bytes):
        raise ContentError("not bytes", where=where)
    return item

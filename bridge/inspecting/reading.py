"""From what somebody has at hand to bytes: raw, hex, base64, a Matrix event, an XMPP stanza."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Final

from bridge.inspecting.stanza import StanzaError, envelope_text
from bridge.protocol.code_points import MAX_ENVELOPE
from transports.carriers import MATRIX_EVENT_TYPE

__all__ = ["MAX_INPUT", "Found", "UnreadableError", "read"]

MAX_INPUT: Final = 2 * MAX_ENVELOPE + (1 << 16)
"""In bytes: the largest envelope in hex, and some blanks. It bounds time and memory: seconds, a few hundred MiB."""

_MAX_MARKUP: Final = 1 << 20
"""Bytes of JSON or XML: no server takes an event or a stanza that is larger."""

_HEX: Final = re.compile(r"(?:0[xX])?([0-9A-Fa-f]+)")
_BASE64: Final = re.compile(r"([A-Za-z0-9+/_-]+)={0,2}")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Found:
    """Bytes, and how they were wrapped, the outermost first."""

    carried_as: tuple[str, ...]
    data: bytes


class UnreadableError(ValueError):
    """What was given holds no bytes of anything. `offset` is a place in it, if one can be named."""

    def __init__(self, what: str, offset: int | None = None) -> None:
        self.what = what
        self.offset = offset
        super().__init__(what)


def read(given: bytes) -> tuple[Found, ...]:
    """Return what the input may stand for, the likeliest first: hex digits alone can be base64 too.

    Raises `UnreadableError`.
    """
    if len(given) > MAX_INPUT:
        raise UnreadableError(f"more than {MAX_INPUT} bytes")
    if not given.strip():
        raise UnreadableError("nothing is there")
    text = _as_text(given)
    if text is None:
        return (_bounded(Found(("raw",), given)),)
    match text[0]:
        case "{":
            return _carried("matrix event", _matrix_data(text))
        case "<":
            try:
                _check_markup(text)
                return _carried("xmpp stanza", envelope_text(text.encode()))
            except StanzaError as error:
                raise UnreadableError(error.what, error.offset) from error
        case _:
            return _decoded(text)


def _as_text(given: bytes) -> str | None:
    """Return the input as text without blanks around it; `None` where no text could have such bytes."""
    if _CONTROL.search(given):
        return None
    try:
        return given.decode("utf-8-sig").strip() or None
    except UnicodeDecodeError:
        return None


def _carried(carrier: str, text: str) -> tuple[Found, ...]:
    """Return what a carrier's field holds: base64 and nothing else."""
    data = _from_base64(_packed(text))
    if data is None:
        raise UnreadableError(f"the data of this {carrier} are not base64")
    return (_bounded(Found((carrier, "base64"), data)),)


def _bounded(found: Found) -> Found:
    if len(found.data) > MAX_ENVELOPE:
        raise UnreadableError(f"{len(found.data)} bytes, where {MAX_ENVELOPE} are allowed")
    return found


def _decoded(text: str) -> tuple[Found, ...]:
    packed = _packed(text)
    found: list[Found] = []
    if (digits := _HEX.fullmatch(packed)) and len(digits[1]) % 2 == 0:
        found.append(Found(("hex",), bytes.fromhex(digits[1])))
    if (data := _from_base64(packed)) is not None:
        found.append(Found(("base64",), data))
    if not found:
        odd = re.search(r"[^A-Za-z0-9+/_=\s:-]", text)
        offset = None if odd is None else len(text[: odd.start()].encode())
        raise UnreadableError("text that is neither hex nor base64, nor a Matrix event or an XMPP stanza", offset)
    fitting = tuple(one for one in found if len(one.data) <= MAX_ENVELOPE)
    return fitting or (_bounded(found[0]),)


def _packed(text: str) -> str:
    """Return the text without blanks and line ends, and without the colons that some put between hex digits."""
    return "".join(text.replace(":", " ").split())


def _from_base64(text: str) -> bytes | None:
    """Decode standard or URL-safe base64, with or without padding."""
    match = _BASE64.fullmatch(text)
    if match is None:
        return None
    body = match[1].replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except binascii.Error:
        return None


def _matrix_data(text: str) -> str:
    """Return `content.data` of an event, or `data` of an event's content."""
    _check_markup(text)
    try:
        event = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableError(f"not JSON: {error.msg}", len(text[: error.pos].encode())) from None
    except (ValueError, RecursionError):  # a number of thousands of digits, brackets in thousands of brackets
        raise UnreadableError("JSON that nobody sends") from None
    content = event.get("content", event) if isinstance(event, dict) else None
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, str):
        raise UnreadableError(f"JSON without the content.data of an event of type {MATRIX_EVENT_TYPE}")
    return data


def _check_markup(text: str) -> None:
    if len(text) > _MAX_MARKUP:
        raise UnreadableError(f"JSON or XML of {len(text)} characters, where {_MAX_MARKUP} are allowed")

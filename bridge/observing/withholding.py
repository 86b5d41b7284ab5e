"""What may stand in a log, decided in one place: no content, no secret, no full identifier.

An identifier (an account, a room, an event's id, a hash) becomes ten digits that are the same for the same identifier
within one installation, and mean nothing outside of it. Whatever is not known to be harmless is withheld: its size is
told, or its type.
"""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import PurePath
from types import TracebackType
from typing import Final, TypeVar

__all__ = ["Shortener", "Withholder"]

CONTENT: Final = frozenset(
    {
        *(
            "body",
            "ciphertext",
            "content",
            "envelope",
            "fallback",
            "message",
            "payload",
            "plaintext",
            "subject",
            "text",
        ),
        *("display_name", "nick", "topic"),
        *("key", "password", "private_key", "psk", "secret", "token"),
    }
)
"""Fields that hold what people wrote, what they call themselves, or a secret. Whoever logs one meant its size."""

Item = TypeVar("Item")

MAX_TEXT = 300
MAX_ITEMS = 20
MAX_DEPTH = 3
MAX_FRAMES = 20

OWN_PACKAGES = ("bridge", "mls", "transports")

IDENTIFIER: Final = re.compile(
    r"""
    \b (?:matrix|xmpp|mxc|im|mimi) : [^\s"'<>]+            # a URI
    | [@!\#$+] [^\s:"'<>]* :                               # a Matrix id with a server, which may be an IPv6 address
      (?: \[ [0-9A-Fa-f:.]+ \] (?: : [0-9]+ )? | [^\s"'<>,;()\[\]{}]+ )
    | [!$] [A-Za-z0-9_\-+/=]{16,}                          # an event, or a room, without one
    | [^\s@"'<>,;:()\[\]{}=]+ @ [^\s@"'<>,;()\[\]{}]+      # a JID
    | (?<![A-Za-z0-9_\-]) [A-Za-z0-9_\-]{24,} =* (?![A-Za-z0-9_\-])   # hexadecimal or base64: an id, a hash, or a token
    """,
    re.VERBOSE,
)


class Shortener:
    """Shortens identifiers under one key, which the database keeps."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def short(self, identifier: str) -> str:
        """Return ten hexadecimal digits: the same for the same identifier, and unrelated for others."""
        data = identifier.encode(errors="surrogatepass")
        return hashlib.blake2b(data, key=self._key, digest_size=5, person=b"mls-bridge log").hexdigest()


class Withholder:
    """Makes values fit to be logged."""

    def __init__(self, shortener: Shortener) -> None:
        self._shortener = shortener

    def field(self, name: str, value: object) -> object:
        """Return what may be logged of a field."""
        return _size(value) if name in CONTENT else self._value(value, 0)

    def text(self, text: str) -> str:
        """Return a text with its identifiers shortened, one line, cut where it is long."""
        # Cut first: an identifier that is cut in two would not be known for one. Hence the break at a space.
        cut = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT].rpartition(' ')[0]} ..."
        shortened = IDENTIFIER.sub(lambda match: self._shortened(match[0]), cut)
        return "".join(char if char.isprintable() else " " for char in shortened)

    def _shortened(self, match: str) -> str:
        identifier = match.rstrip(".,:;!?")  # the sentence's, not the identifier's
        return f"~{self._shortener.short(identifier)}{match[len(identifier) :]}"

    def exception(self, error: BaseException) -> dict[str, object]:
        """Return an exception and what led to it: types, places in the code, and messages that are our own.

        A library's message may quote what it could not handle, and so content.
        """
        causes: list[dict[str, object]] = []
        for one in _chain(error):
            kind = type(one)
            told: dict[str, object] = {"type": f"{kind.__module__}.{kind.__qualname__}"}
            if kind.__module__.partition(".")[0] in OWN_PACKAGES:
                told["message"] = self.text(str(one))
            elif isinstance(one, OSError) and one.strerror:
                told["message"] = self.text(one.strerror)
            told["frames"] = _frames(one.__traceback__)
            causes.append(told)
        return {**causes[0], "causes": causes[1:]} if len(causes) > 1 else causes[0]

    def _value(self, value: object, depth: int) -> object:
        match value:
            case Enum():
                result: object = self._value(value.value, depth)
            case None | bool() | int() | float():
                result = value
            case str() if IDENTIFIER.match(value):
                # All of it: what follows a space may belong to it still, as in the nick of a room's occupant.
                result = f"~{self._shortener.short(value)}"
            case str():
                result = self.text(value)
            case PurePath():
                result = self.text(str(value))
            case BaseException():
                result = type(value).__name__
            case Mapping() if depth < MAX_DEPTH:
                result = {
                    self.text(str(key)): _size(item) if key in CONTENT else self._value(item, depth + 1)
                    for key, item in _first(value.items())
                }
            case list() | tuple() | set() | frozenset() if depth < MAX_DEPTH:
                result = [self._value(item, depth + 1) for item in _first(value)]
            case _:
                result = _size(value)
        return result


def _size(value: object) -> str:
    """Return a value's type, and its size where it has one."""
    if isinstance(value, str):
        return f"<{len(value)} characters>"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    return f"<{type(value).__name__}>"


def _first(items: Iterable[Item]) -> list[Item]:
    return [item for item, _ in zip(items, range(MAX_ITEMS), strict=False)]


def _chain(error: BaseException) -> list[BaseException]:
    """Return an exception and those it came from, the last one first; each one once."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain and len(chain) < MAX_ITEMS:
        chain.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return chain


def _frames(trace: TracebackType | None) -> list[str]:
    """Return where an exception passed through, as `file:line function`; the innermost place last."""
    frames = traceback.extract_tb(trace)[-MAX_FRAMES:]
    return [f"{'/'.join(PurePath(frame.filename).parts[-3:])}:{frame.lineno} {frame.name}" for frame in frames]

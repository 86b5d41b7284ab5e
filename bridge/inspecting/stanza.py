"""The text of the envelope element in XMPP's XML.

The parser is told of elements one by one and builds nothing. A document type ends it, and with it everything that
makes XML dangerous: entities, external files, expansion.
"""

from __future__ import annotations

from typing import Final
from xml.parsers import expat

from transports.carriers import XMPP_NAMESPACE

__all__ = ["StanzaError", "envelope_text"]

_SEPARATOR: Final = " "
_ENVELOPE: Final = f"{XMPP_NAMESPACE}{_SEPARATOR}envelope"
_MAX_DEPTH: Final = 64


class StanzaError(ValueError):
    """It is not the XML of one envelope. Says why, and where."""

    def __init__(self, what: str, offset: int | None = None) -> None:
        self.what = what
        self.offset = offset
        super().__init__(what)


def envelope_text(xml: bytes) -> str:
    """Return what stands in the only `envelope` element. Raises `StanzaError`."""
    reader = _Reader()
    try:
        reader.parser.Parse(xml, True)  # noqa: FBT003 - "this is all"; expat takes no names
    except expat.ExpatError as error:
        raise StanzaError(f"not XML: {expat.ErrorString(error.code)}", reader.parser.ErrorByteIndex) from None
    if reader.found != 1:
        raise StanzaError(f"{reader.found or 'no'} envelope elements of {XMPP_NAMESPACE} in this XML")
    return "".join(reader.text)


class _Reader:
    """What the parser tells, kept as far as it matters."""

    def __init__(self) -> None:
        self.found = 0
        self.text: list[str] = []
        self._depth = 0
        self._inside_at: int | None = None
        self.parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data

    def _doctype(self, *_: object) -> None:
        raise StanzaError("a document type, which XMPP does not have", self.parser.CurrentByteIndex)

    def _start(self, name: str, _: object) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise StanzaError(f"elements more than {_MAX_DEPTH} deep in each other", self.parser.CurrentByteIndex)
        if name == _ENVELOPE:
            self.found += 1
            self._inside_at = self._depth

    def _end(self, _: str) -> None:
        if self._depth == self._inside_at:
            self._inside_at = None
        self._depth -= 1

    def _data(self, data: str) -> None:
        if self._depth == self._inside_at:
            self.text.append(data)

"""XML as this package builds and reads it: namespaces, and helpers that never fail on hostile content."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree as ET

from slixmpp.xmlstream.tostring import tostring

__all__ = [
    "CLIENT",
    "DATA_FORMS",
    "DELAY",
    "DISCO_INFO",
    "FORWARD",
    "MAM",
    "MUC",
    "MUC_ADMIN",
    "MUC_OWNER",
    "MUC_USER",
    "PING",
    "RSM",
    "STANZAS",
    "STANZA_IDS",
    "Element",
    "bare_and_resource",
    "child",
    "children",
    "clean",
    "element",
    "error_of",
    "moment",
    "serialised",
    "stamp",
    "text_of",
]

CLIENT: Final = "jabber:client"
DATA_FORMS: Final = "jabber:x:data"
DELAY: Final = "urn:xmpp:delay"
DISCO_INFO: Final = "http://jabber.org/protocol/disco#info"
FORWARD: Final = "urn:xmpp:forward:0"
MAM: Final = "urn:xmpp:mam:2"
MUC: Final = "http://jabber.org/protocol/muc"
MUC_ADMIN: Final = "http://jabber.org/protocol/muc#admin"
MUC_OWNER: Final = "http://jabber.org/protocol/muc#owner"
MUC_USER: Final = "http://jabber.org/protocol/muc#user"
PING: Final = "urn:xmpp:ping"
RSM: Final = "http://jabber.org/protocol/rsm"
STANZAS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"
STANZA_IDS: Final = "urn:xmpp:sid:0"

Element = ET.Element

_MOST_OF_ADDRESS: Final = 4096
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(namespace: str, name: str, /, *content: Element | str | None, **attributes: str | None) -> Element:
    """An element with its children and text; an attribute or child that is `None` is left out."""
    made = ET.Element(f"{{{namespace}}}{name}", {key: clean(value) for key, value in attributes.items() if value})
    for part in content:
        if isinstance(part, str):
            made.text = clean(part)
        elif part is not None:
            made.append(part)
    return made


def clean(text: str) -> str:
    """`text` without what XML 1.0 cannot hold: one such character would make the server close the stream."""
    return _NOT_XML.sub("\ufffd", text)


def serialised(stanza: Element) -> str:
    """A stanza as it goes into a stream, whose default namespace stands for `jabber:client`."""
    return tostring(stanza, xmlns=CLIENT, top_level=True)


def children(parent: Element | None, namespace: str, name: str) -> Iterator[Element]:
    """The direct children of that name, in order."""
    if parent is not None:
        tag = f"{{{namespace}}}{name}"
        yield from (each for each in parent if each.tag == tag)


def child(parent: Element | None, namespace: str, name: str) -> Element | None:
    """The first direct child of that name."""
    return next(children(parent, namespace, name), None)


def text_of(found: Element | None) -> str:
    """The text right inside an element; empty without one."""
    return "" if found is None else found.text or ""


def bare_and_resource(address: str | None) -> tuple[str, str]:
    """The two halves of a JID that the server wrote; both empty without one."""
    bare, _, resource = (address or "").partition("/")
    return bare, resource


def error_of(stanza: Element) -> tuple[str, str, str]:
    """The condition of a stanza of type `error`, its text, and the address that is named instead (RFC 6120, 8.3)."""
    condition, text, instead = "undefined-condition", "", ""
    for part in child(stanza, CLIENT, "error") or ():
        namespace, _, name = part.tag[1:].partition("}")
        if namespace == STANZAS and name == "text":
            text = (part.text or "")[:200]
        elif namespace == STANZAS:
            condition, instead = name, (part.text or "").strip()[:_MOST_OF_ADDRESS]
    return condition, text, instead


def moment(value: str | None) -> int | None:
    """Milliseconds since 1970 of a timestamp as XEP-0082 writes it; `None` where it is none."""
    try:
        read = datetime.fromisoformat(value or "")
    except ValueError:
        return None
    if read.tzinfo is None or not 1970 < read.year < 9999:
        return None
    return max(0, int(read.timestamp() * 1000))


def stamp(at: int) -> str:
    """`moment` the other way: in seconds, rounded down, which every server reads."""
    return datetime.fromtimestamp(min(at, 253_370_764_800_000) // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

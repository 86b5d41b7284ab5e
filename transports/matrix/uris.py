"""Matrix identifiers as URIs, and back: the scheme `matrix:` of the Matrix specification (appendix "URIs", MSC2312).

==================  ==========================================
`@alice:a.org`      `matrix:u/alice:a.org`
`!opaque:a.org`     `matrix:roomid/opaque:a.org`
`!opaque`           `matrix:roomid/opaque` (room version 12 on)
`#tea:a.org`        `matrix:r/tea:a.org`
==================  ==========================================

Each identifier has one URI: what a path segment may hold (RFC 3986, 3.3) stands as it is, all else is
percent-encoded, in capitals. Nothing is folded to lower case, for homeservers compare identifiers byte by byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, unquote

from transports.room import Account, RoomAddress

__all__ = [
    "BadIdentifierError",
    "RoomReference",
    "account_uri",
    "read_room",
    "room_id_of",
    "room_uri",
    "server_of",
    "user_id_of",
]

_MAX_BYTES: Final = 255
"""The longest identifier, sigil and server name included (appendix "Common Identifier Format")."""

_MAX_URI: Final = 4096
_MAX_VIAS: Final = 5

_PATH_SAFE: Final = "!$&'()*+,;=:@~-._"
"""What RFC 3986 allows in a path segment besides letters and digits."""

_SERVER_NAME: Final = re.compile(r"(?:[0-9A-Za-z.-]{1,230}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


class BadIdentifierError(ValueError):
    """What should name a Matrix account or room does not."""


@dataclass(frozen=True, slots=True)
class RoomReference:
    """What people give to name a room."""

    identifier: str
    """A room id (`!`) or an alias (`#`)."""
    via: tuple[str, ...]
    """Servers through which the room can be joined. An id without a server name needs one unless it is known here."""


def account_uri(user_id: str) -> Account:
    """Return the URI of `@localpart:server`. Raises `BadIdentifierError`."""
    server_of(_checked(user_id, "@"))
    return Account(f"matrix:u/{quote(user_id[1:], safe=_PATH_SAFE)}")


def user_id_of(account: str) -> str:
    """Return the user id that a URI names; a user id itself comes back as it is. Raises `BadIdentifierError`."""
    user_id = account if account.startswith("@") else "@" + _path(account, "u")
    server_of(_checked(user_id, "@"))
    return user_id


def room_uri(room_id: str) -> RoomAddress:
    """Return the URI of a room id. Raises `BadIdentifierError`."""
    return RoomAddress(f"matrix:roomid/{quote(_checked(room_id, '!')[1:], safe=_PATH_SAFE)}")


def room_id_of(address: str) -> str:
    """Return the room id that a URI names. Raises `BadIdentifierError`, for an alias too."""
    return _checked("!" + _path(address, "roomid"), "!")


def read_room(text: str) -> RoomReference:
    """Read a room as people write it: an id, an alias, or the URI of one, with or without `?via=`.

    Raises `BadIdentifierError`.
    """
    text = text.strip()
    if text.startswith(("!", "#")):
        identifier, vias = text, ""
    else:
        without_vias, _, vias = text.partition("?")
        kind = without_vias.partition(":")[2].partition("/")[0]
        identifier = f"#{_path(without_vias, 'r')}" if kind == "r" else f"!{_path(without_vias, 'roomid')}"
    _checked(identifier, identifier[0])
    if identifier.startswith("#"):
        server_of(identifier)
    return RoomReference(identifier, _read_vias(vias))


def server_of(identifier: str) -> str:
    """Return the name of the server that an identifier ends in. Raises `BadIdentifierError` where there is none."""
    server = identifier.partition(":")[2]
    if not _SERVER_NAME.fullmatch(server):
        raise BadIdentifierError(f"no server name stands behind the colon: {_shown(identifier)}")
    return server


def _checked(identifier: str, sigil: str) -> str:
    if not identifier.startswith(sigil) or len(identifier) == 1:
        raise BadIdentifierError(f"expected {sigil!r} and a name: {_shown(identifier)}")
    if not identifier.isprintable() or " " in identifier:
        raise BadIdentifierError(f"a space or a control character in {_shown(identifier)}")
    if len(identifier.encode()) > _MAX_BYTES:
        raise BadIdentifierError(f"longer than {_MAX_BYTES} bytes: {_shown(identifier)}")
    return identifier


def _path(uri: str, kind: str) -> str:
    if len(uri) > _MAX_URI:
        raise BadIdentifierError(f"longer than {_MAX_URI} characters: {_shown(uri)}")
    scheme, _, rest = uri.partition(":")
    found, _, path = rest.partition("/")
    if scheme.lower() != "matrix" or found != kind or "/" in path or not path:
        raise BadIdentifierError(f"expected matrix:{kind}/NAME: {_shown(uri)}")
    try:
        return unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise BadIdentifierError(f"percent-encoded bytes that are not UTF-8: {_shown(uri)}") from None


def _read_vias(query: str) -> tuple[str, ...]:
    try:
        pairs = parse_qsl(query, max_num_fields=20)
    except ValueError:
        raise BadIdentifierError("too many fields behind the question mark") from None
    vias = (value for key, value in pairs if key == "via" and _SERVER_NAME.fullmatch(value))
    return tuple(dict.fromkeys(vias))[:_MAX_VIAS]


def _shown(text: str) -> str:
    return ascii(text[:80])

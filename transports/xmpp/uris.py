"""Accounts and rooms as URIs (RFC 5122), from and to JIDs (RFC 7622): `xmpp:alice@example.org`.

A URI of ours is normalised, so that two of them are the same account exactly if they are equal, and has no resource.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote

from slixmpp.jid import JID, InvalidJID

from transports.errors import PermanentError
from transports.room import Account, RoomAddress

__all__ = ["account_of", "address_of_room", "bare_jid", "jid_of", "room_given", "room_named"]

_SCHEME: Final = "xmpp:"
_LONGEST: Final = 3071
"""Three parts of at the most 1,023 bytes each, and two separators (RFC 7622, section 3.1)."""

_SAFE: Final = "!$&'()*+,;=:@-._~[]"
"""What may stand as it is in the path of a URI; all else is percent-encoded, `/`, `?`, `#` and `%` with it."""


def account_of(jid: str | None) -> Account | None:
    """The account behind a JID that came from the network; `None` where it is not a JID."""
    try:
        return Account(_SCHEME + quote(bare_jid(jid or ""), safe=_SAFE))
    except PermanentError:
        return None


def room_named(text: str | None) -> RoomAddress | None:
    """The room behind a JID or a URI that came from the network; `None` where it is not one of a room."""
    try:
        return address_of_room(room_given(text or ""))
    except PermanentError:
        return None


def address_of_room(jid: str) -> RoomAddress:
    """The room behind a bare JID. Raises `PermanentError`."""
    return RoomAddress(_SCHEME + quote(bare_jid(jid), safe=_SAFE))


def jid_of(uri: str) -> str:
    """The bare JID in a URI of ours. Raises `PermanentError`."""
    if not uri.startswith(_SCHEME):
        raise PermanentError("is no XMPP address: it should begin with xmpp:", where=_shown(uri))
    try:
        return bare_jid(unquote(uri.removeprefix(_SCHEME), errors="strict"))
    except UnicodeDecodeError as error:
        raise PermanentError("is no XMPP address: its percent-encoding is broken", where=_shown(uri)) from error


def room_given(text: str) -> str:
    """The bare JID of a room as people write it: a JID, or a URI with `?join` or without. Raises `PermanentError`."""
    text = text.strip()
    if text.startswith(_SCHEME):
        text = jid_of(text.partition("?")[0])
    room = bare_jid(text)
    if "@" not in room:
        raise PermanentError("is a domain, not a room: a room is written as room@service", where=_shown(text))
    return room


def bare_jid(text: str) -> str:
    """`text` as a normalised JID without its resource. Raises `PermanentError`."""
    if len(text) > _LONGEST:
        raise PermanentError(f"is no JID: longer than {_LONGEST} characters", where=_shown(text))
    try:
        bare = str(JID(text).bare)
    except (InvalidJID, UnicodeError, ValueError) as error:
        raise PermanentError("is no JID: it should read name@domain", where=_shown(text)) from error
    if not bare:
        raise PermanentError("is no JID: it should read name@domain", where=_shown(text))
    return bare


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")

"""What bare clients carry: text in clear, or what the relay carries, byte for byte."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from typing import Final, Protocol

from transports.carriers import MATRIX_EVENT_TYPE
from transports.matrix.events import envelope_content
from transports.room import Account, RelayNote, RoomAddress
from transports.xmpp.elements import CLIENT, Element, element, serialised, text_of
from transports.xmpp.plugin import envelope_message, read_envelope

__all__ = ["ENVELOPES", "NOTED", "TEXT", "Cargo", "carried"]


class Cargo(Protocol):
    """How a text travels on each network."""

    event_type: str
    """Of Matrix events."""

    def content(self, text: str) -> dict[str, object]:
        """Return the content of the Matrix event that carries a text."""
        ...

    def text_of_content(self, content: Mapping[str, object]) -> str | None:
        """Return what a Matrix event carries; `None` where it is something else."""
        ...

    def message(self, room: str, text: str) -> Element:
        """Return the XMPP message that carries a text."""
        ...

    def text_of_message(self, message: Element) -> str | None:
        """Return what an XMPP message carries; `None` where it is something else."""
        ...


class _Text:
    """As any client says it."""

    event_type = "m.room.message"

    def content(self, text: str) -> dict[str, object]:
        return {"msgtype": "m.text", "body": text}

    def text_of_content(self, content: Mapping[str, object]) -> str | None:
        body = content.get("body")
        return body if isinstance(body, str) else None

    def message(self, room: str, text: str) -> Element:
        return element(CLIENT, "message", element(CLIENT, "body", text), type="groupchat", to=room, id=uuid.uuid4().hex)

    def text_of_message(self, message: Element) -> str | None:
        # A component's stream has another default namespace than a client's.
        return next((text_of(part) for part in message if part.tag.endswith("}body")), None)


class _Envelopes:
    """An envelope, which is the text in base64; with a relay's note, where one is given."""

    event_type = MATRIX_EVENT_TYPE

    def __init__(self, note: RelayNote | None = None) -> None:
        self._note = note

    def content(self, text: str) -> dict[str, object]:
        return envelope_content(base64.b64decode(text), _transaction(), self._note)

    def text_of_content(self, content: Mapping[str, object]) -> str | None:
        data = content.get("data")
        return data + "=" * (-len(data) % 4) if isinstance(data, str) else None

    def message(self, room: str, text: str) -> Element:
        data = base64.b64decode(text)
        return envelope_message(room, data, transaction=_transaction(), note=self._note, body=None)

    def text_of_message(self, message: Element) -> str | None:
        carried = read_envelope(message)
        return None if carried is None else base64.b64encode(carried.envelope).decode()


TEXT: Final[Cargo] = _Text()
ENVELOPES: Final[Cargo] = _Envelopes()
NOTED: Final[Cargo] = _Envelopes(
    RelayNote(
        RoomAddress("matrix:roomid/abcdefghijklmnopqr:bench.localhost"),
        Account("matrix:u/alice-01234567:bench.localhost"),
        "$abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr",
        1_790_000_000_000,
    )
)
"""As the relay posts it. The note is as long as the real ones."""


def carried(cargo: Cargo, text: str) -> dict[str, int]:
    """Return how many bytes carry a text: of a Matrix event's content, of an XMPP message."""
    return {
        "Matrix": len(json.dumps(cargo.content(text), separators=(",", ":")).encode()),
        "XMPP": len(serialised(cargo.message("tea@muc.bench.localhost", text)).encode()),
    }


def _transaction() -> str:
    return f"copy-{uuid.uuid4().hex}01234567"  # as long as a relay's

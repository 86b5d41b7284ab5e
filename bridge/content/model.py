"""MIMI content as values (draft-ietf-mimi-content-08): what a message says, apart from who carries it.

```text
mimiContent
├── salt, replaces, topicId, expires, inReplyTo
├── extensions      1 senderUri, 2 roomUri, others as they came
└── body            NestedPart: null | single | external | multi
                                                         └── 2 or more NestedParts, at most 4 levels in all
```

Building one checks nothing: `encode` and `decode` do (see `bridge.content.coding`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NewType, TypeAlias

from cbor2 import CBORSimpleValue, CBORTag

__all__ = [
    "Disposition",
    "Expiration",
    "ExtensionKey",
    "ExtensionValue",
    "ExternalPart",
    "MessageId",
    "MimiContent",
    "MultiPart",
    "NestedPart",
    "NullPart",
    "PartSemantics",
    "SinglePart",
]

MessageId = NewType("MessageId", bytes)
"""32 bytes: the number of a hash algorithm, and what it gives, cut to 31 bytes."""

SENDER_URI: Final = 1
ROOM_URI: Final = 2


class Disposition(IntEnum):
    """What a part is meant for. An unknown number counts as `RENDER`; it stays the number that it is."""

    UNSPECIFIED = 0
    RENDER = 1
    REACTION = 2
    PROFILE = 3
    INLINE = 4
    ICON = 5
    ATTACHMENT = 6
    SESSION = 7
    PREVIEW = 8


class PartSemantics(IntEnum):
    """How the parts of a `MultiPart` belong together."""

    CHOOSE_ONE = 0
    SINGLE_UNIT = 1
    PROCESS_ALL = 2


@dataclass(frozen=True, slots=True)
class NullPart:
    """Nothing: the body of a deletion."""

    disposition: int
    language: str = ""


@dataclass(frozen=True, slots=True)
class SinglePart:
    """Content that stands in the message itself."""

    disposition: int
    content_type: str
    content: bytes
    language: str = ""


@dataclass(frozen=True, slots=True)
class ExternalPart:
    """Content that lies elsewhere, as a rule encrypted with `key`."""

    disposition: int
    content_type: str
    url: str
    expires: int
    """Seconds since 1970; 0 is never."""
    size: int
    """In bytes; 0 is not told."""
    enc_alg: int
    """IANA's number of the AEAD: 1 is AES-128-GCM, 0 none."""
    key: bytes
    nonce: bytes
    aad: bytes
    hash_alg: int
    """IANA's number of the hash: 1 is SHA-256, 0 none."""
    content_hash: bytes
    """Of what lies at the URL."""
    description: str
    filename: str
    language: str = ""

    def __repr__(self) -> str:
        """Without the key."""
        return f"ExternalPart({self.content_type!r}, {self.size} bytes, {self.filename!r})"


@dataclass(frozen=True, slots=True)
class MultiPart:
    """Two parts or more."""

    disposition: int
    semantics: PartSemantics
    parts: tuple[NestedPart, ...]
    language: str = ""


NestedPart: TypeAlias = NullPart | SinglePart | ExternalPart | MultiPart


@dataclass(frozen=True, slots=True)
class Expiration:
    """When the message should disappear: `time` seconds after it was read, or at that second since 1970."""

    is_relative: bool
    time: int


ExtensionKey: TypeAlias = int | str

ExtensionValue: TypeAlias = (
    bool
    | int
    | float
    | str
    | bytes
    | tuple["ExtensionValue", ...]
    | Mapping[int | str | bytes, "ExtensionValue"]
    | CBORTag
    | CBORSimpleValue
    | None
)
"""Any CBOR; arrays are tuples, maps are read-only, and a tag is kept as one, whatever it stands for."""


@dataclass(frozen=True, slots=True)
class MimiContent:
    """One message, edit, deletion or reaction."""

    salt: bytes
    """16 random bytes."""
    extensions: Mapping[ExtensionKey, ExtensionValue]
    body: NestedPart
    replaces: MessageId | None = None
    """The first version of the message that this one edits or deletes."""
    topic_id: bytes = b""
    expires: Expiration | None = None
    in_reply_to: MessageId | None = None

    @property
    def sender_uri(self) -> str | None:
        """Who says to have sent it: to be compared with the credential of the MLS sender."""
        uri = self.extensions.get(SENDER_URI)
        return uri if isinstance(uri, str) else None

    @property
    def room_uri(self) -> str | None:
        """Which room it says to be for: to be compared with the group's."""
        uri = self.extensions.get(ROOM_URI)
        return uri if isinstance(uri, str) else None

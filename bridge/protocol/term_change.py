"""Term changes: another key goes on with a group's log (PROTOCOL.md, "Terms").

::

    struct {
        opaque group_id<V>;
        uint64 term;                    // the new one: one more than before
        LogPosition base;               // the last seal of the old term that counts
        opaque key[32];                 // Ed25519, of the new sequencer
    } TermChangeTBS;

    struct { opaque signer<V>; opaque signature<V>; } Endorsement;

    struct { TermChangeTBS content; Endorsement endorsements<V>; } TermChange;

The first seal of the new term has the number after `base`, and `base`'s hash as `previous`. Seals of the old term
behind `base` are void. Endorsements of the same content add up, whoever posts them and in however many envelopes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

from bridge.protocol.bodies import LogPosition, open_body
from bridge.protocol.code_points import TERM_CHANGE_LABEL
from bridge.protocol.envelope import Envelope
from bridge.protocol.errors import ProtocolError
from mls.codec import FixedOpaque, Opaque, Struct, UInt64, encode_opaque, struct
from mls.crypto.signature import SignaturePrivateKey, SignatureScheme

__all__ = [
    "MAX_ENDORSEMENTS",
    "Endorsement",
    "TermChange",
    "TermChangeContent",
    "endorse",
    "endorsers",
    "open_term_change",
]

MAX_ENDORSEMENTS: Final = 64


@struct(retain=True)
class TermChangeContent(Struct):
    """What is endorsed."""

    group_id: Opaque
    term: UInt64
    base: LogPosition
    """The last seal of the term before that counts."""
    key: Annotated[bytes, FixedOpaque(32)]
    """Ed25519: the new sequencer's."""


@struct()
class Endorsement(Struct):
    """Somebody's signature: a standby key's, or the one of an admin's leaf."""

    signer: Opaque
    """The public key: of the group's signature scheme for an admin's leaf, Ed25519 for a standby key."""
    signature: Opaque


@struct()
class TermChange(Struct):
    """The body of a `term_change`."""

    content: TermChangeContent
    endorsements: tuple[Endorsement, ...]


def endorse(content: TermChangeContent, key: SignaturePrivateKey) -> Endorsement:
    """Return somebody's endorsement of a change of term."""
    return Endorsement(key.public_key, key.sign(_signed(content)))


def endorsers(change: TermChange, schemes: Iterable[tuple[bytes, SignatureScheme]]) -> frozenset[bytes]:
    """Return the public keys, of those given each with its scheme, that have validly signed the change."""
    signed = _signed(change.content)
    wanted = dict(schemes)
    return frozenset(
        item.signer
        for item in change.endorsements
        if item.signer in wanted and wanted[item.signer].verify(item.signer, item.signature, signed)
    )


def open_term_change(sealed: Envelope) -> TermChange:
    """Decode a change of term. Raises `ProtocolError`."""
    change = open_body(TermChange, sealed)
    if change.content.group_id != sealed.group_id:
        raise ProtocolError("a change of term whose envelope names another group")
    if change.content.term != change.content.base.term + 1:
        raise ProtocolError("a change of term that leaves terms out")
    if len(change.endorsements) > MAX_ENDORSEMENTS:
        raise ProtocolError(f"a change of term with more than {MAX_ENDORSEMENTS} endorsements")
    return change


def _signed(content: TermChangeContent) -> bytes:
    return encode_opaque(TERM_CHANGE_LABEL) + encode_opaque(content.encode())

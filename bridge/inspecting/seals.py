"""Seals, in words."""

from __future__ import annotations

from collections.abc import Callable

from bridge.inspecting.explanation import Blob, Explanation, Field, Moment
from bridge.inspecting.look import MAX_DEPTH, Look
from bridge.protocol.code_points import MAX_INLINE, MAX_SEAL_ENTRIES
from bridge.protocol.envelope import identity_of
from bridge.protocol.errors import ProtocolError
from bridge.protocol.seal import Seal, SealEntry, check_seal

__all__ = ["explain_seal"]


def explain_seal(seal: Seal, look: Look, open_inlined: Callable[[bytes], Explanation]) -> Explanation:
    """Explain a seal. `open_inlined` explains an envelope that travels inside it."""
    content = seal.content
    if len(content.entries) > MAX_SEAL_ENTRIES:
        look.problem("seal", f"{len(content.entries)} entries, where {MAX_SEAL_ENTRIES} are allowed")
    fields = (
        Field("group_id", Blob(content.group_id)),
        Field("term", content.term),
        Field("seq", content.seq),
        Field("previous", Blob(content.previous)),
        Field("hash", Blob(content.hash)),
        Field("timestamp", Moment(content.timestamp)),
        Field("entries", look.several(content.entries, lambda entry: _entry(entry, look, open_inlined))),
        Field("signature_check", _signature(seal, look)),
    )
    checkpoint = "" if content.entries else "; this one is a checkpoint, and names nothing new"
    return Explanation("seal", "Seal", f"the sequencer's word on the order of envelopes{checkpoint}", fields)


def _signature(seal: Seal, look: Look) -> str:
    if look.sequencer_key is None:
        return "not checked: that takes the sequencer's key (--sequencer-key)"
    try:
        check_seal(seal, look.sequencer_key)
    except ProtocolError as error:
        look.problem("seal", error)
        return f"refused: {error}"
    return "valid"


def _entry(entry: SealEntry, look: Look, open_inlined: Callable[[bytes], Explanation]) -> Explanation:
    fields = [Field("identity", Blob(entry.identity))]
    if not entry.inlined:
        fields.append(Field("inlined", "no: the envelope stands in the room by itself"))
        return Explanation("seal_entry", "Entry", "", tuple(fields))
    if len(entry.inlined) > MAX_INLINE:
        look.problem("seal", f"an inlined envelope of {len(entry.inlined)} bytes, where {MAX_INLINE} are allowed")
    if identity_of(entry.inlined) != entry.identity:
        look.problem("seal", "an inlined envelope has another identity than the entry names")
    if look.depth >= MAX_DEPTH:
        look.problem("seal", f"envelopes more than {MAX_DEPTH} deep in each other")
        fields.append(Field("inlined", Blob(entry.inlined)))
        return Explanation("seal_entry", "Entry", "", tuple(fields))
    look.depth += 1
    try:
        fields.append(Field("inlined", look.inside("inlined envelope", entry.inlined, open_inlined)))
    finally:
        look.depth -= 1
    return Explanation("seal_entry", "Entry", "", tuple(fields))

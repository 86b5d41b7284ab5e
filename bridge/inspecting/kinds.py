"""Finding out what bytes are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bridge.inspecting.envelopes import explain_envelope
from bridge.inspecting.explanation import Explanation
from bridge.inspecting.look import Look
from bridge.inspecting.messages import explain_message, explain_message_body
from bridge.inspecting.orders import explain_order
from bridge.inspecting.people import explain_identity
from bridge.inspecting.reading import Found, UnreadableError, read
from bridge.inspecting.seals import explain_seal
from bridge.inspecting.trees import explain_tree
from bridge.protocol.code_points import ORDER_EXTENSION
from bridge.protocol.errors import ProtocolError
from bridge.protocol.identity import Identity
from bridge.protocol.seal import Seal
from mls.errors import DecodeError, MlsError
from mls.registry import ExtensionType
from mls.wire.extensions import Extension
from mls.wire.key_package import KeyPackage
from mls.wire.message import MLSMessage
from mls.wire.welcome import GroupInfo

__all__ = ["Attempt", "Finding", "Kind", "NotUnderstoodError", "inspect"]


class Kind(StrEnum):
    """What bytes may be taken for."""

    AUTO = "auto"
    ENVELOPE = "envelope"
    MESSAGE = "message"
    SEAL = "seal"
    ORDER = "order"
    TREE = "tree"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the bytes are."""

    taken_for: str
    carried_as: tuple[str, ...]
    size: int
    problems: tuple[str, ...]
    """What is wrong inside of something that could be read as a whole."""
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the bytes are not. `offset` is a place in them, if one can be named."""

    taken_for: str
    carried_as: tuple[str, ...]
    why: str
    offset: int | None


class NotUnderstoodError(Exception):
    """The bytes are nothing that is known, or not what they were said to be."""

    def __init__(self, attempts: tuple[Attempt, ...]) -> None:
        self.attempts = attempts
        super().__init__("; ".join(f"as {attempt.taken_for}: {attempt.why}" for attempt in attempts))


def inspect(given: bytes, kind: Kind, look: Look) -> Finding:
    """Find out what the input is, and explain it. Raises `NotUnderstoodError`, and nothing else, for any bytes."""
    try:
        found = read(given)
    except UnreadableError as error:
        raise NotUnderstoodError((Attempt("input", (), error.what, error.offset),)) from error
    attempts: list[Attempt] = []
    for candidate in found:
        for name, explain in _ways(kind, candidate):
            fresh = look.again()
            try:
                explanation = explain(candidate.data, fresh)
            except (MlsError, ProtocolError) as error:
                attempts.append(Attempt(name, candidate.carried_as, *_why(error)))
                continue
            size = len(candidate.data)
            return Finding(name, candidate.carried_as, size, tuple(fresh.problems), explanation)
    raise NotUnderstoodError(tuple(attempts))


def _why(error: MlsError | ProtocolError) -> tuple[str, int | None]:
    """Return what is wrong, and at which byte."""
    cause = error if isinstance(error, DecodeError) else error.__cause__
    return str(error), cause.offset if isinstance(cause, DecodeError) else None


def _ways(kind: Kind, found: Found) -> Iterator[tuple[str, Callable[[bytes, Look], Explanation]]]:
    """Yield what the bytes are tried as, in turn. No two of them fit the same bytes but by chance."""
    wanted = _WAYS.items() if kind is Kind.AUTO else [(kind, _WAYS[kind])]
    for name, explain in (way for _, ways in wanted for way in ways):
        # Who gives an event or a stanza means the envelope in it.
        if kind is not Kind.AUTO or len(found.carried_as) == 1 or name == "envelope":
            yield name, explain


def _key_package(data: bytes, look: Look) -> Explanation:
    return explain_message_body(KeyPackage.decode(data), look)


def _group_info(data: bytes, look: Look) -> Explanation:
    return explain_message_body(GroupInfo.decode(data), look)


def _seal(data: bytes, look: Look) -> Explanation:
    return explain_seal(Seal.decode(data), look, lambda inlined: explain_envelope(inlined, look))


def _order_extension(data: bytes, look: Look) -> Explanation:
    return explain_order(_data_of(ORDER_EXTENSION, (Extension.decode(data),)), look)


def _tree_extension(data: bytes, look: Look) -> Explanation:
    return explain_tree(_data_of(ExtensionType.RATCHET_TREE, (Extension.decode(data),)), look)


def _tree_of_group_info(data: bytes, look: Look) -> Explanation:
    message = MLSMessage.decode(data).message
    if not isinstance(message, GroupInfo):
        raise DecodeError("an MLSMessage that is no GroupInfo", 2)
    return explain_tree(_data_of(ExtensionType.RATCHET_TREE, message.extensions), look)


def _tree_of_bare_group_info(data: bytes, look: Look) -> Explanation:
    return explain_tree(_data_of(ExtensionType.RATCHET_TREE, GroupInfo.decode(data).extensions), look)


def _data_of(wanted: int, extensions: tuple[Extension, ...]) -> bytes:
    for extension in extensions:
        if extension.extension_type == wanted:
            return extension.extension_data
    raise DecodeError(f"no extension of type {wanted:#06x}")


def _identity(data: bytes, _: Look) -> Explanation:
    return explain_identity(Identity.decode(data))


_WAYS: Final[dict[Kind, tuple[tuple[str, Callable[[bytes, Look], Explanation]], ...]]] = {
    Kind.ENVELOPE: (("envelope", explain_envelope),),
    Kind.MESSAGE: (
        ("MLSMessage", explain_message),
        ("KeyPackage", _key_package),
        ("GroupInfo", _group_info),
    ),
    Kind.SEAL: (("seal", _seal),),
    Kind.ORDER: (("order", explain_order), ("order extension", _order_extension)),
    Kind.TREE: (
        ("ratchet tree", explain_tree),
        ("ratchet_tree extension", _tree_extension),
        ("tree of a GroupInfo message", _tree_of_group_info),
        ("tree of a GroupInfo", _tree_of_bare_group_info),
    ),
    Kind.IDENTITY: (("identity", _identity),),
}

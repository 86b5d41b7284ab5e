"""Everything that can go wrong in the engine, as one narrow tree of exceptions.

=======================  ==========================================================================
`DecodeError`            the bytes are not the structure that they should be
`ValidationError`        the structure breaks a rule of RFC 9420; names the rule and its section
`AuthenticationError`    a signature, MAC or AEAD tag is wrong; never says more than which
`WrongGroupError`        the message is for another group
`WrongEpochError`        the message is for an epoch that this state does not hold
`MissingError`           something that the message refers to is not at hand; says what
`ExhaustedError`         a key was used before, or lies outside the limits
`UsageError`             the caller asked for something that cannot be done in this state
`InternalError`          the engine contradicts itself: a bug of ours
=======================  ==========================================================================

The first four are the sender's fault, `UsageError` the caller's, `InternalError` ours. Whatever is
raised, the state that went in is as it was, for states are immutable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mls.rules import Rule

__all__ = [
    "AuthenticationError",
    "DecodeError",
    "ExhaustedError",
    "InternalError",
    "MalformedError",
    "MissingError",
    "MlsError",
    "RuleError",
    "UsageError",
    "ValidationError",
    "WrongEpochError",
    "WrongGroupError",
]


class MlsError(Exception):
    """The root of all exceptions that the engine raises on purpose."""


class RuleError(MlsError):
    """A rule of the RFC is broken.

    `rule` is the `mls.rules.Rule`; its `name` and `section` are part of the message.
    """

    def __init__(self, rule: Rule, detail: str = "", **facts: int) -> None:
        self.rule = rule
        self.detail = detail
        self.facts = facts
        broken = f"this does not hold: {rule.text} ({rule.reference}, {rule.name})"
        super().__init__(f"{broken}: {detail}" if detail else broken)


class DecodeError(MlsError):
    """The bytes are not a well-formed encoding. `offset` is the byte at which this was seen, if one can be named."""

    def __init__(self, what: str, offset: int | None = None) -> None:
        self.what = what
        self.offset = offset
        super().__init__(what if offset is None else f"{what} (at byte {offset})")


class MalformedError(RuleError, DecodeError):
    """The bytes break one of the RFC's rules on encodings, so they are malformed."""

    def __init__(self, rule: Rule, detail: str = "", **facts: int) -> None:
        RuleError.__init__(self, rule, detail, **facts)
        self.what = str(self)
        self.offset = None


class ValidationError(RuleError):
    """Well-formed, but against a rule of the RFC."""


class AuthenticationError(RuleError):
    """A signature, MAC or AEAD tag does not verify. Deliberately without detail."""


class WrongGroupError(RuleError):
    """The message names another group than the state it was given to."""


class WrongEpochError(RuleError):
    """The message belongs to an epoch that the state does not hold: past its limits, or not reached yet.

    `have` and `got` are epoch numbers.
    """

    def __init__(self, rule: Rule, detail: str = "", *, have: int, got: int) -> None:
        self.have = have
        self.got = got
        super().__init__(rule, detail or f"have epoch {have}, got {got}", have=have, got=got)


class MissingError(RuleError):
    """What the message refers to is not at hand: a PSK, a tree, a proposal, a KeyPackage's private key."""


class ExhaustedError(RuleError):
    """A message key was consumed before (a replay), or lies further ahead or behind than the limits allow."""


class UsageError(MlsError):
    """The caller asked for something that this state cannot do. Says what to do instead."""


class InternalError(MlsError):
    """The engine contradicts itself. A bug: please report it."""

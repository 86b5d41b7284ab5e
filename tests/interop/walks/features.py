"""What an implementation may lack, so that walks do without it. What is not listed here, everybody has to have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["EVERYTHING", "Feature", "Offer"]


class Feature(StrEnum):
    """Something that a member does, and that the others understand."""

    ADD_BY_REFERENCE = "add by reference"
    REMOVE_BY_REFERENCE = "remove by reference"
    UPDATE = "update by proposal"
    PSK = "external PSK"
    PSK_BY_REFERENCE = "external PSK by reference"
    RESUMPTION = "resumption PSK"
    RESUMPTION_BY_REFERENCE = "resumption PSK by reference"
    EXTENSIONS = "group context extensions"
    EXTENSIONS_BY_REFERENCE = "group context extensions by reference"
    LATE_JOIN = "join of a group with any tree"
    NEW_MEMBER_ADD = "new member's add"
    EXTERNAL_SIGNER = "external signer"
    LEAVE = "leave by Remove"
    SELF_REMOVE = "leave by SelfRemove"
    DISCARD = "discarded Commit"
    FORCED_PATH = "path that is not needed"
    EXTERNAL_TREE = "external tree"
    EXTERNAL_JOIN = "external join"
    EXTERNAL_JOIN_PSK = "external join with a PSK"
    RESYNC = "external join that removes the former self"
    OUT_OF_ORDER = "messages out of order"
    PAST_EPOCHS = "messages of past epochs"
    DEPARTED = "messages of past epochs from somebody who has left"


@dataclass(frozen=True)
class Offer:
    """What one implementation takes part in."""

    acts: frozenset[Feature]
    """What its members can do."""
    follows: frozenset[Feature]
    """What they understand when somebody else does it."""

    def without(self, lacking: frozenset[Feature]) -> Offer:
        """Return an offer that leaves some things out altogether."""
        return Offer(self.acts - lacking, self.follows - lacking)


EVERYTHING = Offer(frozenset(Feature), frozenset(Feature))

"""How a room is set up, and whether a group can work in it (XEP-0045, section 6.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from transports.errors import UnsuitableRoomError
from transports.xmpp.elements import DATA_FORMS, DISCO_INFO, MAM, STANZA_IDS, Element, child, children, text_of

__all__ = ["RoomSetup", "require_suitable", "unsuitable_settings"]

_LONGEST_NAME: Final = 256


@dataclass(frozen=True, slots=True)
class RoomSetup:
    """What a room says about itself."""

    name: str
    features: frozenset[str]

    @classmethod
    def read(cls, info: Element) -> RoomSetup:
        """The answer to a query for service discovery (XEP-0030)."""
        query = child(info, DISCO_INFO, "query")
        identities = [identity.get("name") or "" for identity in children(query, DISCO_INFO, "identity")]
        fields = {
            field.get("var"): text_of(child(field, DATA_FORMS, "value"))
            for form in children(query, DATA_FORMS, "x")
            for field in children(form, DATA_FORMS, "field")
        }
        name = fields.get("muc#roomconfig_roomname") or next(iter(identities), "")
        features = frozenset(feature.get("var") or "" for feature in children(query, DISCO_INFO, "feature"))
        return cls(name[:_LONGEST_NAME], features)

    @property
    def is_members_only(self) -> bool:
        """Whether strangers stay out."""
        return "muc_membersonly" in self.features

    @property
    def is_open(self) -> bool:
        """Whether everybody sees everybody's address."""
        return "muc_nonanonymous" in self.features

    @property
    def has_archive(self) -> bool:
        """Whether messages are kept for those who were not there (XEP-0313)."""
        return MAM in self.features

    @property
    def has_stanza_ids(self) -> bool:
        """Whether the room writes stanza-ids, and removes those that claim to be its own (XEP-0359)."""
        return STANZA_IDS in self.features or MAM in self.features


def unsuitable_settings(setup: RoomSetup) -> list[str]:
    """The settings in the way of a group, each with what to change; empty for a room that is right."""
    wrong = []
    if not setup.is_members_only:
        wrong.append(
            "the room is open to everybody, so there is no list of who should be in the group: "
            "in its configuration, let only members join (muc#roomconfig_membersonly = 1)"
        )
    if not setup.is_open:
        wrong.append(
            "the room hides its occupants' addresses, so nobody knows who speaks: "
            "in its configuration, let everybody see them (muc#roomconfig_whois = anyone)"
        )
    return wrong


def require_suitable(setup: RoomSetup, *, where: str) -> None:
    """Raise `UnsuitableRoomError`, with all that is to be changed."""
    if wrong := unsuitable_settings(setup):
        raise UnsuitableRoomError("; and ".join(wrong), where=where)

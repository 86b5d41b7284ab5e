"""The rooms, and what the program is in each: relay, sequencer, member."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from bridge.config.sections import Flag, Number, Section, refuse_all, wrong

__all__ = ["AddPolicy", "GroupId", "Late", "Member", "Mode", "Room", "Side", "Updates", "room_problem"]

MAX_PADDING = 1 << 12
MAX_LATE_EPOCHS = 64
MAX_GROUP_ID = 64
"""In bytes. The groups that members found have ids of 16."""


class Mode(StrEnum):
    """What makes the order of a room's handshakes."""

    SEALED = "sealed"
    """A sequencer's signed log."""
    ROOM = "room"
    """The archive of one MUC."""


class AddPolicy(StrEnum):
    """Whom this member adds by itself when they ask."""

    OWN_NETWORK = "own-network"
    """Whoever is in the room on this member's own network. The others wait for a person who compares the number."""
    ASK = "ask"
    """Nobody: each one waits for a person's decision."""
    NOBODY = "nobody"
    """Nobody, and nobody is asked: other members add."""


class Side(Section):
    """A room on one network, and the account that is in it."""

    account: str
    """The account's name, one of `accounts`."""
    room: Annotated[str, Field(min_length=1)]
    """The room's address: "#alias:server" or "!id:server" in quotes on Matrix, room@server on XMPP."""


class Updates(Section):
    """How often this member renews its keys, whichever comes first: what was stolen before is then worth nothing."""

    days: Annotated[Number, Field(ge=1, le=90)] = 7
    """After so many days (default: 7)."""
    messages: Annotated[Number, Field(ge=1, le=100_000)] = 500
    """After so many messages of its own (default: 500)."""


class Late(Section):
    """How long the keys of past epochs are kept, for messages that come late. Taken by a group when it is created."""

    minutes: Annotated[Number, Field(ge=0, le=1440)] = 10
    """For so many minutes in any case (default: 10)."""
    epochs: Annotated[Number, Field(ge=0, le=MAX_LATE_EPOCHS)] = 5
    """After that, for so many epochs (default: 5; never over 64)."""
    hours: Annotated[Number, Field(ge=0, le=720)] = 24
    """And for so many hours at the most (default: 24)."""


def room_problem(network: Literal["matrix", "xmpp"], room: str) -> PydanticCustomError | None:
    """Return what is wrong with a room's address, as far as it can be told without asking the server."""
    has_space = any(map(str.isspace, room))
    if network == "matrix":
        if not has_space and (room.startswith("matrix:") or (room[:1] in {"#", "!"} and len(room) > 1)):
            return None
        advice = 'write it like "#tea:example.org" or "!opaque:example.org", in quotes'
        return wrong("is not the address of a Matrix room", advice)
    localpart, _, domain = room.removeprefix("xmpp:").partition("@")
    if not has_space and localpart and domain and "/" not in domain and "@" not in domain:
        return None
    return wrong("is not the address of a MUC", "write it like tea@muc.example.org")


def _check_padding(size: int) -> int:
    if size & (size - 1):
        raise wrong("is not a power of two", "write 64, or 0 for no padding")
    return size


class Member(Section):
    """This process is a member too. It then holds keys, and can read the room; a mere relay has no such part."""

    account: str
    """The account that is the member: one of the room's sides."""
    device: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")] = "mls-bridge"
    """The name of this program among the account's devices, seen by the other members (default: mls-bridge)."""
    create: Flag = False
    """Found the room's group, if nobody has yet (default: false; then this member asks to be let in)."""
    padding: Annotated[Number, Field(ge=0, le=MAX_PADDING), AfterValidator(_check_padding)] = 64
    """Messages are padded to the next of this many bytes, twice as many, and so on (default: 64; 0: not at all)."""
    updates: Updates = Updates()
    """How often it renews its keys."""
    add: AddPolicy = AddPolicy.OWN_NETWORK
    """Whom it adds by itself: own-network (default), ask or nobody."""
    late: Late = Late()
    """How long it keeps past keys for late messages."""


def _check_group(group: str) -> str:
    if not re.fullmatch(f"([0-9a-fA-F]{{2}}){{1,{MAX_GROUP_ID}}}", group):
        raise wrong("is not the id of a group", "write what `openssl rand -hex 16` makes, in quotes")
    return group.lower()


GroupId: TypeAlias = Annotated[str, AfterValidator(_check_group)]
"""The id of a group, in hexadecimal digits."""


class Room(Section):
    """A room, or several that are linked."""

    sides: Annotated[tuple[Side, ...], Field(min_length=1, max_length=8)]
    """The room on each network."""
    home: str | None = None
    """The account of the side whose room is the home room, where the order is made (default: that of the only side)."""
    relay: Flag = False
    """Copy envelopes between the sides (default: false). It can read none of them."""
    sequencer: Flag = False
    """Sign the order of the handshakes (default: false). Each group has one sequencer, in one process."""
    mode: Mode = Mode.SEALED
    """What makes the order: sealed, by a sequencer (default); room, by the archive of one MUC, without a sequencer."""
    group: GroupId | None = None
    """The id of the room's group, in hexadecimal digits (default: that of the group that is there first). The sequencer
    seals no other, and the member founds or joins no other."""
    member: Member | None = None
    """This process is a member too (default: it is not)."""

    @property
    def home_side(self) -> Side:
        """The side whose room is the home room."""
        return next((side for side in self.sides if side.account == self.home), self.sides[0])

    @property
    def group_id(self) -> bytes:
        """The id of the room's group; empty where the configuration does not name one."""
        return bytes.fromhex(self.group or "")

    @model_validator(mode="after")
    def _check_roles(self) -> Self:
        refuse_all([*self._side_problems(), *self._role_problems()])
        return self

    def _side_problems(self) -> Iterator[tuple[tuple[str | int, ...], PydanticCustomError]]:
        names = [side.account for side in self.sides]
        for position, name in enumerate(names):
            if name in names[:position]:
                advice = "an account has one side in a room: log in with another account for this one"
                yield ("sides", position, "account"), wrong(f"is {name} again", advice)
        choices = " or ".join(Counter(names))
        if self.home is None and len(names) > 1:
            yield ("home",), wrong("is missing", f"write {choices}: whose room is the home room")
        elif self.home is not None and self.home not in names:
            yield ("home",), wrong("is the account of none of the sides", f"write {choices}")
        if self.member is not None and self.member.account not in names:
            yield ("member", "account"), wrong("is the account of none of the sides", f"write {choices}")

    def _role_problems(self) -> Iterator[tuple[tuple[str, ...], PydanticCustomError]]:
        several = len(self.sides) > 1
        if self.relay and not several:
            yield ("relay",), wrong("has nothing to copy to: there is one side", "add a side, or write false")
        if several and not self.relay:
            yield ("relay",), wrong("is off, and several sides are linked by nothing", "write true, or keep one side")
        if self.mode is Mode.ROOM and several:
            yield ("mode",), wrong("is room, for one MUC alone, and there are several sides", "write sealed")
        if self.mode is Mode.ROOM and self.sequencer:
            yield ("sequencer",), wrong("means nothing in mode room: its archive is the order", "write false")
        if self.group is not None and not (self.sequencer or self.member):
            yield ("group",), wrong("means nothing to a relay, which copies for any group", "leave it out")
        if not (self.relay or self.sequencer or self.member):
            yield (), wrong("leaves nothing to do", "set `relay`, `sequencer` or `member`")

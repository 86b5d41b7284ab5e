"""One Commit of a walk: proposals of any kinds, together, within what RFC 9420 allows (section 12.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.interop.parts import (
    Actor,
    AddByValue,
    Extension,
    ExternalPSKByValue,
    GroupContextExtensionsByValue,
    RemoveByValue,
    ResumptionPSKByValue,
)
from tests.interop.scripts import (
    AddExternalSigner,
    AddProposal,
    Commit,
    CreateKeyPackage,
    DiscardPendingCommit,
    ExternalPSKProposal,
    ExternalSignerProposal,
    FullCommit,
    GroupContextExtensionsProposal,
    InstallExternalPSK,
    NewMemberAddProposal,
    RemoveProposal,
    ResumptionPSKProposal,
    SelfRemoveProposal,
    UpdateProposal,
)
from tests.interop.walks.features import Feature

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.interop.parts import Description
    from tests.interop.scripts import Step
    from tests.interop.walks.membership import Membership
    from tests.interop.walks.walk import WalkWriter

__all__ = ["LARGEST", "Change"]

SMALLEST, LARGEST = 3, 10
"""Members. Each implementation has one of them at least."""

MOST_PROPOSALS = 4

REQUIRED_CAPABILITIES = 3
BASIC_ALONE = bytes.fromhex("0000020001")
"""No extension types, no proposal types, and one credential type, basic."""


@dataclass(frozen=True)
class _Sender:
    """Who sends a proposal."""

    member: Actor | None = None
    """`None`: the committer, in its Commit."""
    signer: Actor | None = None
    """An external sender, which gets the GroupInfo from `member`."""


class Change:
    """A Commit in the making. What would not go with the rest of it is left out."""

    def __init__(self, group: Membership, writer: WalkWriter, random: Random, *, by_value: bool = False) -> None:
        """Begin; `by_value` means that nobody but the committer is to know of its proposals."""
        self._group = group
        self._writer = writer
        self._random = random
        self._by_value_alone = by_value
        self._committer = random.choice(group.members)
        self._by_reference: list[int] = []
        self._by_value: list[Description] = []
        self._joiners: list[Actor] = []
        self._gone: set[Actor] = set()
        self._updated: set[Actor] = set()
        self._resumed: set[int] = set()
        self._signer = group.signer
        self._changes_extensions = False

    def propose(self) -> None:
        """Choose proposals, or none."""
        by_reference: dict[Callable[[], None], int] = {
            self._new_member_add: 1,
            self._leave: 1,
            self._self_remove: 1,
            self._update: 5,
            self._external_signer: 1,
        }
        kinds: dict[Callable[[], None], int] = {
            **({} if self._by_value_alone else by_reference),
            self.add: 6,
            self._remove: 4,
            self._extensions: 2,
            # Whoever joins does so before these: it gets the PSK, too, and has none of earlier epochs.
            self._psk: 2,
            self._resumption: 2,
        }
        count = self._random.randint(0, MOST_PROPOSALS)
        drawn = self._random.choices(list(kinds), list(kinds.values()), k=count)
        for propose in kinds:
            for _ in range(drawn.count(propose)):
                propose()

    def commit(self) -> None:
        """Let everybody follow."""
        stay = self._group.others(self._committer, *self._gone)
        self._writer.do(
            FullCommit(
                actor=self._committer,
                by_reference=tuple(self._by_reference),
                by_value=tuple(self._by_value),
                members=tuple(stay),
                joiners=tuple(self._joiners),
                force_path=self._may(Feature.FORCED_PATH),
                external_tree=self._may(Feature.EXTERNAL_TREE),
            ),
            f"{self._committer} commits",
        )
        self._group.enter_epoch(self._gone, self._joiners)
        self._group.signer = self._signer

    def discard(self) -> None:
        """Make the Commit, and give it up."""
        self._writer.do(
            Commit(
                actor=self._committer,
                by_reference=tuple(self._by_reference),
                by_value=tuple(self._by_value),
                force_path=self._may(Feature.FORCED_PATH),
                external_tree=self._may(Feature.EXTERNAL_TREE),
            ),
            f"{self._committer} commits",
        )
        self._writer.do(DiscardPendingCommit(actor=self._committer), "and discards the Commit")

    def can_be_discarded(self) -> bool:
        """Whether the committer can take its Commit back."""
        return self._group.can(Feature.DISCARD, self._committer)

    def _may(self, feature: Feature) -> bool:
        """Choose whether the Commit has something that its committer need not put into it."""
        return self._random.random() < 0.3 and self._group.can(feature, self._committer)

    # Members

    def add(self, seat: str | None = None) -> None:
        """Add somebody, if there is room; in a certain seat, if one is named."""
        sender = self._sender(None, Feature.ADD_BY_REFERENCE, outside=True) if seat is None else _Sender()
        seats = self._joining(Feature.LATE_JOIN) if seat is None else [seat]
        if sender is None or not seats or not self._has_room():
            return
        joiner = self._group.newcomer(self._random.choice(seats))
        self._joiners.append(joiner)
        key_package = self._writer.do(CreateKeyPackage(actor=joiner))
        self._put(
            sender,
            AddByValue(key_package=key_package),
            lambda member: AddProposal(actor=member, key_package=key_package),
            f"add {joiner}",
        )

    def _joining(self, *features: Feature) -> list[str]:
        """Return the seats that others can join in."""
        return [seat for seat, offer in self._group.offers.items() if offer.acts.issuperset(features)]

    def _has_room(self) -> bool:
        return len(self._group.since) - len(self._gone) + len(self._joiners) < LARGEST

    def _new_member_add(self) -> None:
        group = self._group
        seats = self._joining(Feature.LATE_JOIN, Feature.NEW_MEMBER_ADD)
        if not seats or not self._has_room():
            return
        joiner = group.newcomer(self._random.choice(seats))
        if not group.can(Feature.NEW_MEMBER_ADD, joiner):
            return
        via = self._random.choice(group.members)
        self._joiners.append(joiner)
        self._by_reference.append(
            self._writer.do(NewMemberAddProposal(actor=via, joiner=joiner), f"{joiner} asks {via} to be added")
        )

    def _leaving(self) -> list[Actor]:
        """Return who may be removed."""
        if len(self._group.since) - len(self._gone) <= SMALLEST:
            return []
        return [
            member
            for member in self._group.others(self._committer, *self._gone, *self._updated)
            if not self._group.is_last(member, self._gone)
        ]

    def _remove(self) -> None:
        leaving = self._leaving()
        if not leaving:
            return
        removed = self._random.choice(leaving)
        sender = self._sender(None, Feature.REMOVE_BY_REFERENCE, but=removed, outside=True)
        if sender is None:
            return
        self._gone.add(removed)
        self._put(
            sender,
            RemoveByValue(removed=removed),
            lambda member: RemoveProposal(actor=member, removed=removed),
            f"remove {removed}",
        )

    def _leave(self) -> None:
        self._go(Feature.LEAVE, lambda member: RemoveProposal(actor=member, removed=member))

    def _self_remove(self) -> None:
        self._go(Feature.SELF_REMOVE, lambda member: SelfRemoveProposal(actor=member))

    def _go(self, feature: Feature, proposal: Callable[[Actor], Step]) -> None:
        leaving = [member for member in self._leaving() if self._group.can(feature, member)]
        if leaving:
            member = self._random.choice(leaving)
            self._gone.add(member)
            self._by_reference.append(self._writer.do(proposal(member), f"{member} asks to go ({feature})"))

    def _update(self) -> None:
        members = self._group.others(self._committer, *self._gone, *self._updated)
        members = [member for member in members if self._group.can(Feature.UPDATE, member)]
        if members:
            member = self._random.choice(members)
            self._updated.add(member)
            self._by_reference.append(self._writer.do(UpdateProposal(actor=member), f"{member} proposes its update"))

    # Extensions

    def _extensions(self) -> None:
        sender = self._sender(Feature.EXTENSIONS, Feature.EXTENSIONS_BY_REFERENCE)
        if sender is None or self._changes_extensions:
            return
        self._changes_extensions, self._signer = True, None
        required = Extension(extension_type=REQUIRED_CAPABILITIES, extension_data=BASIC_ALONE)
        extensions = (required,) if self._random.random() < 0.5 else ()
        self._put(
            sender,
            GroupContextExtensionsByValue(extensions=extensions),
            lambda member: GroupContextExtensionsProposal(actor=member, extensions=extensions),
            f"extensions: {'required_capabilities' if extensions else 'none'}",
        )

    def _external_signer(self) -> None:
        """Let somebody outside propose; once in a walk, so that its index among the external senders is certain."""
        group = self._group
        members = [member for member in group.members if group.can(Feature.EXTERNAL_SIGNER, member)]
        seats = [seat for seat, offer in group.offers.items() if Feature.EXTERNAL_SIGNER in offer.acts]
        if group.has_had_signer or self._changes_extensions or not members or not seats:
            return
        group.has_had_signer = self._changes_extensions = True
        self._signer = group.newcomer(self._random.choice(seats), "signer")
        member = self._random.choice(members)
        self._by_reference.append(
            self._writer.do(
                AddExternalSigner(actor=member, signer=self._signer),
                f"{member} proposes to let {self._signer} propose from outside",
            )
        )

    # PSKs

    def _psk(self) -> None:
        sender = self._sender(Feature.PSK, Feature.PSK_BY_REFERENCE)
        if sender is None:
            return
        psk = self._writer.do(InstallExternalPSK(clients=(*self._group.members, *self._joiners)))
        self._put(
            sender,
            ExternalPSKByValue(psk_id=psk),
            lambda member: ExternalPSKProposal(actor=member, psk_id=psk),
            "external PSK",
        )

    def _resumption(self) -> None:
        """Inject the resumption PSK of an epoch, unless somebody joins, who cannot have it."""
        epochs = [epoch for epoch in self._group.common_epochs() if epoch not in self._resumed]
        sender = self._sender(Feature.RESUMPTION, Feature.RESUMPTION_BY_REFERENCE)
        if sender is None or not epochs or self._joiners:
            return
        epoch = self._random.choice(epochs)
        self._resumed.add(epoch)
        self._put(
            sender,
            ResumptionPSKByValue(epoch_id=epoch),
            lambda member: ResumptionPSKProposal(actor=member, epoch_id=epoch),
            f"resumption PSK of epoch {epoch}",
        )

    # Senders

    def _sender(
        self, by_value: Feature | None, by_reference: Feature, *, but: Actor | None = None, outside: bool = False
    ) -> _Sender | None:
        """Choose who sends a proposal: committer, member (`but` one), perhaps somebody outside; `None`: nobody can.

        Without `by_value`, everybody can put such a proposal into a Commit.
        """
        group = self._group
        ways = []
        if by_value is None or group.can(by_value, self._committer):
            ways.append(_Sender())
        members = [member for member in group.others(but) if group.can(by_reference, member)]
        if self._by_value_alone:
            return ways[0] if ways else None
        if members:
            ways.append(_Sender(self._random.choice(members)))
        if outside and group.signer and group.can(Feature.EXTERNAL_SIGNER, group.signer):
            ways.append(_Sender(self._random.choice(group.members), group.signer))
        return self._random.choice(ways) if ways else None

    def _put(
        self, sender: _Sender, description: Description, by_reference: Callable[[Actor], Step], words: str
    ) -> None:
        """Let a proposal be sent: `description` describes it to a committer or an external signer."""
        match sender:
            case _Sender(signer=str(signer), member=str(via)):
                step: Step = ExternalSignerProposal(actor=signer, member=via, description=description)
                self._by_reference.append(self._writer.do(step, f"{signer} proposes: {words}"))
            case _Sender(member=str(member)):
                self._by_reference.append(self._writer.do(by_reference(member), f"{member} proposes: {words}"))
            case _:
                self._by_value.append(description)
                self._writer.tell(f"by value: {words}")

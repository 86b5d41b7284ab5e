"""What a script is: steps, each an action of somebody: those of the MLS working group's test runner, and some of ours.

A step refers to what an earlier one made by that one's number, counted from 0. Nothing here says what an action means:
`interpreter` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from tests.interop.parts import (
    Actor,
    CiphertextOf,
    CommitOf,
    Description,
    Extension,
    KeyPackageOf,
    Product,
    ProposalOf,
    PSKOf,
)

__all__ = [
    "ACTIONS",
    "AddExternalSigner",
    "AddProposal",
    "Agree",
    "Branch",
    "CannotUnprotect",
    "Commit",
    "CreateGroup",
    "CreateKeyPackage",
    "DiscardPendingCommit",
    "ExternalJoin",
    "ExternalPSKProposal",
    "ExternalSignerProposal",
    "FullCommit",
    "GroupContextExtensionsProposal",
    "GroupInfo",
    "HandleCommit",
    "HandlePendingCommit",
    "InstallExternalPSK",
    "JoinGroup",
    "NewMemberAddProposal",
    "Protect",
    "ReInit",
    "RemoveProposal",
    "ResumptionPSKProposal",
    "Script",
    "SelfRemoveProposal",
    "Step",
    "Talk",
    "Unprotect",
    "UpdateProposal",
]


@dataclass(frozen=True, kw_only=True)
class _Step:
    makes: ClassVar[frozenset[Product]] = frozenset()


@dataclass(frozen=True, kw_only=True)
class _MakesProposal(_Step):
    makes: ClassVar[frozenset[Product]] = frozenset({Product.PROPOSAL})


@dataclass(frozen=True, kw_only=True)
class _MakesCommit(_Step):
    makes: ClassVar[frozenset[Product]] = frozenset({Product.COMMIT})


@dataclass(frozen=True, kw_only=True)
class CreateGroup(_Step):
    """Create the group, and add all members by one Commit."""

    actor: Actor
    members: tuple[Actor, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CreateKeyPackage(_Step):
    makes: ClassVar[frozenset[Product]] = frozenset({Product.KEY_PACKAGE})
    actor: Actor


@dataclass(frozen=True, kw_only=True)
class JoinGroup(_Step):
    """Join by the Welcome of a Commit."""

    actor: Actor
    welcome: CommitOf


@dataclass(frozen=True, kw_only=True)
class ExternalJoin(_MakesCommit):
    """The joiner joins with the actor's GroupInfo; members and actor handle its Commit."""

    actor: Actor
    joiner: Actor
    members: tuple[Actor, ...] = ()
    external_tree: bool = False
    remove_prior: bool = False
    psks: tuple[PSKOf, ...] = ()


@dataclass(frozen=True, kw_only=True)
class InstallExternalPSK(_Step):
    """Everybody gets a new PSK: members for their group, others for the key package that they made last."""

    makes: ClassVar[frozenset[Product]] = frozenset({Product.PSK})
    clients: tuple[Actor, ...]


@dataclass(frozen=True, kw_only=True)
class GroupInfo(_Step):
    actor: Actor
    external_tree: bool = False


@dataclass(frozen=True, kw_only=True)
class AddProposal(_MakesProposal):
    actor: Actor
    key_package: KeyPackageOf


@dataclass(frozen=True, kw_only=True)
class UpdateProposal(_MakesProposal):
    actor: Actor


@dataclass(frozen=True, kw_only=True)
class RemoveProposal(_MakesProposal):
    """Propose to remove somebody. Whoever removes itself asks to leave."""

    actor: Actor
    removed: Actor


@dataclass(frozen=True, kw_only=True)
class ExternalPSKProposal(_MakesProposal):
    actor: Actor
    psk_id: PSKOf


@dataclass(frozen=True, kw_only=True)
class ResumptionPSKProposal(_MakesProposal):
    actor: Actor
    epoch_id: int


@dataclass(frozen=True, kw_only=True)
class GroupContextExtensionsProposal(_MakesProposal):
    actor: Actor
    extensions: tuple[Extension, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FullCommit(_MakesCommit):
    """Commit; the committer applies it, the members handle it, the joiners join by its Welcome."""

    actor: Actor
    by_reference: tuple[ProposalOf, ...] = ()
    by_value: tuple[Description, ...] = ()
    members: tuple[Actor, ...] = ()
    joiners: tuple[Actor, ...] = ()
    force_path: bool = False
    external_tree: bool = False


@dataclass(frozen=True, kw_only=True)
class Commit(_MakesCommit):
    """Commit, and leave it pending."""

    actor: Actor
    by_reference: tuple[ProposalOf, ...] = ()
    by_value: tuple[Description, ...] = ()
    force_path: bool = False
    external_tree: bool = False


@dataclass(frozen=True, kw_only=True)
class HandleCommit(_Step):
    actor: Actor
    commit: CommitOf
    by_reference: tuple[ProposalOf, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HandlePendingCommit(_Step):
    actor: Actor


@dataclass(frozen=True, kw_only=True)
class Protect(_Step):
    makes: ClassVar[frozenset[Product]] = frozenset({Product.CIPHERTEXT})
    actor: Actor
    authenticated_data: str = ""
    plaintext: str = ""


@dataclass(frozen=True, kw_only=True)
class Unprotect(_Step):
    actor: Actor
    ciphertext: CiphertextOf


@dataclass(frozen=True, kw_only=True)
class ReInit(_Step):
    """Propose (or take an external proposal), commit, and let the welcomer take all into the new group."""

    committer: Actor
    welcomer: Actor
    members: tuple[Actor, ...] = ()
    proposer: Actor | None = None
    external_reinit_proposal: ProposalOf | None = None
    change_cipher_suite: bool = False
    change_group_id: bool = False
    extensions: tuple[Extension, ...] = ()
    force_path: bool = False
    external_tree: bool = False


@dataclass(frozen=True, kw_only=True)
class Branch(_Step):
    """The actor makes a subgroup of itself and the members. From then on everybody is in that one."""

    actor: Actor
    members: tuple[Actor, ...] = ()
    extensions: tuple[Extension, ...] = ()
    force_path: bool = False
    external_tree: bool = False


@dataclass(frozen=True, kw_only=True)
class NewMemberAddProposal(_MakesProposal):
    """The joiner proposes its own Add, with the actor's GroupInfo."""

    actor: Actor
    joiner: Actor


@dataclass(frozen=True, kw_only=True)
class AddExternalSigner(_MakesProposal):
    """The actor proposes to let the signer, who is no member, propose."""

    actor: Actor
    signer: Actor


@dataclass(frozen=True, kw_only=True)
class ExternalSignerProposal(_MakesProposal):
    """The actor, who is no member, proposes with the member's GroupInfo."""

    actor: Actor
    member: Actor
    description: Description


# --- Steps of ours ---


@dataclass(frozen=True, kw_only=True)
class SelfRemoveProposal(_MakesProposal):
    """Leave by SelfRemove (draft-ietf-mls-extensions)."""

    actor: Actor


@dataclass(frozen=True, kw_only=True)
class DiscardPendingCommit(_Step):
    """Give up the Commit that the actor has pending, as after a lost race."""

    actor: Actor


@dataclass(frozen=True, kw_only=True)
class Talk(_Step):
    """Each of the members sends, all others read."""

    members: tuple[Actor, ...]


@dataclass(frozen=True, kw_only=True)
class Agree(_Step):
    """The members have the same epoch authenticator, and export the same secret."""

    members: tuple[Actor, ...]
    label: str
    context: bytes = b""
    length: int


@dataclass(frozen=True, kw_only=True)
class CannotUnprotect(_Step):
    """The actor must not be able to open a message: it is no member any more, or has opened it already."""

    actor: Actor
    ciphertext: CiphertextOf


Step: TypeAlias = (
    CreateGroup
    | CreateKeyPackage
    | JoinGroup
    | ExternalJoin
    | InstallExternalPSK
    | GroupInfo
    | AddProposal
    | UpdateProposal
    | RemoveProposal
    | ExternalPSKProposal
    | ResumptionPSKProposal
    | GroupContextExtensionsProposal
    | FullCommit
    | Commit
    | HandleCommit
    | HandlePendingCommit
    | Protect
    | Unprotect
    | ReInit
    | Branch
    | NewMemberAddProposal
    | AddExternalSigner
    | ExternalSignerProposal
    | SelfRemoveProposal
    | DiscardPendingCommit
    | Talk
    | Agree
    | CannotUnprotect
)

ACTIONS: dict[str, type[Step]] = {
    "createGroup": CreateGroup,
    "createKeyPackage": CreateKeyPackage,
    "joinGroup": JoinGroup,
    "externalJoin": ExternalJoin,
    "installExternalPSK": InstallExternalPSK,
    "groupInfo": GroupInfo,
    "addProposal": AddProposal,
    "updateProposal": UpdateProposal,
    "removeProposal": RemoveProposal,
    "externalPSKProposal": ExternalPSKProposal,
    "resumptionPSKProposal": ResumptionPSKProposal,
    "groupContextExtensionsProposal": GroupContextExtensionsProposal,
    "fullCommit": FullCommit,
    "commit": Commit,
    "handleCommit": HandleCommit,
    "handlePendingCommit": HandlePendingCommit,
    "protect": Protect,
    "unprotect": Unprotect,
    "reinit": ReInit,
    "branch": Branch,
    "newMemberAddProposal": NewMemberAddProposal,
    "addExternalSigner": AddExternalSigner,
    "externalSignerProposal": ExternalSignerProposal,
    "selfRemoveProposal": SelfRemoveProposal,
    "discardPendingCommit": DiscardPendingCommit,
    "talk": Talk,
    "agree": Agree,
    "cannotUnprotect": CannotUnprotect,
}
"""By their `action`."""


@dataclass(frozen=True)
class Script:
    """A script, checked: every reference goes back to a step that leaves what is asked of it."""

    name: str
    """The file's and its own: `commit/add`."""
    steps: tuple[Step, ...]
    actors: tuple[Actor, ...]
    """In the order in which they appear."""

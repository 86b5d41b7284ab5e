"""What the ids of the interface stand for: states, transactions, signers and reinitializations.

All ids come from one counter, so that none can be mistaken for one of another kind (`StorePSK` takes a state's or
a transaction's), and none is used again.

Drivers seldom free anything: the working group's test runner leaves behind every state but the last of each actor.
So that it can go on for days, the registry is bounded by forgetting what has not been used for longest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from bridge.interop.errors import CallError, Code
from mls import Client, GroupState, KeyPackageBundle, MLSMessage, Secret, WireFormat

__all__ = ["Membership", "Registry", "Signer", "Successor", "Transaction"]

MAX_ENTRIES: Final = 1 << 16
"""How many ids stand for something at one time. The working group's longest script makes some 4,000, and a state of
50 members takes some 20 kB besides what it shares with others."""

MAX_ID: Final = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Membership:
    """`state_id`: a client in one epoch of one group, as far as it has got."""

    identity: bytes
    state: GroupState
    wire_format: WireFormat
    """How this member sends its handshakes."""
    psks: Mapping[bytes, Secret] = field(default_factory=dict, repr=False)
    """External PSKs by their ids."""
    references: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    """From the SHA-256 of each proposal's message that this state has taken in, or sent, to the ProposalRef.

    A PrivateMessage can be opened only once, and one's own never: whoever hands it in again means the same proposal.
    """
    pending: MLSMessage | None = field(default=None, repr=False)
    """The newest Commit that this state has made, until it takes effect or is given up."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """`transaction_id`: a KeyPackage that waits for a Welcome."""

    identity: bytes
    bundle: KeyPackageBundle = field(repr=False)
    psks: Mapping[bytes, Secret] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Successor:
    """`reinit_id`: a member of a group that a ReInit has closed, with a KeyPackage for the one that follows."""

    old: Membership
    client: Client
    bundle: KeyPackageBundle = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signer:
    """`signer_id`: one who proposes from outside the group."""

    client: Client


Entry: TypeAlias = Membership | Transaction | Successor | Signer
Kind = TypeVar("Kind", Membership, Transaction, Successor, Signer)

NAMES: Final[Mapping[type[Entry], str]] = {
    Membership: "state",
    Transaction: "transaction",
    Successor: "reinitialization",
    Signer: "signer",
}


class Registry:
    """Everything that an id stands for. Entries are values: what a call makes of one replaces it, or gets a new id."""

    def __init__(self, *, max_entries: int = MAX_ENTRIES) -> None:
        self._entries: dict[int, Entry] = {}
        """The one that was used last stands last."""
        self._last_id = 0
        self._max_entries = max_entries

    def add(self, entry: Entry) -> int:
        """Return the new id of `entry`. Raises `CallError` when there are none left."""
        if self._last_id >= MAX_ID:
            raise CallError(Code.RESOURCE_EXHAUSTED, "all ids are used up: start the program again")
        if len(self._entries) >= self._max_entries:
            del self._entries[next(iter(self._entries))]
        self._last_id += 1
        self._entries[self._last_id] = entry
        return self._last_id

    def get(self, number: int, kind: type[Kind]) -> Kind:
        """Return what an id stands for. Raises `CallError` if it is not of that kind."""
        entry = self._use(number)
        if not isinstance(entry, kind):
            raise _not_found(number, entry, NAMES[kind])
        return entry

    def get_holder_of_psks(self, number: int) -> Membership | Transaction:
        """Return the state or transaction of that id. Raises `CallError`."""
        entry = self._use(number)
        if not isinstance(entry, Membership | Transaction):
            raise _not_found(number, entry, "state or transaction")
        return entry

    def replace(self, number: int, entry: Entry) -> None:
        """Let an id that is in use stand for what a call has made of its entry."""
        self._entries[number] = entry

    def free(self, number: int) -> None:
        """Forget what an id stands for. Raises `CallError` if that is nothing."""
        if self._entries.pop(number, None) is None:
            raise _not_found(number, None, "state")

    def _use(self, number: int) -> Entry | None:
        entry = self._entries.pop(number, None)
        if entry is not None:
            self._entries[number] = entry
        return entry


def _not_found(number: int, entry: Entry | None, wanted: str) -> CallError:
    reason = f"no {wanted} has the id {number}"
    return CallError(Code.NOT_FOUND, reason if entry is None else f"{reason}: that is the id of a {NAMES[type(entry)]}")
